"""What every cache on a server does when the server, or the way to it, fails.

"Row 6" and so on name a row of the table of faults; `test_redis_rows.py` holds all of them to a
test.
"""

import asyncio
import random
import time
from abc import abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any, ClassVar
from urllib.parse import urlsplit

import pytest

from infrastructure.cache.base import MISSING, BaseCacheProvider
from infrastructure.errors import (
    DataError,
    DeadlineExceededError,
    OverloadedError,
    UnavailableError,
)
from infrastructure.resilience.breaker import CircuitBreakerOpenError
from infrastructure.servers.memcached import MemcachedServer
from infrastructure.servers.valkey import ValkeyServer
from tests.faults.proxy import FaultProxy

Server = ValkeyServer | MemcachedServer

TIMEOUT = 0.25
#: What a busy machine may add to a bound; far below the seconds that a hidden retry takes.
SLACK = 0.5
REPEATABLE: dict[str, Callable[[BaseCacheProvider], Awaitable[Any]]] = {
    "get": lambda provider: provider.get("key"),
    "ttl": lambda provider: provider.ttl("key"),
    "set": lambda provider: provider.set("key", 1, 60),
    "delete": lambda provider: provider.delete_many(["key"]),
    "lease": lambda provider: provider.lease("key", 1),
    "expire": lambda provider: provider.expire("key", 60),
}


def port_of(url: str) -> int:
    port = urlsplit(url).port
    assert port is not None
    return port


def running(kind: type[Server]) -> Iterator[Any]:
    """A server of the test's own, to be ended, frozen and filled."""
    if reason := kind.reason_missing():
        pytest.skip(reason)
    with kind() as server:
        yield server


class CacheFaultContract:
    """A subclass says what the server is and makes providers."""

    server_name: ClassVar[str]

    @pytest.fixture
    @abstractmethod
    def url(self) -> str:
        """Of a server that is everybody's."""

    @pytest.fixture
    @abstractmethod
    def own(self) -> Iterator[Server]:
        """A server of the test's own."""

    @abstractmethod
    def provide(self, url: str, **changed: Any) -> BaseCacheProvider:
        """A provider named `cache.x` with a deadline of `TIMEOUT`, at another `port` if given."""

    @abstractmethod
    def in_use(self, provider: BaseCacheProvider) -> int:
        """How many connections of its pool are lent now."""

    @pytest.fixture
    async def proxy(self, url: str) -> AsyncIterator[FaultProxy]:
        async with FaultProxy("127.0.0.1", port_of(url)) as proxy:
            yield proxy

    @pytest.fixture
    async def provider(self, url: str, proxy: FaultProxy) -> AsyncIterator[BaseCacheProvider]:
        """Connected through the proxy, with `key` set to 1."""
        provider = self.provide(url, port=proxy.port)
        await provider.set("key", 1, 60)
        yield provider
        await provider.disconnect()

    async def test_refused_is_said_at_once_and_it_recovers(
        self, provider: BaseCacheProvider, proxy: FaultProxy
    ) -> None:
        """Row 1."""
        await proxy.refuse()
        started = time.monotonic()
        with pytest.raises(UnavailableError, match=r"cache\.x: no connection to \w+ at 127") as it:
            await provider.get("key")
        assert str(proxy.port) in str(it.value)
        assert time.monotonic() - started < TIMEOUT
        await proxy.passes()
        assert await provider.get("key") == 1

    @pytest.mark.parametrize("call", REPEATABLE)
    async def test_a_black_hole_takes_one_timeout_and_it_recovers(
        self, provider: BaseCacheProvider, proxy: FaultProxy, call: str
    ) -> None:
        """Row 2."""
        proxy.black_hole()
        started = time.monotonic()
        with pytest.raises(DeadlineExceededError):
            await REPEATABLE[call](provider)
        assert TIMEOUT * 0.9 < time.monotonic() - started < TIMEOUT + SLACK
        await proxy.passes()
        await provider.set("key", 1, 60)
        assert await provider.get("key") == 1

    async def test_a_black_hole_at_first_use_takes_one_timeout_too(
        self, url: str, proxy: FaultProxy
    ) -> None:
        """Row 2."""
        proxy.black_hole()
        started = time.monotonic()
        with pytest.raises(DeadlineExceededError):
            await self.provide(url, port=proxy.port).get("key")
        assert time.monotonic() - started < TIMEOUT + SLACK

    async def test_a_few_failures_open_the_breaker_and_the_next_call_costs_nothing(
        self, provider: BaseCacheProvider, proxy: FaultProxy
    ) -> None:
        """Row 2: one timeout for the first calls, then less than a millisecond."""
        proxy.black_hole()
        for _ in range(4):  # and the call of the fixture that succeeded
            with pytest.raises(DeadlineExceededError):
                await provider.ttl("key")
        times = []
        for call in list(REPEATABLE.values()) * 4:
            started = time.perf_counter()
            with pytest.raises(CircuitBreakerOpenError):
                await call(provider)
            times.append(time.perf_counter() - started)
        assert sorted(times)[len(times) // 2] < 0.001

    async def test_an_open_breaker_is_closed_by_a_probe_and_hides_no_health(
        self, url: str, proxy: FaultProxy
    ) -> None:
        """Row 2."""
        async with self.provide(url, port=proxy.port, breaker={"open_seconds": 0.01}) as provider:
            await proxy.refuse()
            for _ in range(5):
                with pytest.raises(UnavailableError):
                    await provider.ttl("key")
            await proxy.passes()
            assert (await provider.health_check()).is_up
            async with asyncio.timeout(5):
                while await _is_refused(provider):  # noqa: ASYNC110 - bounded, and nobody else tells
                    await asyncio.sleep(0.005)
            assert await provider.get("never") is MISSING

    async def test_without_a_breaker_every_call_is_tried(self, url: str, proxy: FaultProxy) -> None:
        """Row 1."""
        async with self.provide(url, port=proxy.port, breaker={"enabled": False}) as provider:
            await proxy.refuse()
            for _ in range(20):
                with pytest.raises(UnavailableError, match="no connection to"):
                    await provider.ttl("key")

    @pytest.mark.parametrize("call", REPEATABLE)
    @pytest.mark.parametrize("reply_bytes", [0, 3])
    async def test_a_reset_before_or_inside_a_reply_is_a_typed_error_and_it_recovers(
        self, provider: BaseCacheProvider, proxy: FaultProxy, call: str, reply_bytes: int
    ) -> None:
        """Row 13."""
        proxy.reset_after(reply_bytes)
        with pytest.raises(UnavailableError):
            await REPEATABLE[call](provider)
        await proxy.passes()
        await provider.set("key", 1, 60)
        assert await provider.get("key") == 1

    async def test_half_a_reply_is_never_returned(
        self, provider: BaseCacheProvider, proxy: FaultProxy
    ) -> None:
        """Row 13."""
        await provider.set("key", "x" * 1000, 60)
        proxy.half_reply(500)
        with pytest.raises(UnavailableError):
            await provider.get("key")
        await proxy.passes()
        assert await provider.get("key") == "x" * 1000

    async def test_connections_cut_while_idle_fail_no_call(
        self, provider: BaseCacheProvider, proxy: FaultProxy
    ) -> None:
        """Row 10: what counts is counted once all the same."""
        await asyncio.gather(*(provider.ttl(f"k{number}") for number in range(8)))
        await provider.delete_many([f"n{number}" for number in range(8)])
        await proxy.drop_connections()
        calls = [provider.increment(f"n{number}", 1, 60) for number in range(8)]
        assert await asyncio.gather(*calls) == [1] * 8

    async def test_a_reply_slower_than_the_deadline_is_not_given_to_the_next_caller(
        self, provider: BaseCacheProvider, proxy: FaultProxy
    ) -> None:
        """Rows 7 and 8."""
        await provider.set("other", 2, 60)
        proxy.delay(TIMEOUT * 1.5)
        with pytest.raises(DeadlineExceededError):
            await provider.get("key")
        proxy.delay(0)
        assert await provider.get("other") == 2

    async def test_a_cancelled_call_never_gives_its_reply_to_another(
        self, provider: BaseCacheProvider
    ) -> None:
        """Row 8: joined with others of its turn, and alone."""
        await provider.set_many({f"k{number}": number for number in range(20)}, 60)
        chance = random.Random(7)

        async def ask(number: int) -> object:
            read = provider.get_many if number % 2 else provider.look
            call = asyncio.ensure_future(read([f"k{number}"]))
            if chance.random() < 0.5:
                await asyncio.sleep(chance.random() * 0.002)
                call.cancel()
            return (await asyncio.gather(call, return_exceptions=True))[0]

        kept: list[object] = []
        for _ in range(20):
            answers = await asyncio.gather(*(ask(number) for number in range(20)))
            kept += [n for n, answer in enumerate(answers) if answer == [n]]
            wrong = [a for n, a in enumerate(answers) if a != [n]]
            assert all(isinstance(answer, asyncio.CancelledError) for answer in wrong)
        assert len(kept) > 150  # half of 400 are never cancelled
        assert self.in_use(provider) == 0
        assert await provider.get("k3") == 3

    async def test_a_pool_that_stays_full_is_an_overload_and_not_an_outage(
        self, url: str, proxy: FaultProxy
    ) -> None:
        """Rows 4 and 5."""
        bounds = {"max_connections": 2, "timeout_seconds": 1}
        async with self.provide(url, port=proxy.port, **bounds) as provider:
            await asyncio.gather(provider.ttl("a"), provider.ttl("b"))
            proxy.delay(0.9)  # later than the pool gives up waiting, earlier than the call does
            calls = [provider.ttl(f"k{number}") for number in range(10)]
            errors = await asyncio.gather(*calls, return_exceptions=True)
            assert sum(isinstance(error, OverloadedError) for error in errors) == 8
            proxy.delay(0)
            assert await provider.get("never") is MISSING
            assert self.in_use(provider) == 0

    async def test_what_is_no_such_server_is_a_data_error(self, url: str) -> None:
        listener = await asyncio.start_server(_web, "127.0.0.1", 0)
        async with listener:
            port = listener.sockets[0].getsockname()[1]
            with pytest.raises(DataError, match=f"is not {self.server_name}"):
                await self.provide(url, port=port).get("key")

    async def test_a_restarted_server_is_used_again_without_rebuilding(self, own: Server) -> None:
        """Row 11."""
        async with self.provide(own.url, timeout_seconds=1) as provider:
            await asyncio.gather(*(provider.set(str(number), number, 60) for number in range(8)))
            own.kill()
            with pytest.raises(UnavailableError):
                await provider.get("1")
            assert not (await provider.health_check()).is_up
            await asyncio.to_thread(own.start)
            answers = await asyncio.gather(*(provider.get(str(number)) for number in range(8)))
            assert answers == [MISSING] * 8
            assert (await provider.health_check()).is_up

    async def test_a_frozen_server_is_a_timeout_and_thaws_without_rebuilding(
        self, own: Server
    ) -> None:
        """Row 14."""
        async with self.provide(own.url) as provider:
            await provider.set("key", 1, 60)
            own.freeze()
            with pytest.raises(DeadlineExceededError):
                await provider.get("key")
            own.thaw()
            assert await provider.get("key") == 1

    async def test_a_hung_server_is_unhealthy_though_it_accepts(self, own: Server) -> None:
        """Row 14: health is a question with a deadline, not an open connection."""
        async with self.provide(own.url) as provider:
            own.freeze()
            health = await provider.health_check()
            assert not health.is_up
            assert health.latency_seconds < TIMEOUT + SLACK
            own.thaw()
            assert (await provider.health_check()).is_up


async def _is_refused(provider: BaseCacheProvider) -> bool:
    try:
        await provider.ttl("key")
    except CircuitBreakerOpenError:
        return True
    return False


async def _web(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(1)
    writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    await writer.drain()
    writer.close()
