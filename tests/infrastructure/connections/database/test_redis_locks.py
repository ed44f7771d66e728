"""Locks: one holder at a time, told when it is not one any more."""

import asyncio
import math

import pytest

from infrastructure.connections.database.redis import RedisConnectionManager
from infrastructure.connections.database.redis.lease import Lease, LeaseLostError
from infrastructure.errors import (
    ConfigurationError,
    OverloadedError,
    UnavailableError,
    UnsupportedError,
)
from infrastructure.observability.telemetry import hook
from infrastructure.servers.base import LocalServer
from tests.faults.proxy import FaultProxy
from tests.infrastructure.stores import Follower
from tests.redis import made, made_for
from tests.redis_address import address

KEY = "{orders}:lock"
NOWHERE = {"host": "127.0.0.1", "port": 1}


@pytest.fixture(autouse=True)
async def free(redis: RedisConnectionManager) -> None:
    await redis.execute("DEL", KEY, f"{KEY}:queue", f"{KEY}:waiting")


async def _queued(redis: RedisConnectionManager, count: int) -> None:
    async with asyncio.timeout(5):
        while await redis.execute("ZCARD", f"{KEY}:queue") != count:
            pass


async def test_one_at_a_time_holds_a_lock(redis: RedisConnectionManager) -> None:
    inside, most = 0, 0

    async def work() -> None:
        nonlocal inside, most
        async with redis.lock("orders"):
            inside += 1
            most = max(most, inside)
            await redis.execute("PING")
            inside -= 1

    await asyncio.gather(*(work() for _ in range(10)))
    assert most == 1


async def test_tokens_rise_from_holder_to_holder(redis: RedisConnectionManager) -> None:
    tokens = []
    for _ in range(20):
        async with redis.lock("orders") as lock:
            assert lock.is_held
            tokens.append(lock.token)
    assert tokens == sorted(set(tokens))


async def test_tokens_rise_even_when_the_server_lost_its_data(
    redis: RedisConnectionManager,
) -> None:
    async with redis.lock("orders") as first:
        pass
    await redis.execute("DEL", KEY)
    async with redis.lock("orders") as second:
        assert second.token > first.token


async def test_who_waited_is_served_in_order(redis: RedisConnectionManager) -> None:
    served: list[int] = []

    async def work(number: int) -> None:
        async with redis.lock("orders"):
            served.append(number)

    async with redis.lock("orders"):
        waiting = []
        for number in range(4):
            waiting.append(asyncio.create_task(work(number)))
            await _queued(redis, number + 1)
    await asyncio.gather(*waiting)
    assert served == [0, 1, 2, 3]


async def test_nobody_passes_those_who_wait(redis: RedisConnectionManager) -> None:
    async with redis.lock("orders"):
        waiting = asyncio.create_task(_held_once(redis))
        await _queued(redis, 1)
    with pytest.raises(OverloadedError):
        async with redis.lock("orders", wait_seconds=0):
            pass
    await waiting


async def _held_once(redis: RedisConnectionManager) -> None:
    async with redis.lock("orders"):
        pass


async def test_a_wait_is_bounded_and_leaves_no_place_in_the_queue(
    redis: RedisConnectionManager,
) -> None:
    async with redis.lock("orders"):
        with pytest.raises(OverloadedError, match=r"db\.default: lock 'orders' was not had within"):
            async with redis.lock("orders", wait_seconds=0.05):
                pass
        await _queued(redis, 0)


async def test_a_cancelled_wait_leaves_no_place_in_the_queue(
    redis: RedisConnectionManager,
) -> None:
    async with redis.lock("orders"):
        waiting = asyncio.create_task(_held_once(redis))
        await _queued(redis, 1)
        waiting.cancel()
        await _queued(redis, 0)


async def test_a_long_body_keeps_its_lock(redis: RedisConnectionManager) -> None:
    async with redis.lock("orders", lease_seconds=0.3) as lock:
        first = int(await redis.execute("HGET", KEY, "until"))
        async with asyncio.timeout(5):
            while int(await redis.execute("HGET", KEY, "until")) < first + 300_000:
                lock.check()


async def test_a_holder_whose_lock_was_taken_is_cut(redis: RedisConnectionManager) -> None:
    with pytest.raises(LeaseLostError, match=r"db\.default: lock 'orders' was not held to the end"):
        async with redis.lock("orders", lease_seconds=0.3) as lock:
            await redis.execute("HSET", KEY, "holder", "somebody")
            try:
                await asyncio.Event().wait()
            finally:
                assert not lock.is_held
                with pytest.raises(LeaseLostError):
                    lock.check()


async def test_a_body_that_ends_after_its_lock_was_taken_is_told(
    redis: RedisConnectionManager,
) -> None:
    with pytest.raises(LeaseLostError):
        async with redis.lock("orders"):
            await redis.execute("HSET", KEY, "holder", "somebody")
    assert await redis.execute("HGET", KEY, "holder") == b"somebody"


async def test_the_error_of_the_body_is_the_error(redis: RedisConnectionManager) -> None:
    with pytest.raises(TimeoutError, match="of the body"):
        async with redis.lock("orders"):
            raise TimeoutError("of the body")
    assert await redis.execute("HEXISTS", KEY, "holder") == 0


async def test_a_cancelled_body_gives_its_lock_back(redis: RedisConnectionManager) -> None:
    entered = asyncio.Event()

    async def work() -> None:
        async with redis.lock("orders"):
            entered.set()
            await asyncio.Event().wait()

    working = asyncio.create_task(work())
    await entered.wait()
    working.cancel()
    with pytest.raises(asyncio.CancelledError):
        await working
    async with redis.lock("orders", wait_seconds=0):
        pass


async def test_the_wait_for_a_lock_is_observed_and_not_the_body(
    redis: RedisConnectionManager,
) -> None:
    follower = Follower()
    hook.listen(follower)
    try:
        async with redis.lock("orders"):
            assert follower.told == ["db.default.lock", "ok"]
        with pytest.raises(OverloadedError):
            async with redis.lock("orders"), redis.lock("orders", wait_seconds=0):
                pass
    finally:
        hook.leave(follower)
    assert follower.told[-2:] == ["db.default.lock", "OverloadedError"]


async def test_closing_the_connection_cuts_the_holder_and_stays_closed(valkey: LocalServer) -> None:
    manager, entered = made_for(valkey), asyncio.Event()

    async def work() -> None:
        async with manager.lock("closing"):
            entered.set()
            await asyncio.Event().wait()

    working = asyncio.create_task(work())
    await entered.wait()
    await manager.disconnect()
    with pytest.raises(LeaseLostError):
        await working
    assert manager.loop is None


async def test_a_lock_that_cannot_be_had_says_why() -> None:
    manager = made(NOWHERE)
    with pytest.raises(UnavailableError):
        async with manager.lock("orders"):
            pass
    with pytest.raises(ConfigurationError, match="lease_seconds"):
        manager.lock("orders", lease_seconds=0)
    with pytest.raises(UnsupportedError, match="braces"):
        async with manager.lock("a}b"):
            pass


@pytest.mark.parametrize("seconds", [-1, math.nan, math.inf, 1e300])
async def test_times_that_are_none_are_refused(seconds: float) -> None:
    manager = made(NOWHERE)
    with pytest.raises(ConfigurationError, match=r"db\.default: lease_seconds"):
        manager.lock("orders", lease_seconds=seconds)


@pytest.mark.parametrize("seconds", [-1, math.nan])
async def test_a_wait_that_is_none_is_refused(seconds: float) -> None:
    with pytest.raises(ConfigurationError, match=r"db\.default: wait_seconds"):
        async with made(NOWHERE).lock("orders", wait_seconds=seconds):
            pass


async def test_what_is_lost_stays_lost_when_an_answer_comes_late() -> None:
    lease = Lease(60, "lock 'orders'", "db.default")
    lease.renew(asyncio.get_running_loop().time())
    with pytest.raises(LeaseLostError):
        async with lease.guarding():
            lease.lose()
            lease.renew(asyncio.get_running_loop().time())
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            pytest.fail("it was not cut")


async def test_a_lock_granted_while_the_connection_is_closed_is_cut_and_stays_closed(
    valkey: LocalServer,
) -> None:
    server = address(valkey.url)
    async with FaultProxy(server["host"], server["port"]) as proxy:
        manager = made_for(valkey, port=proxy.port, drain_timeout_seconds=1)
        async with manager.lock("granted"):
            pass
        proxy.delay(0.1)
        entered = asyncio.Event()

        async def work() -> None:
            async with manager.lock("granted", lease_seconds=0.6):
                entered.set()
                await asyncio.Event().wait()

        working = asyncio.create_task(work())
        async with asyncio.timeout(5):
            while not manager.drain.in_flight:  # noqa: ASYNC110 - bounded, and nobody else tells
                await asyncio.sleep(0)
            await manager.disconnect()
            assert entered.is_set()
            with pytest.raises(LeaseLostError):
                await working
        assert manager.loop is None


async def test_every_shape_of_servers_has_locks(redis_of_many: RedisConnectionManager) -> None:
    async with redis_of_many.lock("orders"):
        with pytest.raises(OverloadedError):
            async with redis_of_many.lock("orders", wait_seconds=0):
                pass
