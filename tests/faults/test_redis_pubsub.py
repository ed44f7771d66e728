"""Publications behind a network that misbehaves: what was missed is told."""

import asyncio

import pytest

from infrastructure.connections.database.redis import (
    Gap,
    RedisConnectionManager,
)
from infrastructure.connections.database.redis.pubsub import Publication, Subscription
from infrastructure.errors import DeadlineExceededError, OutcomeUnknownError, UnavailableError
from infrastructure.servers.valkey import ValkeyServer
from tests.faults.proxy import FaultProxy
from tests.redis import made_for

HEARTBEAT_SECONDS = 0.1


async def _next(heard: Subscription) -> Publication | Gap:
    async with asyncio.timeout(10):
        return await anext(heard)


async def test_a_lost_connection_is_a_gap_between_what_was_heard(
    far: RedisConnectionManager, near: RedisConnectionManager, valkey_proxy: FaultProxy
) -> None:
    async with far.subscribe("faults:news", patterns=["faults:all.*"]) as heard:
        await near.execute("PUBLISH", "faults:news", "before")
        assert await _next(heard) == Publication("faults:news", b"before")
        await valkey_proxy.refuse()
        await near.execute("PUBLISH", "faults:news", "missed")
        await valkey_proxy.passes()
        assert await _next(heard) == Gap()
        await near.execute("PUBLISH", "faults:all.1", "after")
        assert await _next(heard) == Publication("faults:all.1", b"after", pattern="faults:all.*")


async def test_a_silent_network_is_noticed_by_the_heartbeat(
    far: RedisConnectionManager, valkey_proxy: FaultProxy
) -> None:
    async with far.subscribe("faults:news", heartbeat_seconds=HEARTBEAT_SECONDS) as heard:
        valkey_proxy.black_hole()
        async with asyncio.timeout(10):
            while heard.is_live:  # noqa: ASYNC110 - bounded, and nobody else tells
                await asyncio.sleep(0)
        await valkey_proxy.passes()
        assert await _next(heard) == Gap()


async def test_subscribing_through_a_silent_network_ends_at_the_deadline(
    far: RedisConnectionManager, valkey_proxy: FaultProxy
) -> None:
    valkey_proxy.black_hole()
    with pytest.raises(DeadlineExceededError):
        async with far.subscribe("faults:news"):
            pass
    assert "listener" not in {task.get_name() for task in asyncio.all_tasks()}
    await valkey_proxy.passes()


async def test_a_subscription_that_finds_no_server_says_so_and_is_not_its_own_cause(
    far: RedisConnectionManager, valkey_proxy: FaultProxy
) -> None:
    await valkey_proxy.refuse()
    with pytest.raises(UnavailableError, match="no connection to redis at") as caught:
        async with far.subscribe("faults:news"):
            pass
    assert caught.value.__cause__ is not caught.value
    await valkey_proxy.passes()


async def test_a_frozen_server_is_heard_again_once_it_thaws() -> None:
    with ValkeyServer() as server:
        manager = made_for(server, timeout_seconds=0.2)
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
