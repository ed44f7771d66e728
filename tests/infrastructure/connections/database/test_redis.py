import asyncio
from collections.abc import AsyncIterator

import pytest

from infrastructure.connections.base import PoolStats
from infrastructure.connections.database.redis import (
    RedisConnectionManager,
    RedisConnectionSettings,
)
from infrastructure.errors import (
    AuthenticationError,
    OutcomeUnknownError,
    OverloadedError,
    RejectedError,
    UnavailableError,
)
from infrastructure.servers.base import LocalServer
from infrastructure.servers.process import free_port
from tests.faults.proxy import FaultProxy
from tests.redis_address import address


def _manager(url: str, **changed: object) -> RedisConnectionManager:
    settings = RedisConnectionSettings.model_validate(address(url, **changed))
    return RedisConnectionManager(settings, name="db.default")


@pytest.fixture
async def manager(valkey: LocalServer) -> AsyncIterator[RedisConnectionManager]:
    async with _manager(valkey.url) as manager:
        await manager.execute("DEL", "counter")
        yield manager


async def test_a_command_is_run_and_answered(manager: RedisConnectionManager) -> None:
    assert [await manager.execute("INCR", "counter") for _ in range(2)] == [1, 2]


async def test_it_opens_at_first_use(valkey: LocalServer) -> None:
    manager = _manager(valkey.url)
    assert manager.pool_stats() == PoolStats(size=0, in_use=0, limit=0)
    await manager.ping()
    assert manager.pool_stats() == PoolStats(size=1, in_use=0, limit=20)
    await manager.disconnect()
    assert manager.pool_stats() == PoolStats(size=0, in_use=0, limit=0)


async def test_health_is_a_real_answer(manager: RedisConnectionManager) -> None:
    health = await manager.health_check()
    assert health.is_up
    assert "answered a PING" in health.detail


async def test_the_vendors_client_is_there_once_connected(
    manager: RedisConnectionManager, valkey: LocalServer
) -> None:
    assert await manager.client.ping()
    with pytest.raises(UnavailableError, match="connect"):
        _ = _manager(valkey.url).client


async def test_a_refused_command_is_an_error_with_the_code_word(
    manager: RedisConnectionManager,
) -> None:
    await manager.execute("SET", "text", "x")
    with pytest.raises(RejectedError, match="WRONGTYPE"):
        await manager.execute("LPUSH", "text", "y")


async def test_a_wrong_password_is_refused_and_not_shown(valkey: LocalServer) -> None:
    with pytest.raises(AuthenticationError) as caught:
        await _manager(valkey.url, password="hunter2").connect()
    assert "hunter2" not in f"{caught.value!r} {caught.value} {caught.value.__cause__!r}"


async def test_a_database_that_does_not_exist_is_refused(valkey: LocalServer) -> None:
    with pytest.raises(RejectedError):
        await _manager(valkey.url, database=9999).connect()


async def test_no_server_is_said_at_once_with_its_address() -> None:
    port = free_port()
    with pytest.raises(UnavailableError, match=f"db.default: no connection to redis at .*:{port}"):
        await _manager(f"redis://127.0.0.1:{port}").execute("PING")


async def test_a_pool_in_use_for_too_long_is_an_overload(valkey: LocalServer) -> None:
    async with _manager(valkey.url, max_connections=1, timeout_seconds=0.2) as manager:
        blocking = asyncio.create_task(manager.execute("BLPOP", "nobody-pushes", "0.18"))
        await asyncio.sleep(0)
        with pytest.raises(OverloadedError, match="max_connections"):
            await manager.execute("PING")
        await asyncio.gather(blocking, return_exceptions=True)


@pytest.fixture
async def proxy(valkey: LocalServer) -> AsyncIterator[FaultProxy]:
    server = address(valkey.url)
    async with FaultProxy(server["host"], server["port"]) as proxy:
        yield proxy


async def test_a_lost_answer_is_an_unknown_outcome_and_sent_once(
    valkey: LocalServer, proxy: FaultProxy
) -> None:
    async with _manager(valkey.url, port=proxy.port) as manager:
        await manager.execute("SET", "counter", 0)
        proxy.reset_after(0)
        with pytest.raises(OutcomeUnknownError):
            await manager.execute("INCR", "counter")
        await proxy.passes()
        assert await manager.execute("GET", "counter") == b"1"


async def test_no_answer_to_a_sent_command_is_an_unknown_outcome(
    valkey: LocalServer, proxy: FaultProxy
) -> None:
    async with _manager(valkey.url, port=proxy.port, timeout_seconds=0.1) as manager:
        proxy.black_hole()
        with pytest.raises(OutcomeUnknownError):
            await manager.execute("INCR", "counter")


async def test_a_command_that_found_no_connection_was_not_sent(
    valkey: LocalServer, proxy: FaultProxy
) -> None:
    async with _manager(valkey.url, port=proxy.port) as manager:
        await proxy.refuse()
        with pytest.raises(UnavailableError):
            await manager.execute("INCR", "counter")


async def test_lines_that_died_idle_are_replaced_before_a_command_is_sent(
    valkey: LocalServer, proxy: FaultProxy
) -> None:
    async with _manager(valkey.url, port=proxy.port) as manager:
        await asyncio.gather(*(manager.execute("PING") for _ in range(8)))
        await manager.execute("SET", "counter", 0)
        await proxy.drop_connections()
        answers = await asyncio.gather(*(manager.execute("INCR", "counter") for _ in range(8)))
        assert sorted(answers) == list(range(1, 9))
