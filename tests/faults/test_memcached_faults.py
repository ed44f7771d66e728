"""What a cache on memcached does when the server, or the way to it, fails. Everything is real."""

import asyncio
import random
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import pytest

from infrastructure.cache.base import MISSING
from infrastructure.cache.implementations.memcached import (
    MemcachedCacheProvider,
    MemcachedCacheSettings,
)
from infrastructure.errors import (
    AuthenticationError,
    DataError,
    DeadlineExceededError,
    InfrastructureError,
    OutcomeUnknownError,
    OverloadedError,
    UnavailableError,
)
from infrastructure.resilience.breaker import CircuitBreakerOpenError
from infrastructure.servers.memcached import MemcachedServer
from tests.faults.proxy import FaultProxy

TIMEOUT = 0.25
#: What a busy machine may add to a bound.
SLACK = 0.5
REPEATABLE: dict[str, Callable[[MemcachedCacheProvider], Awaitable[Any]]] = {
    "get": lambda provider: provider.get_many(["key"]),
    "set": lambda provider: provider.set("key", 1, 60),
    "delete": lambda provider: provider.delete_many(["key"]),
    "lease": lambda provider: provider.lease("key", 1),
    "expire": lambda provider: provider.expire("key", 60),
}


def _provider(port: int, **changed: Any) -> MemcachedCacheProvider:
    found = {"host": "127.0.0.1", "port": port, "timeout_seconds": TIMEOUT} | changed
    return MemcachedCacheProvider(MemcachedCacheSettings.model_validate(found), name="cache.x")


@pytest.fixture
def server() -> Iterator[MemcachedServer]:
    if reason := MemcachedServer.reason_missing():
        pytest.skip(f"server 'memcached' cannot be had: {reason}")
    with MemcachedServer() as server:
        yield server


@pytest.fixture
async def proxy(server: MemcachedServer) -> AsyncIterator[FaultProxy]:
    async with FaultProxy("127.0.0.1", server.port) as proxy:
        yield proxy


@pytest.fixture
async def provider(proxy: FaultProxy) -> AsyncIterator[MemcachedCacheProvider]:
    """Connected through the proxy, with `key` set to 1."""
    provider = _provider(proxy.port)
    await provider.set("key", 1, 60)
    yield provider
    await provider.disconnect()


async def test_refused_is_said_at_once_and_it_recovers(
    provider: MemcachedCacheProvider, proxy: FaultProxy
) -> None:
    await proxy.refuse()
    started = time.monotonic()
    with pytest.raises(UnavailableError, match=r"cache\.x: no connection to memcached"):
        await provider.get("key")
    assert time.monotonic() - started < TIMEOUT
    await proxy.passes()
    assert await provider.get("key") == 1


@pytest.mark.parametrize("call", REPEATABLE)
async def test_a_black_hole_takes_one_timeout_and_it_recovers(
    provider: MemcachedCacheProvider, proxy: FaultProxy, call: str
) -> None:
    proxy.black_hole()
    started = time.monotonic()
    with pytest.raises(DeadlineExceededError):
        await REPEATABLE[call](provider)
    assert TIMEOUT * 0.9 < time.monotonic() - started < TIMEOUT + SLACK
    await proxy.passes()
    await provider.set("key", 1, 60)
    assert await provider.get("key") == 1


async def test_a_few_failures_open_the_breaker_and_the_next_call_costs_nothing(
    provider: MemcachedCacheProvider, proxy: FaultProxy
) -> None:
    proxy.black_hole()
    for _ in range(4):  # and the call of the fixture that succeeded
        with pytest.raises(DeadlineExceededError):
            await provider.get_many(["key"])
    times = []
    for call in list(REPEATABLE.values()) * 4:
        started = time.perf_counter()
        with pytest.raises(CircuitBreakerOpenError):
            await call(provider)
        times.append(time.perf_counter() - started)
    assert sorted(times)[len(times) // 2] < 0.001


async def test_an_open_breaker_is_closed_by_a_probe_and_hides_no_health(proxy: FaultProxy) -> None:
    async with _provider(proxy.port, breaker={"open_seconds": 0.01}) as provider:
        await proxy.refuse()
        for _ in range(5):
            with pytest.raises(UnavailableError):
                await provider.get_many(["key"])
        await proxy.passes()
        assert (await provider.health_check()).is_up
        async with asyncio.timeout(5):
            while await _is_refused(provider):  # noqa: ASYNC110 - bounded, and nobody else tells
                await asyncio.sleep(0.005)
        assert await provider.get("never") is MISSING


async def _is_refused(provider: MemcachedCacheProvider) -> bool:
    try:
        await provider.get_many(["key"])
    except CircuitBreakerOpenError:
        return True
    return False


async def test_many_callers_of_one_key_are_no_outage(proxy: FaultProxy) -> None:
    """Who waits for a turn until its time is over has asked nobody."""
    async with _provider(proxy.port, timeout_seconds=0.1) as provider:
        proxy.delay(0.03)
        calls = [provider.increment("n", 1, 60) for _ in range(50)]
        errors = await asyncio.gather(*calls, return_exceptions=True)
        assert sum(isinstance(error, DeadlineExceededError) for error in errors) > 40
        proxy.delay(0)
        assert await provider.get("never") is MISSING


async def test_without_a_breaker_every_call_is_tried(proxy: FaultProxy) -> None:
    async with _provider(proxy.port, breaker={"enabled": False}) as provider:
        await proxy.refuse()
        for _ in range(20):
            with pytest.raises(UnavailableError, match="no connection to memcached"):
                await provider.get_many(["key"])


async def test_a_black_hole_at_first_use_takes_one_timeout_too(proxy: FaultProxy) -> None:
    proxy.black_hole()
    started = time.monotonic()
    with pytest.raises(DeadlineExceededError):
        await _provider(proxy.port).get("key")
    assert time.monotonic() - started < TIMEOUT + SLACK


@pytest.mark.parametrize("call", REPEATABLE)
@pytest.mark.parametrize("reply_bytes", [0, 3])
async def test_a_reset_before_or_inside_a_reply_is_a_typed_error_and_it_recovers(
    provider: MemcachedCacheProvider, proxy: FaultProxy, call: str, reply_bytes: int
) -> None:
    proxy.reset_after(reply_bytes)
    with pytest.raises(UnavailableError):
        await REPEATABLE[call](provider)
    await proxy.passes()
    await provider.set("key", 1, 60)
    assert await provider.get("key") == 1


async def test_half_a_reply_is_never_returned(
    provider: MemcachedCacheProvider, proxy: FaultProxy
) -> None:
    await provider.set("key", "x" * 1000, 60)
    proxy.half_reply(500)
    with pytest.raises(UnavailableError):
        await provider.get("key")
    await proxy.passes()
    assert await provider.get("key") == "x" * 1000


async def test_connections_cut_while_idle_fail_no_call(
    provider: MemcachedCacheProvider, proxy: FaultProxy
) -> None:
    await asyncio.gather(*(provider.get_many([f"k{n}"]) for n in range(8)))
    await proxy.drop_connections()
    calls = [provider.increment(f"n{n}", 1, 60) for n in range(8)]
    assert await asyncio.gather(*calls) == [1] * 8


@pytest.mark.parametrize("call", ["increment", "add", "fill"])
async def test_a_change_that_was_sent_and_not_answered_is_unknown_and_made_once(
    proxy: FaultProxy, server: MemcachedServer, call: str
) -> None:
    async with _provider(proxy.port, timeout_seconds=0.5) as provider:
        await provider.get("warm")
        token = await provider.lease("fill", 60)
        calls: dict[str, Callable[[], Awaitable[Any]]] = {
            "increment": lambda: provider.increment("increment", 1, 60),
            "add": lambda: provider.add("add", 1, 60),
            "fill": lambda: provider.fill("fill", 1, 60, token),
        }
        before = proxy.commands
        proxy.delay(0.3)  # the first answer comes in time, the second one does not
        with pytest.raises(OutcomeUnknownError, match="may have been applied"):
            await calls[call]()
        assert proxy.commands == before + 2
        proxy.delay(0)
        async with _provider(server.port) as other:
            assert await other.get(call) == 1


async def test_a_reply_slower_than_the_deadline_is_not_given_to_the_next_caller(
    provider: MemcachedCacheProvider, proxy: FaultProxy
) -> None:
    await provider.set("other", 2, 60)
    proxy.delay(TIMEOUT * 1.5)
    with pytest.raises(DeadlineExceededError):
        await provider.get("key")
    proxy.delay(0)
    assert await provider.get("other") == 2


async def test_a_cancelled_call_never_gives_its_reply_to_another(
    provider: MemcachedCacheProvider,
) -> None:
    await provider.set_many({f"k{number}": number for number in range(20)}, 60)
    chance = random.Random(7)

    async def ask(number: int) -> object:
        call = asyncio.create_task(provider.get_many([f"k{number}"]))
        if chance.random() < 0.5:
            await asyncio.sleep(chance.random() * 0.002)
            call.cancel()
        return (await asyncio.gather(call, return_exceptions=True))[0]

    for _ in range(20):
        answers = await asyncio.gather(*(ask(number) for number in range(20)))
        kept = [(n, a) for n, a in enumerate(answers) if not isinstance(a, BaseException)]
        assert all([number] == answer for number, answer in kept)
    assert await provider.get("k3") == 3


async def test_a_cancelled_change_leaves_the_key_to_the_next(
    provider: MemcachedCacheProvider,
) -> None:
    chance = random.Random(7)
    for _ in range(50):
        call = asyncio.create_task(provider.increment("n", 1, 60))
        await asyncio.sleep(chance.random() * 0.001)
        call.cancel()
        await asyncio.gather(call, return_exceptions=True)
    before = await provider.increment("n", 1, 60)
    assert await provider.increment("n", 1, 60) == before + 1


async def test_a_pool_that_stays_full_is_an_overload_and_not_an_outage(proxy: FaultProxy) -> None:
    async with _provider(proxy.port, timeout_seconds=1, max_connections=2) as provider:
        await asyncio.gather(provider.get_many(["a"]), provider.get_many(["b"]))
        proxy.delay(0.9)  # later than the pool gives up waiting, earlier than the call does
        calls = [provider.get_many([f"k{n}"]) for n in range(10)]
        errors = await asyncio.gather(*calls, return_exceptions=True)
        assert sum(isinstance(error, OverloadedError) for error in errors) == 8
        proxy.delay(0)
        assert await provider.get("never") is MISSING


async def test_what_is_no_memcached_server_is_a_data_error() -> None:
    async def web(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await writer.drain()
        writer.close()

    listener = await asyncio.start_server(web, "127.0.0.1", 0)
    async with listener:
        port = listener.sockets[0].getsockname()[1]
        with pytest.raises(DataError, match="is not memcached"):
            await _provider(port).get("key")


class Scripted:
    """Says the given answers, whatever is asked; the first is to `version` at the opening."""

    def __init__(self, *answers: bytes) -> None:
        self._answers = [b"VERSION 1\r\n", *answers]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while self._answers and await reader.read(10_000):
            writer.write(self._answers.pop(0))
            await writer.drain()
        writer.close()


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (b"SERVER_ERROR out of memory storing object\r\n", OverloadedError),
        (b"CLIENT_ERROR unauthenticated\r\n", AuthenticationError),
        (b"ERROR\r\n", InfrastructureError),
        (b"VALUE\r\n", DataError),
        (b"VALUE key 0 -1 1\r\n", DataError),
        (b"VALUE key 0 99999999999 1\r\n", DataError),
        (b"VALUE key 0 x 1\r\n", DataError),
        (b"VALUE key 0 1 1\r\nabcdef\r\nEND\r\n", DataError),
        (b"x" * 200_000, DataError),
        (b"VALUE key 0 5 1\r\nab", UnavailableError),
    ],
)
async def test_every_answer_of_a_server_is_a_typed_error(
    answer: bytes, expected: type[InfrastructureError]
) -> None:
    listener = await asyncio.start_server(Scripted(answer).serve, "127.0.0.1", 0)
    async with listener, _provider(listener.sockets[0].getsockname()[1]) as provider:
        with pytest.raises(expected):
            await provider.get_many(["key"])


async def test_a_value_put_under_another_key_by_the_server_is_not_given(
    provider: MemcachedCacheProvider, server: MemcachedServer
) -> None:
    with socket.create_connection(("127.0.0.1", server.port)) as line:
        line.sendall(b"get key\r\n")
        data = line.recv(4000).partition(b"\r\n")[2].removesuffix(b"\r\nEND\r\n")
        line.sendall(b"set other 0 60 %d\r\n%s\r\n" % (len(data), data))
        assert line.recv(100) == b"STORED\r\n"
    assert await provider.get_many(["other", "key"]) == [MISSING, 1]
    assert provider.unreadable == {"damaged": 1}


async def test_a_refused_login_is_told_apart_and_never_shown() -> None:
    listener = await asyncio.start_server(_refuses_logins, "127.0.0.1", 0)
    async with listener:
        port = listener.sockets[0].getsockname()[1]
        with pytest.raises(AuthenticationError) as caught:
            await _provider(port, username="user", password="hunter2").get("key")
    chain = f"{caught.value!r} {caught.value} {caught.value.__cause__!r} {caught.value.__cause__}"
    assert "hunter2" not in chain


async def _refuses_logins(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    assert await reader.readuntil(b"hunter2\r\n") == b"set login 0 0 12\r\nuser hunter2\r\n"
    writer.write(b"CLIENT_ERROR authentication failure\r\n")
    await writer.drain()
    writer.close()


async def test_a_restarted_server_is_used_again_without_rebuilding(
    server: MemcachedServer,
) -> None:
    async with _provider(server.port, timeout_seconds=1) as provider:
        await asyncio.gather(*(provider.set(str(number), number, 60) for number in range(8)))
        server.kill()
        with pytest.raises(UnavailableError):
            await provider.get("1")
        assert not (await provider.health_check()).is_up
        await asyncio.to_thread(server.start)
        answers = await asyncio.gather(*(provider.get(str(number)) for number in range(8)))
        assert answers == [MISSING] * 8
        assert (await provider.health_check()).is_up


async def test_a_frozen_server_is_a_timeout_and_thaws_without_rebuilding(
    server: MemcachedServer,
) -> None:
    async with _provider(server.port) as provider:
        await provider.set("key", 1, 60)
        server.freeze()
        with pytest.raises(DeadlineExceededError):
            await provider.get("key")
        server.thaw()
        assert await provider.get("key") == 1
