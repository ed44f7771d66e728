"""Loads that end before they begin, and changes by who has an old copy of the generation."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from infrastructure.cache import CacheEntryOptions, CacheService
from infrastructure.cache.implementations.memory import InMemoryCacheProvider, MemoryCacheSettings
from infrastructure.cache.implementations.tiered import TieredCacheProvider, TieredCacheSettings
from infrastructure.cache.waiting import Timing
from infrastructure.resilience.clock import ManualClock
from tests.infrastructure.cache.node import Node


async def test_a_refresh_that_never_began_can_be_begun_again() -> None:
    clock = ManualClock(jumps=False)
    storage = InMemoryCacheProvider(MemoryCacheSettings(), clock=clock.now)
    cache = CacheService("shop", provider=Node(storage), timing=Timing(clock, clock.now))
    options = CacheEntryOptions(ttl_seconds=10, eager_refresh=0.5)
    await cache.set("key", "old", options=options)
    clock.advance(6)
    await cache.get_or_set("key", lambda: "new", options=options)
    await cache.disconnect()
    assert await cache.get_or_set("key", lambda: "new", options=options) == "old"
    await clock.pass_time(0)
    assert await cache.get("key") == "new"


async def test_who_waits_for_a_slow_loader_gets_the_stale_value_when_the_cache_closes() -> None:
    clock = ManualClock(jumps=False)
    storage = InMemoryCacheProvider(MemoryCacheSettings(), clock=clock.now)
    cache = CacheService("shop", provider=storage, timing=Timing(clock, clock.now))
    options = CacheEntryOptions(ttl_seconds=10, fail_safe_seconds=60, loader_soft_timeout_seconds=5)
    await cache.set("key", "old", options=options)
    clock.advance(11)
    loader: Callable[[], Any] = asyncio.Event().wait
    waiting = asyncio.create_task(cache.get_or_set("key", loader, options=options))
    await clock.pass_time(1)
    await cache.disconnect()
    assert await waiting == "old"


async def stubborn(gate: asyncio.Event) -> str:
    """Ends when it is let, and not when it is cancelled."""
    while not gate.is_set():
        try:
            await gate.wait()
        except asyncio.CancelledError:
            continue
    return "new"


async def test_a_refresh_that_ignores_its_cancellation_holds_up_no_closing() -> None:
    clock, gate = ManualClock(jumps=False), asyncio.Event()
    storage = InMemoryCacheProvider(MemoryCacheSettings(), clock=clock.now)
    cache = CacheService("shop", provider=Node(storage), timing=Timing(clock, clock.now))
    options = CacheEntryOptions(ttl_seconds=10, eager_refresh=0.5)
    await cache.set("key", "old", options=options)
    clock.advance(6)
    await cache.get_or_set("key", lambda: stubborn(gate), options=options)
    await clock.pass_time(0)
    closing = asyncio.create_task(cache.disconnect())
    await clock.pass_time(2)
    is_closed = closing.done()
    gate.set()
    await closing
    assert is_closed


async def test_a_refresh_for_which_there_is_no_room_is_counted() -> None:
    clock, gate = ManualClock(jumps=False), asyncio.Event()
    storage = InMemoryCacheProvider(MemoryCacheSettings(), clock=clock.now)
    cache = CacheService("shop", provider=storage, timing=Timing(clock, clock.now))
    options = CacheEntryOptions(ttl_seconds=10, eager_refresh=0.5)
    await cache.set_many({str(number): "old" for number in range(260)}, options=options)
    clock.advance(6)
    loader: Callable[[], Any] = gate.wait
    for number in range(260):
        assert await cache.get_or_set(str(number), loader, options=options) == "old"
    assert cache.counts.refreshes_refused == 4
    await cache.disconnect()


CHANGES: dict[str, Callable[[CacheService], Awaitable[object]]] = {
    "delete": lambda cache: cache.delete("key"),
    "incr": lambda cache: cache.incr("key", 10),
}


@pytest.mark.parametrize("change", CHANGES)
async def test_a_copy_of_the_generation_leads_no_change_astray(change: str) -> None:
    storage = InMemoryCacheProvider(MemoryCacheSettings())
    tiered = TieredCacheProvider(TieredCacheSettings(far=MemoryCacheSettings()))
    tiered.far, tiered.is_shared, tiered._near_seconds = Node(storage), True, 60
    here = CacheService("shop", provider=tiered)
    there = CacheService("shop", provider=Node(storage))
    await here.set("key", 1)
    assert await here.get("key") == 1
    await there.clear()
    await there.set("key", 2)
    await CHANGES[change](here)
    assert await there.get("key") == (None if change == "delete" else 12)
