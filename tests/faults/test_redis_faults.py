"""What a cache on Redis does when things fail, beside what every cache on a server does.

"Row 6" and so on name a row of the table of faults; `test_redis_rows.py` holds all of them to a
test.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
from loguru import logger

from infrastructure.cache import CacheService
from infrastructure.cache.base import MISSING, BaseCacheProvider
from infrastructure.cache.implementations.redis import RedisCacheProvider, RedisCacheSettings
from infrastructure.connections.database.redis import (
    RedisConnectionManager,
    RedisConnectionSettings,
)
from infrastructure.connections.redis_pool import Call
from infrastructure.errors import (
    AuthenticationError,
    OutcomeUnknownError,
    OverloadedError,
    RejectedError,
    UnavailableError,
)
from infrastructure.servers.base import LocalServer
from infrastructure.servers.valkey import ValkeyServer, ask
from tests.faults.cache_fault_contract import SLACK, TIMEOUT, CacheFaultContract, running
from tests.faults.proxy import FaultProxy
from tests.redis_address import address

#: Exchanges a new connection begins with: AUTH and CLIENT SETNAME.
LOGIN = 2


def _provider(url: str, **changed: object) -> RedisCacheProvider:
    found = address(url, **({"timeout_seconds": TIMEOUT, "key_prefix": "faults:"} | changed))
    return RedisCacheProvider(RedisCacheSettings.model_validate(found), name="cache.x")


def _measured(provider: RedisCacheProvider, name: str, state: str = "") -> float:
    return sum(
        each.value
        for each in provider.measurements()
        if each.name == name and each.labels.get("db.client.connection.state", "") == state
    )


async def _until(is_reached: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not is_reached():  # noqa: ASYNC110 - bounded, and nobody else tells
            await asyncio.sleep(0.005)


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
    yield from running(ValkeyServer)


class TestRedisFaults(CacheFaultContract):
    server_name = "redis"

    @pytest.fixture
    def url(self, valkey: LocalServer) -> str:
        return valkey.url

    @pytest.fixture
    def own(self) -> Iterator[ValkeyServer]:
        yield from running(ValkeyServer)

    def provide(self, url: str, **changed: Any) -> BaseCacheProvider:
        return _provider(url, **{"host": "127.0.0.1"} | changed)

    def in_use(self, provider: BaseCacheProvider) -> int:
        assert isinstance(provider, RedisCacheProvider)
        return provider.pool_stats().in_use


async def test_who_waits_for_a_full_pool_in_vain_is_counted_and_no_outage(
    valkey: LocalServer, proxy: FaultProxy
) -> None:
    """Rows 4 and 5."""
    settings = {"max_connections": 2, "timeout_seconds": 0.5, "port": proxy.port}
    async with _provider(valkey.url, **settings) as provider:
        await asyncio.gather(provider.ttl("key"), provider.ttl("key"))
        proxy.delay(0.45)
        await asyncio.gather(*(provider.ttl("key") for _ in range(10)), return_exceptions=True)
        assert _measured(provider, "switchgear.redis.pool_timeouts") == 8
        assert provider.state_changes == 0


async def test_a_loader_answers_within_one_timeout_of_a_black_hole(
    provider: RedisCacheProvider, proxy: FaultProxy
) -> None:
    """Row 2."""
    cache = CacheService("app", provider=provider)
    proxy.black_hole()
    started = time.monotonic()
    assert await cache.get_or_set("key", lambda: 5) == 5
    assert time.monotonic() - started < TIMEOUT + SLACK
    assert cache.fallbacks.total() == 1


async def test_a_thousand_callers_share_five_connections(
    valkey: LocalServer, proxy: FaultProxy
) -> None:
    """Row 4."""
    settings = {"max_connections": 5, "timeout_seconds": 5, "port": proxy.port}
    async with _provider(valkey.url, **settings) as provider:
        await provider.set("key", 1, 60)
        assert all(await asyncio.gather(*(provider.ttl("key") for _ in range(1000))))
        assert proxy.accepted <= 5


async def test_a_wrong_password_is_told_apart_and_never_shown(valkey: LocalServer) -> None:
    with pytest.raises(AuthenticationError) as caught:
        await _provider(valkey.url, password="hunter2").get("key")
    chain = f"{caught.value!r} {caught.value} {caught.value.__cause__!r} {caught.value.__cause__}"
    assert "hunter2" not in chain


async def test_a_full_server_is_an_overload_and_the_value_is_in_no_error(
    server: ValkeyServer,
) -> None:
    """Row 15."""
    ask(server.url, "CONFIG", "SET", "maxmemory", "1")  # it would stay so for everybody else
    async with _provider(server.url) as provider:
        with pytest.raises(OverloadedError, match="OOM") as caught:
            await provider.set("key", "hunter2", 60)
        assert "hunter2" not in f"{caught.value} {caught.value.__cause__}"


async def test_an_outage_is_one_line_and_its_end_another(
    valkey: LocalServer, proxy: FaultProxy
) -> None:
    found = address(valkey.url, port=proxy.port, timeout_seconds=TIMEOUT)
    settings = RedisConnectionSettings.model_validate(found)
    lines: list[str] = []
    sink = logger.add(lines.append, format="{message}", level="INFO")
    try:
        async with RedisConnectionManager(settings, name="db.redis") as manager:
            await proxy.refuse()
            for _ in range(2):
                with pytest.raises(UnavailableError):
                    await manager.execute("GET", "key")
            await proxy.passes()
            await manager.execute("GET", "key")
            assert manager.state_changes == 2
    finally:
        logger.remove(sink)
    assert [line.strip() for line in lines] == ["connection down", "connection up again"]


async def test_a_delete_that_could_not_be_sent_is_an_error(
    provider: RedisCacheProvider, proxy: FaultProxy
) -> None:
    await proxy.refuse()
    with pytest.raises(UnavailableError):
        await provider.delete_many(["key"])


async def test_a_number_whose_answer_was_cut_off_is_added_once(
    provider: RedisCacheProvider, proxy: FaultProxy
) -> None:
    """Row 6."""
    await provider.delete_many(["n"])
    proxy.reset_after(0)
    with pytest.raises(OutcomeUnknownError):
        await provider.increment("n", 1, 60)
    await proxy.passes()
    assert await provider.get("n") == 1
    assert _measured(provider, "switchgear.redis.unknown_outcomes") == 1


async def test_a_number_whose_answer_was_late_is_added_once(
    provider: RedisCacheProvider, proxy: FaultProxy
) -> None:
    """Row 7."""
    await provider.delete_many(["n"])
    proxy.delay(TIMEOUT * 1.5)
    with pytest.raises(OutcomeUnknownError):
        await provider.increment("n", 1, 60)
    proxy.delay(0)
    assert await provider.get("n") == 1


@pytest.mark.parametrize("call", ["add", "fill"])
async def test_what_must_not_happen_twice_is_never_sent_twice(
    provider: RedisCacheProvider, proxy: FaultProxy, call: str
) -> None:
    """Row 6."""
    await provider.delete_many(["new"])
    lease = await provider.lease("new", 60)
    before = proxy.commands
    proxy.reset_after(0)
    with pytest.raises(OutcomeUnknownError):
        if call == "add":
            await provider.add("new", 1, 60)
        else:
            await provider.fill("new", 1, 60, lease)
    assert proxy.commands == before + 1


async def test_what_found_no_connection_was_not_sent_and_is_not_in_doubt(
    provider: RedisCacheProvider, proxy: FaultProxy
) -> None:
    """Row 6."""
    await proxy.refuse()
    with pytest.raises(UnavailableError):
        await provider.increment("n", 1, 60)


async def test_what_may_happen_twice_is_sent_once_more_on_a_line_that_died(
    provider: RedisCacheProvider, proxy: FaultProxy
) -> None:
    """Row 10."""
    before = proxy.commands
    proxy.delay(0.2)
    asking = asyncio.create_task(provider.ttl("key"))
    await _until(lambda: proxy.commands > before)
    proxy.delay(0)
    await proxy.drop_connections()
    assert await asking
    assert proxy.commands - before == 1 + LOGIN + 1
    assert _measured(provider, "switchgear.redis.repeats") == 1


async def test_what_fails_on_a_new_line_too_is_not_tried_a_third_time(
    provider: RedisCacheProvider, proxy: FaultProxy
) -> None:
    """Row 10."""
    before = proxy.commands
    proxy.reset_after(0)
    with pytest.raises(UnavailableError):
        await provider.ttl("key")
    assert proxy.commands - before == 2  # the command, and the login of the second line


async def test_a_cancelled_write_may_have_been_done(
    provider: RedisCacheProvider, proxy: FaultProxy
) -> None:
    """Row 9: cancelled is not "not done"."""
    before = proxy.commands
    proxy.delay(0.05)
    write = asyncio.create_task(provider.set("key", 2, 60))
    await _until(lambda: proxy.commands > before)
    write.cancel()
    with pytest.raises(asyncio.CancelledError):
        await write
    proxy.delay(0)
    assert await provider.get("key") == 2


async def test_an_outage_ends_without_more_connections_than_the_pool_has(
    valkey: LocalServer, proxy: FaultProxy
) -> None:
    """Row 11: reconnecting is bounded by the pool."""
    async with _provider(valkey.url, port=proxy.port, max_connections=4) as provider:
        await proxy.refuse()
        with pytest.raises(UnavailableError):
            await provider.ttl("key")
        before = proxy.accepted
        await proxy.passes()
        await asyncio.gather(*(provider.ttl("key") for _ in range(100)))
        assert proxy.accepted - before <= 4


async def test_the_use_of_the_pool_can_be_seen(valkey: LocalServer, proxy: FaultProxy) -> None:
    """Row 5."""
    settings = {"max_connections": 2, "warm_connections": 2, "timeout_seconds": 5}
    async with _provider(valkey.url, port=proxy.port, **settings) as provider:
        proxy.delay(0.1)
        calls = [asyncio.create_task(provider.ttl("key")) for _ in range(5)]
        await _until(lambda: provider.pool_stats().in_use == 2)
        assert _measured(provider, "db.client.connection.count", state="used") == 2
        assert _measured(provider, "db.client.connection.pending_requests") == 3
        assert _measured(provider, "db.client.connection.max") == 2
        await asyncio.gather(*calls)


async def test_a_caller_cancelled_while_it_waits_for_the_pool_takes_nothing_along(
    valkey: LocalServer, proxy: FaultProxy
) -> None:
    """Row 8."""
    settings = {"max_connections": 1, "timeout_seconds": 5, "port": proxy.port}
    async with _provider(valkey.url, **settings) as provider:
        proxy.delay(0.05)
        calls = [asyncio.create_task(provider.ttl("key")) for _ in range(20)]
        await _until(lambda: provider.pool_stats().in_use == 1)
        for call in calls[1::2]:
            call.cancel()
        proxy.delay(0)
        await asyncio.gather(*calls, return_exceptions=True)
        assert await provider.get("never") is MISSING
        assert provider.pool_stats().in_use == 0


async def test_a_wrong_type_is_permanent_and_leaves_the_connection(
    provider: RedisCacheProvider, proxy: FaultProxy
) -> None:
    """Row 15."""
    opened = proxy.accepted
    with pytest.raises(RejectedError, match="WRONGTYPE"):
        await provider.run(Call("LPUSH", "faults:key", "x"))
    assert await provider.get("key") == 1
    assert proxy.accepted == opened


async def test_a_server_busy_with_a_script_is_unavailable(server: ValkeyServer) -> None:
    """Row 15."""
    async with _provider(server.url, timeout_seconds=2) as busy, _provider(server.url) as provider:
        await busy.run(Call("CONFIG", "SET", "busy-reply-threshold", "1"))
        script = Call("EVAL", "while true do end", 0)
        running = asyncio.create_task(busy.run(script))
        async with asyncio.timeout(5):
            while not (reason := await _failure(provider)):  # noqa: ASYNC110 - bounded, and nobody else tells
                await asyncio.sleep(0.005)
        assert "BUSY" in reason
        await provider.run(Call("SCRIPT", "KILL"))
        await asyncio.gather(running, return_exceptions=True)
        assert await provider.get("key") is MISSING


async def _failure(provider: RedisCacheProvider) -> str:
    try:
        await provider.run(Call("GET", "key"))
    except UnavailableError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("word", ["LOADING", "MASTERDOWN", "CLUSTERDOWN", "TRYAGAIN"])
async def test_a_server_that_cannot_serve_yet_is_unavailable_and_nothing_is_in_doubt(
    word: str,
) -> None:
    """Row 15."""

    ended: list[asyncio.Task[None] | None] = []

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        ended.append(asyncio.current_task())
        while asked := await reader.read(1000):
            is_greeting = b"SETNAME" in asked or b"PING" in asked
            writer.write(b"+OK\r\n" if is_greeting else f"-{word} later\r\n".encode())
        writer.close()
        await writer.wait_closed()

    listener = await asyncio.start_server(refuse, "127.0.0.1", 0)
    async with listener:
        url = f"redis://127.0.0.1:{listener.sockets[0].getsockname()[1]}"
        async with _provider(url) as provider:
            with pytest.raises(UnavailableError, match=word):
                await provider.increment("n", 1, 60)
            assert provider.unknown_outcomes == 0
        await asyncio.gather(*(task for task in ended if task))


async def test_a_server_that_became_a_replica_is_left(server: ValkeyServer) -> None:
    """Row 16: writes are refused for now, and the next connection is a new one."""
    async with _provider(server.url) as provider:
        await provider.set("key", 1, 60)
        await provider.run(Call("REPLICAOF", "127.0.0.1", "1"))
        with pytest.raises(UnavailableError, match="READONLY"):
            await provider.set("key", 2, 60)
        assert provider.pool_stats().size == 0
        await provider.run(Call("REPLICAOF", "NO", "ONE"))
        await provider.set("key", 3, 60)
        assert await provider.get("key") == 3


async def test_a_transaction_that_a_replica_refuses_is_known_not_to_be_applied(
    server: ValkeyServer,
) -> None:
    """Row 16."""
    settings = RedisConnectionSettings.model_validate(address(server.url))
    async with RedisConnectionManager(settings, name="db.redis") as manager:
        await manager.execute("REPLICAOF", "127.0.0.1", "1")
        with pytest.raises(UnavailableError, match="READONLY"):
            await manager.transaction([("INCR", "n"), ("INCR", "n")])


async def test_a_new_connection_says_who_it_is_and_nothing_else(server: ValkeyServer) -> None:
    """Row 25."""
    ask(server.url, "CONFIG", "RESETSTAT")
    async with _provider(server.url, warm_connections=3) as provider:
        stats = (await provider.run(Call("INFO", "commandstats")))[0].decode()
        seen = {line.split(":")[0].removeprefix("cmdstat_") for line in stats.split()[2:]}
        assert seen == {"auth", "client|setname", "ping", "config|resetstat"}
        names = (await provider.run(Call("CLIENT", "LIST")))[0].decode()
        assert names.count("name=switchgear") == 3


async def test_a_warm_pool_opens_nothing_for_the_first_calls(
    valkey: LocalServer, proxy: FaultProxy
) -> None:
    """Row 25."""
    async with _provider(valkey.url, port=proxy.port, warm_connections=3) as provider:
        await asyncio.gather(*(provider.ttl("key") for _ in range(3)))
        assert proxy.accepted == 3
        assert _measured(provider, "switchgear.redis.connections_opened") == 3
