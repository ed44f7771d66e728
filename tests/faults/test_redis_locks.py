"""Locks behind a network that misbehaves: never two holders who both believe it."""

import asyncio

import pytest

from infrastructure.connections.database.redis import RedisConnectionManager
from infrastructure.connections.database.redis.lease import LeaseLostError
from infrastructure.errors import InfrastructureError
from infrastructure.servers.valkey import ValkeyServer
from tests.faults.proxy import FaultProxy
from tests.redis import made_for

LEASE_SECONDS = 0.3


@pytest.fixture(autouse=True)
async def free(near: RedisConnectionManager) -> None:
    await near.execute("DEL", "{faults}:lock", "{faults}:lock:queue", "{faults}:lock:waiting")


async def test_a_holder_that_hears_nothing_is_cut_before_another_holds(
    far: RedisConnectionManager, near: RedisConnectionManager, valkey_proxy: FaultProxy
) -> None:
    loop = asyncio.get_running_loop()

    async def hold() -> tuple[int, float]:
        try:
            async with far.lock("faults", lease_seconds=LEASE_SECONDS) as lock:
                valkey_proxy.black_hole()
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
    far: RedisConnectionManager, near: RedisConnectionManager, valkey_proxy: FaultProxy
) -> None:
    async with far.lock("faults", lease_seconds=0.9) as lock:
        first = int(await near.execute("HGET", "{faults}:lock", "until"))
        await valkey_proxy.drop_connections()
        async with asyncio.timeout(10):
            while int(await near.execute("HGET", "{faults}:lock", "until")) < first + 300_000:
                lock.check()


async def test_a_lock_that_was_granted_and_not_heard_of_is_given_back(
    far: RedisConnectionManager, near: RedisConnectionManager, valkey_proxy: FaultProxy
) -> None:
    valkey_proxy.delay(0.05)
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
    far: RedisConnectionManager, near: RedisConnectionManager, valkey_proxy: FaultProxy
) -> None:
    async with far.lock("faults"):
        pass
    valkey_proxy.reset_after(0)
    with pytest.raises(InfrastructureError):
        async with far.lock("faults", lease_seconds=LEASE_SECONDS):
            pass
    await valkey_proxy.passes()
    async with far.lock("faults") as lock:
        assert int(await near.execute("HGET", "{faults}:lock", "token")) == lock.token


async def test_a_holder_is_told_that_the_server_forgot_its_locks() -> None:
    with ValkeyServer() as server:
        async with made_for(server) as manager:
            with pytest.raises(LeaseLostError):
                async with manager.lock("faults", lease_seconds=30) as lock:
                    server.restart()
            async with manager.lock("faults") as second:
                assert second.token > lock.token


async def test_a_frozen_server_loses_the_lock_in_time_and_gives_it_again_once_it_thaws() -> None:
    with ValkeyServer() as server:
        async with made_for(server, timeout_seconds=0.2, connect_timeout_seconds=0.2) as manager:
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
