"""Publications behind a network that misbehaves: what was missed is told."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from infrastructure.connections.database.redis import (
    Gap,
    RedisConnectionManager,
    RedisConnectionSettings,
)
from infrastructure.connections.database.redis.pubsub import Publication, Subscription
from infrastructure.errors import DeadlineExceededError, OutcomeUnknownError, UnavailableError
from infrastructure.servers.base import LocalServer
from infrastructure.servers.valkey import ValkeyServer
from tests.faults.proxy import FaultProxy
from tests.redis_address import address

HEARTBEAT_SECONDS = 0.1


@pytest.fixture
async def proxy(valkey: LocalServer) -> AsyncIterator[FaultProxy]:
    server = address(valkey.url)
    async with FaultProxy(server["host"], server["port"]) as proxy:
        yield proxy


@pytest.fixture
async def sender(valkey: LocalServer) -> AsyncIterator[RedisConnectionManager]:
    """Beside the proxy."""
    settings = RedisConnectionSettings.model_validate(address(valkey.url))
    async with RedisConnectionManager(settings, name="db.sender") as sender:
        yield sender


@pytest.fixture
async def manager(valkey: LocalServer, proxy: FaultProxy) -> AsyncIterator[RedisConnectionManager]:
    found = address(valkey.url, port=proxy.port, connect_timeout_seconds=0.5, timeout_seconds=0.5)
    settings = RedisConnectionSettings.model_validate(found)
    async with RedisConnectionManager(settings, name="db.default") as manager:
        yield manager


async def _next(heard: Subscription) -> Publication | Gap:
    async with asyncio.timeout(10):
        return await anext(heard)


async def test_a_lost_connection_is_a_gap_between_what_was_heard(
    manager: RedisConnectionManager, sender: RedisConnectionManager, proxy: FaultProxy
) -> None:
    async with manager.subscribe("faults:news", patterns=["faults:all.*"]) as heard:
        await sender.execute("PUBLISH", "faults:news", "before")
        assert await _next(heard) == Publication("faults:news", b"before")
        await proxy.refuse()
        await sender.execute("PUBLISH", "faults:news", "missed")
        await proxy.passes()
        assert await _next(heard) == Gap()
        await sender.execute("PUBLISH", "faults:all.1", "after")
        assert await _next(heard) == Publication("faults:all.1", b"after", pattern="faults:all.*")


async def test_a_silent_network_is_noticed_by_the_heartbeat(
    manager: RedisConnectionManager, proxy: FaultProxy
) -> None:
    async with manager.subscribe("faults:news", heartbeat_seconds=HEARTBEAT_SECONDS) as heard:
        proxy.black_hole()
        async with asyncio.timeout(10):
            while heard.is_live:  # noqa: ASYNC110 - bounded, and nobody else tells
                await asyncio.sleep(0)
        await proxy.passes()
        assert await _next(heard) == Gap()


async def test_subscribing_through_a_silent_network_ends_at_the_deadline(
    manager: RedisConnectionManager, proxy: FaultProxy
) -> None:
    proxy.black_hole()
    with pytest.raises(DeadlineExceededError):
        async with manager.subscribe("faults:news"):
            pass
    assert "listener" not in {task.get_name() for task in asyncio.all_tasks()}
    await proxy.passes()


async def test_a_subscription_that_finds_no_server_says_so_and_is_not_its_own_cause(
    manager: RedisConnectionManager, proxy: FaultProxy
) -> None:
    await proxy.refuse()
    with pytest.raises(UnavailableError, match="no connection to redis at") as caught:
        async with manager.subscribe("faults:news"):
            pass
    assert caught.value.__cause__ is not caught.value
    await proxy.passes()


async def test_a_frozen_server_is_heard_again_once_it_thaws() -> None:
    with ValkeyServer() as server:
        settings = RedisConnectionSettings.model_validate(address(server.url, timeout_seconds=0.3))
        manager = RedisConnectionManager(settings, name="db.default")
        listening = manager.subscribe("news", heartbeat_seconds=HEARTBEAT_SECONDS)
        async with manager, listening as heard:
            server.freeze()
            try:
                with pytest.raises(OutcomeUnknownError):
                    await manager.execute("PUBLISH", "news", "lost")
                async with asyncio.timeout(10):
                    while heard.is_live:  # noqa: ASYNC110 - bounded, and nobody else tells
                        await asyncio.sleep(0)
            finally:
                server.thaw()
            assert await _next(heard) in {Gap(), Publication("news", b"lost")}
            await manager.execute("PUBLISH", "news", "after")
            after = Publication("news", b"after")
            while await _next(heard) != after:
                pass
