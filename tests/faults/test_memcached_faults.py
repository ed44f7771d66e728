"""What a cache on memcached does when things fail, beside what every cache on a server does."""

import asyncio
import random
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import pytest

from infrastructure.cache.base import MISSING, BaseCacheProvider
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
from infrastructure.servers.memcached import MemcachedServer
from tests.faults.cache_fault_contract import TIMEOUT, CacheFaultContract, port_of, running
from tests.faults.proxy import FaultProxy


def _provider(port: int, **changed: Any) -> MemcachedCacheProvider:
    found = {"host": "127.0.0.1", "port": port, "timeout_seconds": TIMEOUT, "key_prefix": "faults:"}
    return MemcachedCacheProvider(
        MemcachedCacheSettings.model_validate(found | changed), name="cache.x"
    )


class TestMemcachedFaults(CacheFaultContract):
    server_name = "memcached"

    @pytest.fixture
    def url(self, memcached: MemcachedServer) -> str:
        return memcached.url

    @pytest.fixture
    def own(self) -> Iterator[MemcachedServer]:
        yield from running(MemcachedServer)

    def provide(self, url: str, **changed: Any) -> BaseCacheProvider:
        return _provider(**{"port": port_of(url)} | changed)

    def in_use(self, provider: BaseCacheProvider) -> int:
        assert isinstance(provider, MemcachedCacheProvider)
        assert provider._pool is not None
        return provider.settings.max_connections - provider._pool._free._value


@pytest.fixture
async def proxy(memcached: MemcachedServer) -> AsyncIterator[FaultProxy]:
    async with FaultProxy("127.0.0.1", memcached.port) as proxy:
        yield proxy


@pytest.fixture
async def provider(proxy: FaultProxy) -> AsyncIterator[MemcachedCacheProvider]:
    """Connected through the proxy, with `key` set to 1."""
    provider = _provider(proxy.port)
    await provider.set("key", 1, 60)
    yield provider
    await provider.disconnect()


async def test_many_callers_of_one_key_are_no_outage(proxy: FaultProxy) -> None:
    """Who waits for a turn until its time is over has asked nobody."""
    async with _provider(proxy.port, timeout_seconds=0.1) as provider:
        proxy.delay(0.03)
        calls = [provider.increment("n", 1, 60) for _ in range(50)]
        errors = await asyncio.gather(*calls, return_exceptions=True)
        assert sum(isinstance(error, DeadlineExceededError) for error in errors) > 40
        proxy.delay(0)
        assert await provider.get("never") is MISSING


@pytest.mark.parametrize("call", ["increment", "add", "fill"])
async def test_a_change_that_was_sent_and_not_answered_is_unknown_and_made_once(
    proxy: FaultProxy, memcached: MemcachedServer, call: str
) -> None:
    async with _provider(proxy.port, timeout_seconds=0.5) as provider:
        await provider.get("warm")
        await provider.delete_many([call])
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
        async with _provider(memcached.port) as other:
            assert await other.get(call) == 1


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
    provider: MemcachedCacheProvider, memcached: MemcachedServer
) -> None:
    with socket.create_connection(("127.0.0.1", memcached.port)) as line:
        line.sendall(b"get faults:key\r\n")
        data = line.recv(4000).partition(b"\r\n")[2].removesuffix(b"\r\nEND\r\n")
        line.sendall(b"set faults:other 0 60 %d\r\n%s\r\n" % (len(data), data))
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
