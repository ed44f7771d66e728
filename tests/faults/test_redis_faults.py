"""What a cache on Redis does when the server, or the way to it, fails. Everything here is real."""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Iterator

import pytest

from infrastructure.cache import CacheService
from infrastructure.cache.base import MISSING
from infrastructure.cache.implementations.redis import RedisCacheProvider, RedisCacheSettings
from infrastructure.errors import (
    AuthenticationError,
    DataError,
    DeadlineExceededError,
    OverloadedError,
    UnavailableError,
)
from infrastructure.servers.base import LocalServer
from infrastructure.servers.valkey import ValkeyServer
from tests.faults.proxy import FaultProxy
from tests.redis_address import address

TIMEOUT = 0.25
#: What a busy machine may add to a bound; far below the seconds that a hidden retry takes.
SLACK = 0.5


def _provider(url: str, **changed: object) -> RedisCacheProvider:
    found = address(url, **({"timeout_seconds": TIMEOUT, "key_prefix": "faults:"} | changed))
    return RedisCacheProvider(RedisCacheSettings.model_validate(found), name="cache.default")


@pytest.fixture
async def proxy(valkey: LocalServer) -> AsyncIterator[FaultProxy]:
    server = address(valkey.url)
    async with FaultProxy(server["host"], server["port"]) as proxy:
        yield proxy


@pytest.fixture
async def provider(valkey: LocalServer, proxy: FaultProxy) -> AsyncIterator[RedisCacheProvider]:
    """Connected through the proxy, with `key` set to 1."""
    provider = _provider(valkey.url, port=proxy.port)
    await provider.set("key", 1, 60)
    yield provider
    await provider.disconnect()


@pytest.fixture
def server() -> Iterator[ValkeyServer]:
    """One of our own, to be ended and frozen."""
    if reason := ValkeyServer.reason_missing():
        pytest.skip(reason)
    with ValkeyServer() as server:
        yield server


async def test_refused_is_said_at_once_and_it_recovers(
    provider: RedisCacheProvider, proxy: FaultProxy
) -> None:
    await proxy.refuse()
    started = time.monotonic()
    with pytest.raises(UnavailableError, match=r"cache\.default: no connection"):
        await provider.get("key")
    assert time.monotonic() - started < TIMEOUT
    await proxy.passes()
    assert await provider.get("key") == 1


async def test_a_black_hole_takes_one_timeout_and_it_recovers(
    provider: RedisCacheProvider, proxy: FaultProxy
) -> None:
    proxy.black_hole()
    started = time.monotonic()
    with pytest.raises(DeadlineExceededError):
        await provider.get("key")
    assert TIMEOUT * 0.9 < time.monotonic() - started < TIMEOUT + SLACK
    await proxy.passes()
    assert await provider.get("key") == 1


async def test_a_black_hole_at_first_use_takes_one_timeout_too(
    valkey: LocalServer, proxy: FaultProxy
) -> None:
    proxy.black_hole()
    started = time.monotonic()
    with pytest.raises(DeadlineExceededError):
        await _provider(valkey.url, port=proxy.port).get("key")
    assert time.monotonic() - started < TIMEOUT + SLACK


async def test_a_loader_answers_within_one_timeout_of_a_black_hole(
    provider: RedisCacheProvider, proxy: FaultProxy
) -> None:
    cache = CacheService("app", provider=provider)
    proxy.black_hole()
    started = time.monotonic()
    assert await cache.get_or_set("key", lambda: 5) == 5
    assert time.monotonic() - started < TIMEOUT + SLACK
    assert cache.fallbacks.total() == 1


@pytest.mark.parametrize("reply_bytes", [0, 3])
async def test_a_reset_before_or_inside_a_reply_is_a_typed_error_and_it_recovers(
    provider: RedisCacheProvider, proxy: FaultProxy, reply_bytes: int
) -> None:
    proxy.reset_after(reply_bytes)
    with pytest.raises(UnavailableError):
        await provider.get("key")
    await proxy.passes()
    assert await provider.get("key") == 1


async def test_half_a_reply_is_never_returned(
    provider: RedisCacheProvider, proxy: FaultProxy
) -> None:
    await provider.set("key", "x" * 1000, 60)
    proxy.half_reply(500)
    with pytest.raises(UnavailableError):
        await provider.get("key")
    await proxy.passes()
    assert await provider.get("key") == "x" * 1000


async def test_connections_cut_while_idle_fail_no_call(
    provider: RedisCacheProvider, proxy: FaultProxy
) -> None:
    await asyncio.gather(*(provider.get("key") for _ in range(8)))
    await proxy.drop_connections()
    assert await asyncio.gather(*(provider.get("key") for _ in range(8))) == [1] * 8


async def test_a_reply_slower_than_the_deadline_is_not_given_to_the_next_caller(
    provider: RedisCacheProvider, proxy: FaultProxy
) -> None:
    await provider.set("other", 2, 60)
    proxy.delay(TIMEOUT * 1.5)
    with pytest.raises(DeadlineExceededError):
        await provider.get("key")
    proxy.delay(0)
    assert await provider.get("other") == 2


async def test_a_cancelled_call_never_gives_its_reply_to_another(
    provider: RedisCacheProvider,
) -> None:
    await provider.set_many({f"k{number}": number for number in range(20)}, 60)
    chance = random.Random(7)

    async def ask(number: int) -> object:
        call = asyncio.create_task(provider.get(f"k{number}"))
        if chance.random() < 0.5:
            await asyncio.sleep(chance.random() * 0.002)
            call.cancel()
        return (await asyncio.gather(call, return_exceptions=True))[0]

    for _ in range(20):
        answers = await asyncio.gather(*(ask(number) for number in range(20)))
        kept = [(n, a) for n, a in enumerate(answers) if not isinstance(a, asyncio.CancelledError)]
        assert all(number == answer for number, answer in kept)
    assert provider.pool_stats().in_use == 0
    assert await provider.get("k3") == 3


async def test_two_hundred_callers_share_five_connections(
    valkey: LocalServer, proxy: FaultProxy
) -> None:
    settings = {"max_connections": 5, "timeout_seconds": 5, "port": proxy.port}
    async with _provider(valkey.url, **settings) as provider:
        await provider.set("key", 1, 60)
        assert await asyncio.gather(*(provider.get("key") for _ in range(200))) == [1] * 200
        assert proxy.accepted <= 5


async def test_a_pool_that_stays_full_is_an_overload_and_not_an_outage(
    valkey: LocalServer, proxy: FaultProxy
) -> None:
    settings = {"max_connections": 2, "timeout_seconds": 1, "port": proxy.port}
    async with _provider(valkey.url, **settings) as provider:
        await asyncio.gather(provider.get("key"), provider.get("key"))
        proxy.delay(0.9)  # later than the pool gives up waiting, earlier than the call does
        calls = [provider.get("key") for _ in range(10)]
        errors = await asyncio.gather(*calls, return_exceptions=True)
        assert sum(isinstance(error, OverloadedError) for error in errors) == 8
        proxy.delay(0)
        assert await provider.get("never") is MISSING


async def test_a_wrong_password_is_told_apart_and_never_shown(valkey: LocalServer) -> None:
    with pytest.raises(AuthenticationError) as caught:
        await _provider(valkey.url, password="hunter2").get("key")
    chain = f"{caught.value!r} {caught.value} {caught.value.__cause__!r} {caught.value.__cause__}"
    assert "hunter2" not in chain


async def test_a_stored_value_is_in_no_error(provider: RedisCacheProvider) -> None:
    await provider._live_client().config_set("maxmemory", "1")
    try:
        with pytest.raises(OverloadedError, match="OOM") as caught:
            await provider.set("key", "hunter2", 60)
        assert "hunter2" not in f"{caught.value} {caught.value.__cause__}"
    finally:
        await provider._live_client().config_set("maxmemory", "0")


async def test_what_is_no_redis_server_is_a_data_error(valkey: LocalServer) -> None:
    async def web(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await writer.drain()
        writer.close()

    listener = await asyncio.start_server(web, "127.0.0.1", 0)
    async with listener:
        port = listener.sockets[0].getsockname()[1]
        with pytest.raises(DataError, match="is not redis"):
            await _provider(valkey.url, port=port).get("key")


async def test_a_restarted_server_is_used_again_without_rebuilding(server: ValkeyServer) -> None:
    async with _provider(server.url) as provider:
        await asyncio.gather(*(provider.set(str(number), number, 60) for number in range(8)))
        server.kill()
        with pytest.raises(UnavailableError):
            await provider.get("1")
        assert not (await provider.health_check()).is_up
        server.start()
        answers = await asyncio.gather(*(provider.get(str(number)) for number in range(8)))
        assert answers == [MISSING] * 8
        assert (await provider.health_check()).is_up


async def test_a_frozen_server_is_a_timeout_and_thaws_without_rebuilding(
    server: ValkeyServer,
) -> None:
    async with _provider(server.url) as provider:
        await provider.set("key", 1, 60)
        server.freeze()
        with pytest.raises(DeadlineExceededError):
            await provider.get("key")
        server.thaw()
        assert await provider.get("key") == 1
