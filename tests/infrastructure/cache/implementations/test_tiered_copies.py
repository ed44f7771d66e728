"""Copies of what other processes change, where nothing tells of it."""

import asyncio

import pytest

from infrastructure.cache import CacheEntryOptions, CacheService
from infrastructure.cache.backplane import Backplane, Changed
from infrastructure.cache.base import MISSING
from infrastructure.cache.implementations.memory import InMemoryCacheProvider, MemoryCacheSettings
from infrastructure.cache.implementations.tiered import TieredCacheProvider, TieredCacheSettings
from tests.infrastructure.cache.node import Node


class Deaf(Backplane):
    """Says that it hears, and hears nothing."""

    is_live = True

    def start(self, changed: Changed) -> None:
        self.changed = changed

    async def wait_live(self) -> None: ...

    async def stop(self) -> None: ...


class Telling(Node):
    """A far cache with such a backplane."""

    def backplane(self) -> Backplane:
        return Deaf()


@pytest.fixture
def storage() -> InMemoryCacheProvider:
    return InMemoryCacheProvider(MemoryCacheSettings())


def over(far: Node) -> TieredCacheProvider:
    tiered = TieredCacheProvider(
        TieredCacheSettings(far=MemoryCacheSettings(), near_ttl_seconds=60)
    )
    tiered.far, tiered.is_shared, tiered._backplane = far, True, far.backplane()
    return tiered


@pytest.fixture
def here(storage: InMemoryCacheProvider) -> CacheService:
    return CacheService("shop", provider=over(Node(storage)))


@pytest.fixture
def there(storage: InMemoryCacheProvider) -> CacheService:
    return CacheService("shop", provider=Node(storage))


async def test_own_writes_are_found_after_the_others_clear(
    here: CacheService, there: CacheService
) -> None:
    await here.set("key", "old")
    assert await here.get("key") == "old"
    await there.clear()
    await here.set("key", "new")
    assert [await here.get("key"), await there.get("key")] == ["new", "new"]


async def test_a_stale_copy_of_what_is_deleted_is_not_stored_again(
    here: CacheService, there: CacheService
) -> None:
    def failing() -> None:
        raise OSError("down")

    options = CacheEntryOptions(ttl_seconds=0.001, fail_safe_seconds=60)
    await here.set("key", "old", options=options)
    await asyncio.sleep(0.002)
    assert await here.get("key") is None
    assert await there.delete("key")
    with pytest.raises(OSError, match="down"):
        await here.get_or_set("key", failing, options=options)
    assert await there.get("key") is None


async def test_who_only_wrote_closes_the_far_cache_too(storage: InMemoryCacheProvider) -> None:
    far = Node(storage)
    tiered = over(far)
    await tiered.set("key", 1, 60)
    assert far._loop is not None
    await tiered.disconnect()
    assert [each._loop for each in (far, tiered)] == [None, None]


def test_no_copy_is_served_in_another_event_loop_before_it_listens_there(
    storage: InMemoryCacheProvider,
) -> None:
    tiered = over(Telling(storage))

    async def found() -> object:
        return await tiered.get("key")

    storage.set_now("key", "old", 60)
    for value in ("old", "new"):
        storage.set_now("key", value, 60)
        loop = asyncio.new_event_loop()  # which ends without a word to who listens in it
        assert loop.run_until_complete(found()) == value
        loop.close()


async def test_a_copy_lives_no_longer_because_the_answer_came_late(
    storage: InMemoryCacheProvider,
) -> None:
    far = Node(storage)
    tiered, now = over(far), 0.0
    tiered._clock = tiered.near._clock = lambda: now

    async def late() -> None:
        nonlocal now
        now += 5

    await tiered.set("key", 1, 4)
    far.after["ttl"] = late
    assert await tiered.get("key") == 1
    assert tiered.near.get_now("key") is MISSING
