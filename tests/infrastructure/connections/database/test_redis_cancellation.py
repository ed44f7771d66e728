"""Cut at any moment: no connection, task, lock, place in a queue or entry is left behind."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from infrastructure.connections.database.redis import RedisConnectionManager
from infrastructure.servers.base import LocalServer
from tests.redis import made_for

#: How often the event loop turned before; an answer takes about ten turns.
MOMENTS = range(0, 90, 2)


@pytest.fixture
async def manager(valkey: LocalServer) -> AsyncIterator[RedisConnectionManager]:
    async with made_for(valkey, max_connections=4) as manager:
        yield manager


async def _cut(work: Callable[[], Awaitable[None]], turns: int) -> None:
    working = asyncio.ensure_future(work())
    for _ in range(turns):
        await asyncio.sleep(0)
    working.cancel()
    await asyncio.wait((working,))


async def _settled(manager: RedisConnectionManager, tasks: set["asyncio.Task[object]"]) -> None:
    """Nothing is under way but what was before."""
    async with asyncio.timeout(5):
        while asyncio.all_tasks() - tasks:  # noqa: ASYNC110 - bounded, and nobody else tells
            await asyncio.sleep(0)
    assert manager.pool_stats().in_use == 0
    assert manager.drain.in_flight == 0
    assert not manager.guests._loops


async def test_a_lock_cut_at_any_moment_is_free_again(manager: RedisConnectionManager) -> None:
    name, tasks, tokens = f"cut-{secrets.token_hex(4)}", asyncio.all_tasks(), [0]

    async def work() -> None:
        async with manager.lock(name, lease_seconds=60) as lock:
            tokens.append(lock.token)
            await manager.execute("PING")

    for turns in MOMENTS:
        await _cut(work, turns)
        await _settled(manager, tasks)
        async with manager.lock(name, lease_seconds=60, wait_seconds=0) as lock:
            tokens.append(lock.token)
    assert tokens == sorted(set(tokens))
    assert len(tokens) > len(MOMENTS) + 1, "none came so far as to hold it"


async def test_a_wait_for_a_lock_cut_at_any_moment_leaves_no_place(
    manager: RedisConnectionManager,
) -> None:
    name, tasks = f"cut-{secrets.token_hex(4)}", asyncio.all_tasks()

    async def work() -> None:
        async with manager.lock(name):
            pytest.fail("somebody else has it")

    for turns in MOMENTS:
        async with manager.lock(name, lease_seconds=60):
            await _cut(work, turns)
        await _settled(manager, tasks)
        assert await manager.execute("ZCARD", f"{{{name}}}:lock:queue") == 0


async def test_a_reader_cut_at_any_moment_loses_no_entry(manager: RedisConnectionManager) -> None:
    stream, tasks = manager.stream(f"cut-{secrets.token_hex(4)}"), asyncio.all_tasks()
    done: set[str] = set()

    async def work() -> None:
        reader = stream.consumer("workers", lease_seconds=0.2, prefetch=2, max_deliveries=100)
        async with reader:
            async for message in reader:
                async with message:
                    await manager.execute("PING")
                done.add(message.id)

    published = set()
    for turns in MOMENTS:
        published |= {await stream.publish({"n": turns}) for _ in range(2)}
        await _cut(work, turns)
        await _settled(manager, tasks)
    last = asyncio.ensure_future(work())
    async with asyncio.timeout(20):
        while (await manager.execute("XPENDING", stream.name, "workers"))["pending"] or (
            await manager.execute("XINFO GROUPS", stream.name)
        )[0]["lag"]:
            pass
    last.cancel()
    await asyncio.wait((last,))
    await _settled(manager, tasks)
    assert await manager.execute("EXISTS", stream.dead_letters) == 0
    assert done <= published


async def test_a_subscription_cut_at_any_moment_leaves_no_listener(
    manager: RedisConnectionManager,
) -> None:
    tasks = asyncio.all_tasks()

    async def work() -> None:
        async with manager.subscribe("cut") as heard:
            await anext(heard)

    for turns in MOMENTS:
        await _cut(work, turns)
        await _settled(manager, tasks)
    async with asyncio.timeout(5):
        while (await manager.execute("PUBSUB", "NUMSUB", "cut"))[-1]:
            pass
