import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from infrastructure.connections.base import PoolStats
from infrastructure.connections.database.redis import RedisConnectionManager
from infrastructure.connections.redis_pool import Call
from infrastructure.errors import (
    AuthenticationError,
    OutcomeUnknownError,
    OverloadedError,
    RejectedError,
    UnavailableError,
    UnsupportedError,
)
from infrastructure.servers.base import LocalServer
from infrastructure.servers.process import free_port
from infrastructure.servers.valkey_cluster import ValkeyCluster
from infrastructure.servers.valkey_sentinel import ValkeySentinels
from tests.contracts.connection_contract import ConnectionContract
from tests.faults.proxy import FaultProxy
from tests.redis import made, made_for
from tests.redis_address import address, cluster_address, sentinel_address


class TestRedisConnection(ConnectionContract):
    @pytest.fixture
    def manager(self, valkey: LocalServer) -> RedisConnectionManager:
        return made_for(valkey)


class TestRedisClusterConnection(ConnectionContract):
    @pytest.fixture
    def manager(self, valkey_cluster: ValkeyCluster) -> RedisConnectionManager:
        return made(cluster_address(valkey_cluster))


class TestRedisSentinelConnection(ConnectionContract):
    @pytest.fixture
    def manager(self, valkey_sentinels: ValkeySentinels) -> RedisConnectionManager:
        return made(sentinel_address(valkey_sentinels))


async def test_a_command_is_run_and_answered(redis: RedisConnectionManager) -> None:
    await redis.execute("DEL", "counter")
    assert [await redis.execute("INCR", "counter") for _ in range(2)] == [1, 2]


async def test_it_opens_at_first_use(valkey: LocalServer) -> None:
    manager = made_for(valkey)
    assert manager.pool_stats() == PoolStats(size=0, in_use=0, limit=0)
    await manager.ping()
    assert manager.pool_stats() == PoolStats(size=1, in_use=0, limit=20)
    await manager.disconnect()
    assert manager.pool_stats() == PoolStats(size=0, in_use=0, limit=0)


async def test_health_is_a_real_answer(redis: RedisConnectionManager) -> None:
    health = await redis.health_check()
    assert health.is_up
    assert "answered a PING" in health.detail


async def test_the_vendors_client_is_there_once_connected(
    redis: RedisConnectionManager, valkey: LocalServer
) -> None:
    assert await redis.client.ping()
    with pytest.raises(UnavailableError, match="connect"):
        _ = made_for(valkey).client


async def test_a_refused_command_is_an_error_with_the_code_word(
    redis: RedisConnectionManager,
) -> None:
    await redis.execute("SET", "text", "x")
    with pytest.raises(RejectedError, match="WRONGTYPE"):
        await redis.execute("LPUSH", "text", "y")


async def test_a_wrong_password_is_refused_and_not_shown(valkey: LocalServer) -> None:
    with pytest.raises(AuthenticationError) as caught:
        await made_for(valkey, password="hunter2").connect()
    assert "hunter2" not in f"{caught.value!r} {caught.value} {caught.value.__cause__!r}"


async def test_a_database_that_does_not_exist_is_refused(valkey: LocalServer) -> None:
    with pytest.raises(RejectedError):
        await made_for(valkey, database=9999).connect()


async def test_no_server_is_said_at_once_with_its_address() -> None:
    port = free_port()
    with pytest.raises(UnavailableError, match=f"db.default: no connection to redis at .*:{port}"):
        await made({"host": "127.0.0.1", "port": port}).execute("PING")


async def test_a_pool_in_use_for_too_long_is_an_overload(valkey: LocalServer) -> None:
    async with made_for(valkey, max_connections=1, timeout_seconds=0.2) as manager:
        blocking = asyncio.create_task(manager.execute("BLPOP", "nobody-pushes", "0.18"))
        await asyncio.sleep(0)
        with pytest.raises(OverloadedError, match="max_connections"):
            await manager.execute("PING")
        assert manager.state == "degraded"
        await asyncio.gather(blocking, return_exceptions=True)
        await manager.execute("PING")
        assert manager.state == "ready"


@pytest.fixture
async def proxy(valkey: LocalServer) -> AsyncIterator[FaultProxy]:
    server = address(valkey.url)
    async with FaultProxy(server["host"], server["port"]) as proxy:
        yield proxy


async def test_a_lost_answer_is_an_unknown_outcome_and_sent_once(
    valkey: LocalServer, proxy: FaultProxy
) -> None:
    async with made_for(valkey, port=proxy.port) as manager:
        await manager.execute("SET", "counter", 0)
        proxy.reset_after(0)
        with pytest.raises(OutcomeUnknownError):
            await manager.execute("INCR", "counter")
        await proxy.passes()
        assert await manager.execute("GET", "counter") == b"1"


async def test_no_answer_to_a_sent_command_is_an_unknown_outcome(
    valkey: LocalServer, proxy: FaultProxy
) -> None:
    async with made_for(valkey, port=proxy.port, timeout_seconds=0.1) as manager:
        proxy.black_hole()
        with pytest.raises(OutcomeUnknownError):
            await manager.execute("INCR", "counter")


async def test_a_command_that_found_no_connection_was_not_sent(
    valkey: LocalServer, proxy: FaultProxy
) -> None:
    async with made_for(valkey, port=proxy.port) as manager:
        await proxy.refuse()
        with pytest.raises(UnavailableError):
            await manager.execute("INCR", "counter")


async def test_lines_that_died_idle_are_replaced_before_a_command_is_sent(
    valkey: LocalServer, proxy: FaultProxy
) -> None:
    async with made_for(valkey, port=proxy.port) as manager:
        await asyncio.gather(*(manager.execute("PING") for _ in range(8)))
        await manager.execute("SET", "counter", 0)
        await proxy.drop_connections()
        answers = await asyncio.gather(*(manager.execute("INCR", "counter") for _ in range(8)))
        assert sorted(answers) == list(range(1, 9))


async def test_answers_are_read_as_the_vendors_client_reads_them(
    redis: RedisConnectionManager,
) -> None:
    await redis.execute("DEL", "hash")
    assert await redis.execute("HSET", "hash", "a", 1) == 1
    assert await redis.execute("HGETALL", "hash") == {b"a": b"1"}
    assert await redis.execute("SET", "text", "x") is True


async def test_an_answer_the_vendors_client_would_ask_options_for_is_given_as_it_came(
    redis: RedisConnectionManager,
) -> None:
    await redis.execute("DEL", "log")
    await redis.execute("XGROUP", "CREATE", "log", "readers", 0, "MKSTREAM")
    entry = await redis.execute("XADD", "log", "*", "n", 1)
    await redis.execute("XREADGROUP", "GROUP", "readers", "one", "STREAMS", "log", ">")
    claimed = await redis.execute("XCLAIM", "log", "readers", "two", 0, entry, "JUSTID")
    assert claimed == [entry]
    ((found, owner, *_),) = await redis.execute("XPENDING", "log", "readers", "-", "+", 1)
    assert (found, owner) == (entry, b"two")


async def test_what_cannot_be_sent_is_refused_and_nothing_is_in_doubt(
    redis: RedisConnectionManager,
) -> None:
    with pytest.raises(UnsupportedError):
        await redis.execute("SET", "key", object())
    assert await redis.execute("PING")


@pytest.mark.parametrize("command", [(), ("",), (b"GET", "key"), (1, 2), (None,)])
async def test_a_command_that_is_none_is_refused_and_nothing_is_in_doubt(
    redis: RedisConnectionManager, command: tuple[Any, ...]
) -> None:
    told = r"db\.default: a command begins with its name"
    with pytest.raises(UnsupportedError, match=told):
        await redis.execute(*command)
    for many in (redis.execute_many, redis.transaction):
        with pytest.raises(UnsupportedError, match=told):
            await many([("PING",), command])
    assert redis.unknown_outcomes == 0


@pytest.mark.parametrize(
    "command",
    [
        ("MULTI",),
        ("SELECT", 1),
        ("select 1",),
        ("SUBSCRIBE", "news"),
        ("MONITOR",),
        ("CLIENT REPLY", "OFF"),
        ("CLIENT", "reply", "SKIP"),
        ("CLIENT", b"NO-TOUCH", "ON"),
        ("SCRIPT", "DEBUG", "YES"),
        (" MULTI",),
    ],
)
async def test_a_command_that_changes_the_connection_under_others_is_refused(
    valkey: LocalServer, command: tuple[Any, ...]
) -> None:
    async with made_for(valkey, max_connections=1) as manager:
        await manager.execute("SET", "text", "x")
        with pytest.raises(UnsupportedError, match=r"db\.default: .* would change the connection"):
            await manager.execute(*command)
        for many in (manager.execute_many, manager.transaction):
            with pytest.raises(UnsupportedError, match="would change the connection"):
                await many([command])
        assert await manager.execute("GET", "text") == b"x"


async def test_a_refused_command_is_not_quoted(redis: RedisConnectionManager) -> None:
    with pytest.raises(UnsupportedError, match="AUTH would change") as told:
        await redis.execute("AUTH hunter2")
    assert "hunter2" not in str(told.value).lower()


async def test_an_answered_call_ends_what_a_failed_check_said(
    valkey: LocalServer, proxy: FaultProxy
) -> None:
    found = {"timeout_seconds": 0.2, "connect_timeout_seconds": 0.2}
    async with made_for(valkey, port=proxy.port, **found) as manager:
        proxy.black_hole()
        assert not (await manager.health_check()).is_up
        assert manager.state == "unavailable"
        await proxy.passes()
        await manager.execute("PING")
        assert manager.state == "ready"
        assert manager.is_healthy()


async def test_a_reader_that_begins_has_not_heard_of_the_server(
    valkey: LocalServer, proxy: FaultProxy
) -> None:
    found = {"timeout_seconds": 0.2, "connect_timeout_seconds": 0.2}
    async with made_for(valkey, port=proxy.port, **found) as manager:
        proxy.black_hole()
        assert not (await manager.health_check()).is_up
        async with manager.stream("jobs").consumer("workers"):
            assert manager.state == "unavailable"


async def test_the_vendors_client_is_closed_though_closing_was_cut(
    valkey: LocalServer, proxy: FaultProxy
) -> None:
    found = {"timeout_seconds": 5, "connect_timeout_seconds": 0.3}
    manager = made_for(valkey, port=proxy.port, **found)
    await manager.connect()
    vendors = manager.client
    await vendors.ping()
    proxy.black_hole()
    manager.send_behind(Call("PING"))
    await manager.disconnect()
    lines = vendors.connection_pool._available_connections
    assert [line.is_connected for line in lines] == [False]


async def test_the_vendors_client_is_for_one_server_only(
    redis_of_many: RedisConnectionManager,
) -> None:
    with pytest.raises(UnsupportedError, match="execute"):
        _ = redis_of_many.client


async def test_every_kind_of_command_finds_its_member_of_a_cluster(
    redis_cluster: RedisConnectionManager,
) -> None:
    for key in "abc":
        await redis_cluster.execute("SET", key, 1)
        script = ("EVAL", "return redis.call('INCR', KEYS[1])", 1, key)
        assert await redis_cluster.execute(*script) == 2
        assert await redis_cluster.execute("OBJECT", "ENCODING", key) == b"int"
    assert await redis_cluster.execute("PING")


async def test_keys_on_different_members_are_refused_in_one_command(
    redis_cluster: RedisConnectionManager,
) -> None:
    with pytest.raises(RejectedError, match="CROSSSLOT"):
        await redis_cluster.execute("MSET", "a", 1, "b", 2)
