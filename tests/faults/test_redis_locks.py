"""Locks behind a network that misbehaves: never two holders who both believe it."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from infrastructure.connections.database.redis import (
    RedisConnectionManager,
    RedisConnectionSettings,
)
from infrastructure.connections.database.redis.lease import LeaseLostError
from infrastructure.errors import InfrastructureError
from infrastructure.servers.base import LocalServer
from infrastructure.servers.valkey import ValkeyServer
from tests.faults.proxy import FaultProxy
from tests.redis_address import address

LEASE_SECONDS = 0.3


@pytest.fixture
async def proxy(valkey: LocalServer) -> AsyncIterator[FaultProxy]:
    server = address(valkey.url)
    async with FaultProxy(server["host"], server["port"]) as proxy:
        yield proxy


@pytest.fixture
async def near(valkey: LocalServer) -> AsyncIterator[RedisConnectionManager]:
    """Beside the proxy."""
    settings = RedisConnectionSettings.model_validate(address(valkey.url))
    async with RedisConnectionManager(settings, name="db.near") as near:
        await near.execute("DEL", "{faults}:lock", "{faults}:lock:queue", "{faults}:lock:waiting")
        yield near


@pytest.fixture
async def far(valkey: LocalServer, proxy: FaultProxy) -> AsyncIterator[RedisConnectionManager]:
    found = address(valkey.url, port=proxy.port, connect_timeout_seconds=1, timeout_seconds=1)
    settings = RedisConnectionSettings.model_validate(found)
    async with RedisConnectionManager(settings, name="db.far") as far:
        yield far
        await proxy.passes()


async def test_a_holder_that_hears_nothing_is_cut_before_another_holds(
    far: RedisConnectionManager, near: RedisConnectionManager, proxy: FaultProxy
) -> None:
    loop = asyncio.get_running_loop()

    async def hold() -> tuple[int, float]:
        try:
            async with far.lock("faults", lease_seconds=LEASE_SECONDS) as lock:
                proxy.black_hole()
                await asyncio.Event().wait()
        except LeaseLostError:
            return lock.token, loop.time()
        raise AssertionError

    holding = asyncio.create_task(hold())
    async with asyncio.timeout(10):
        while not await near.execute("HEXISTS", "{faults}:lock", "holder"):
            pass
    async with near.lock("faults") as second:
        taken_at = loop.time()
    token, cut_at = await holding
    assert cut_at <= taken_at
    assert second.token > token


async def test_a_short_outage_costs_no_lock(
    far: RedisConnectionManager, near: RedisConnectionManager, proxy: FaultProxy
) -> None:
    async with far.lock("faults", lease_seconds=0.9) as lock:
        first = int(await near.execute("HGET", "{faults}:lock", "until"))
        await proxy.drop_connections()
        async with asyncio.timeout(10):
            while int(await near.execute("HGET", "{faults}:lock", "until")) < first + 300_000:
                lock.check()


async def test_a_lock_that_was_granted_and_not_heard_of_is_given_back(
    far: RedisConnectionManager, near: RedisConnectionManager, proxy: FaultProxy
) -> None:
    proxy.delay(0.05)
    asking = asyncio.create_task(_held(far))
    async with asyncio.timeout(10):
        while not await near.execute("HEXISTS", "{faults}:lock", "holder"):
            pass
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    async with near.lock("faults", lease_seconds=60, wait_seconds=5):
        pass


async def _held(manager: RedisConnectionManager) -> None:
    async with manager.lock("faults", lease_seconds=60):
        raise AssertionError


async def test_a_lost_answer_to_the_request_is_asked_for_again_and_is_one_lock(
    far: RedisConnectionManager, near: RedisConnectionManager, proxy: FaultProxy
) -> None:
    async with far.lock("faults"):
        pass
    proxy.reset_after(0)
    with pytest.raises(InfrastructureError):
        async with far.lock("faults", lease_seconds=LEASE_SECONDS):
            pass
    await proxy.passes()
    async with far.lock("faults") as lock:
        assert int(await near.execute("HGET", "{faults}:lock", "token")) == lock.token


async def test_a_holder_is_told_that_the_server_forgot_its_locks() -> None:
    with ValkeyServer() as server:
        settings = RedisConnectionSettings.model_validate(address(server.url))
        async with RedisConnectionManager(settings, name="db.default") as manager:
            with pytest.raises(LeaseLostError):
                async with manager.lock("faults", lease_seconds=30) as lock:
                    server.restart()
            async with manager.lock("faults") as second:
                assert second.token > lock.token


async def test_a_frozen_server_loses_the_lock_in_time_and_gives_it_again_once_it_thaws() -> None:
    with ValkeyServer() as server:
        found = address(server.url, timeout_seconds=0.2, connect_timeout_seconds=0.2)
        settings = RedisConnectionSettings.model_validate(found)
        async with RedisConnectionManager(settings, name="db.default") as manager:
            started = asyncio.get_running_loop().time()
            try:
                with pytest.raises(LeaseLostError):
                    async with manager.lock("faults", lease_seconds=LEASE_SECONDS):
                        server.freeze()
                        await asyncio.Event().wait()
                assert asyncio.get_running_loop().time() - started < LEASE_SECONDS + 0.5
            finally:
                server.thaw()
            async with manager.lock("faults"):
                pass
