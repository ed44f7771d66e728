"""What comes between two steps of a load or a removal."""

import asyncio
from typing import Any

import pytest

from infrastructure.cache import CacheEntryOptions, CacheService, LoadContext
from infrastructure.cache.base import MISSING
from infrastructure.cache.implementations.memory import InMemoryCacheProvider, MemoryCacheSettings
from infrastructure.cache.waiting import Timing
from infrastructure.errors import DeadlineExceededError, UnavailableError
from infrastructure.resilience.clock import ManualClock
from tests.infrastructure.cache.node import Node

SAFE = CacheEntryOptions(ttl_seconds=10, fail_safe_seconds=100, fail_safe_throttle_seconds=5)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(jumps=False)


@pytest.fixture
def storage(clock: ManualClock) -> InMemoryCacheProvider:
    return InMemoryCacheProvider(MemoryCacheSettings(), clock=clock.now)


@pytest.fixture
def node(storage: InMemoryCacheProvider) -> Node:
    return Node(storage)


@pytest.fixture
def cache(node: Node, clock: ManualClock) -> CacheService:
    return CacheService("shop", provider=node, timing=Timing(clock, clock.now, lambda: 0.5))


@pytest.fixture
def there(storage: InMemoryCacheProvider, clock: ManualClock) -> CacheService:
    timing = Timing(clock, clock.now, lambda: 0.5)
    return CacheService("shop", provider=Node(storage), timing=timing)


async def failing() -> Any:
    raise OSError("down")


@pytest.mark.parametrize("step", ["lease", "get_many"])
async def test_what_was_deleted_before_the_right_to_load_came_is_not_stored_again(
    cache: CacheService, there: CacheService, node: Node, clock: ManualClock, step: str
) -> None:
    await cache.set("key", "old", options=SAFE)
    clock.advance(11)
    hooks = node.before if step == "lease" else node.after
    hooks[step] = lambda: there.delete("key")
    with pytest.raises(OSError, match="down"):
        await cache.get_or_set("key", failing, options=SAFE)
    assert [await cache.get("key"), await there.get("key")] == [None, None]


async def test_in_one_process_neither(storage: InMemoryCacheProvider, clock: ManualClock) -> None:
    cache = CacheService("shop", provider=storage, timing=Timing(clock, clock.now))
    await cache.set("key", "old", options=SAFE)
    clock.advance(11)
    loading = asyncio.create_task(cache.get_or_set("key", failing, options=SAFE))
    await asyncio.sleep(0)
    await cache.delete("key")
    await asyncio.gather(loading, return_exceptions=True)
    assert await cache.get("key") is None


async def test_a_deleted_entry_is_not_refreshed_behind(
    cache: CacheService, there: CacheService, node: Node, clock: ManualClock
) -> None:
    options = CacheEntryOptions(ttl_seconds=10, eager_refresh=0.5)
    await cache.set("key", "old", options=options)
    clock.advance(6)
    node.before["lease"] = lambda: there.delete("key")
    assert await cache.get_or_set("key", lambda: "again", options=options) == "old"
    await clock.pass_time(1)
    assert await there.get("key") is None


async def test_a_tag_removed_while_its_first_version_is_made_removes_the_load_too(
    cache: CacheService, there: CacheService, node: Node
) -> None:
    async def load(context: LoadContext) -> str:
        context.tags = ("new",)
        node.before["add"] = lambda: there.remove_by_tag("new")
        return "loaded before"

    await cache.get_or_set("key", load)
    assert await cache.get("key") is None


async def test_who_changes_the_stale_value_changes_not_what_is_given(
    cache: CacheService, clock: ManualClock
) -> None:
    def load(context: LoadContext) -> Any:
        context.stale.append(2)
        raise OSError("down")

    await cache.set("key", [1], options=SAFE)
    clock.advance(11)
    assert await cache.get_or_set("key", load, options=SAFE) == [1]
    assert await cache.get("key") == [1]


async def test_after_a_failed_load_an_eager_one_waits_as_well(
    cache: CacheService, clock: ManualClock
) -> None:
    options = SAFE.model_copy(update={"eager_refresh": 0.5})
    asked = []

    def load() -> Any:
        asked.append(1)
        raise OSError("down")

    await cache.set("key", 1, options=options)
    clock.advance(11)
    for _ in range(4):
        assert await cache.get_or_set("key", load, options=options) == 1
        await clock.pass_time(1)
    assert asked == [1]


async def test_a_removal_queued_while_another_of_its_key_is_sent_waits_on(
    cache: CacheService, there: CacheService, node: Node
) -> None:
    await cache.set("key", 1)
    node.cut()
    await cache.delete("key", on_failure="queue")
    node.mend()

    async def set_and_delete_again() -> None:
        await there.set("key", "set by another")
        node.cut()
        await cache.delete("key", on_failure="queue")
        node.mend()

    node.after["delete_many"] = set_and_delete_again
    await cache.get("key")
    assert await cache.get("key") is None
    assert await there.get("key") is None


async def test_a_loader_cancelled_from_within_has_failed_and_cancels_nobody(
    cache: CacheService, clock: ManualClock
) -> None:
    async def load() -> Any:
        raise asyncio.CancelledError

    with pytest.raises(UnavailableError, match="was cancelled from within"):
        await cache.get_or_set("key", load)
    await cache.set("key", 1, options=SAFE)
    clock.advance(11)
    assert await cache.get_or_set("key", load, options=SAFE) == 1


async def test_a_loader_that_ignores_its_cancellation_holds_nobody(
    cache: CacheService, clock: ManualClock
) -> None:
    options = CacheEntryOptions(loader_hard_timeout_seconds=2)
    gate = asyncio.Event()

    async def stubborn() -> None:
        while not gate.is_set():
            try:
                await gate.wait()
            except asyncio.CancelledError:
                continue

    caller = asyncio.create_task(cache.get_or_set("key", stubborn, options=options))
    await clock.pass_time(10)
    assert caller.done()
    with pytest.raises(DeadlineExceededError):
        await caller
    gate.set()
    await clock.pass_time(0)


async def test_an_answer_that_could_not_be_stored_holds_up_nobody(
    cache: CacheService, there: CacheService, node: Node
) -> None:
    node.faults["fill"] = UnavailableError("too slow", where=node.name)
    assert await cache.get_or_set("key", lambda: 1) == 1
    assert await there.get_or_set("key", lambda: 2) == 2


class Fatal(BaseException):
    """No Exception, and no cancellation."""


async def test_whatever_a_loader_raises_its_right_to_load_is_given_back(
    cache: CacheService,
) -> None:
    async def load() -> Any:
        raise Fatal

    with pytest.raises(Fatal):
        await cache.get_or_set("key", load)
    assert await cache.get_or_set("key", lambda: 1) == 1


async def test_cancelled_at_any_step_a_load_leaves_nothing_behind(
    storage: InMemoryCacheProvider, clock: ManualClock
) -> None:
    async def load(context: LoadContext) -> str:
        await asyncio.sleep(0)
        context.tags = ("x",)
        return "value"

    for step in range(60):
        node = Node(storage)
        cache = CacheService(f"n{step}", provider=node, timing=Timing(clock, clock.now))
        loading = asyncio.create_task(cache.get_or_set("key", load, options=SAFE))
        for _ in range(step):
            await asyncio.sleep(0)
        loading.cancel()
        await asyncio.gather(loading, return_exceptions=True)
        await clock.pass_time(0)
        assert await cache.get_or_set("key", lambda: "value") == "value"
        assert storage.lease_now(cache.desk().space.known("key"), 1)
        assert len(asyncio.all_tasks()) == 1


@pytest.mark.parametrize("soft", [None, 1.0])
async def test_a_load_that_outlives_its_cache_leaves_the_storage_alone(
    cache: CacheService, node: Node, clock: ManualClock, soft: float | None
) -> None:
    options = SAFE.model_copy(update={"loader_soft_timeout_seconds": soft})
    gate = asyncio.Event()

    async def load() -> str:
        await gate.wait()
        return "new"

    await cache.set("key", "old", options=options)
    clock.advance(11)
    loading = asyncio.create_task(cache.get_or_set("key", load, options=options))
    await clock.pass_time(2)
    await cache.disconnect()
    node.calls.clear()
    gate.set()
    await clock.pass_time(1)
    assert await loading == ("old" if soft else "new")
    assert node.calls == []
    assert node.storage.lease_now(cache.desk().space.known("key"), 1)


async def test_of_values_set_together_none_does_not_shorten_the_others(
    cache: CacheService, clock: ManualClock
) -> None:
    options = CacheEntryOptions(ttl_seconds=60, negative_ttl_seconds=3)
    await cache.set_many({"some": 1, "none": None}, options=options)
    clock.advance(4)
    assert await cache.get_many(["some", "none"], default=MISSING) == [1, MISSING]


async def test_values_set_together_do_not_end_together(node: Node, clock: ManualClock) -> None:
    chances = iter([0.0, 0.9])
    timing = Timing(clock, clock.now, lambda: next(chances))
    cache = CacheService("shop", provider=node, timing=timing)
    await cache.set_many({"a": 1, "b": 2}, options=CacheEntryOptions(ttl_seconds=10, jitter=0.5))
    assert [await cache.ttl("a"), await cache.ttl("b")] == [pytest.approx(10), pytest.approx(5.5)]


@pytest.mark.parametrize("tags", ["books", ("",), (7,), ("x" * 257,)])
async def test_tags_that_are_no_names_are_refused(cache: CacheService, tags: Any) -> None:
    def load(context: LoadContext) -> int:
        context.tags = tags
        return 1

    with pytest.raises((TypeError, ValueError), match="tag"):
        await cache.get_or_set("key", load)
    with pytest.raises((TypeError, ValueError), match="tag"):
        await cache.remove_by_tag(*([""] if tags == "books" else tags))


async def test_a_number_is_counted_from_zero_where_none_may_be_given(
    cache: CacheService, clock: ManualClock
) -> None:
    await cache.set("tagged", 5, options=CacheEntryOptions(tags=("t",)))
    await cache.set("stale", 5, options=SAFE)
    await cache.remove_by_tag("t")
    clock.advance(11)
    assert [await cache.incr("tagged", 2), await cache.incr("stale", 3)] == [2, 3]
    assert [await cache.incr("tagged"), await cache.incr("stale")] == [3, 4]


class Refusing(InMemoryCacheProvider):
    """A storage of this process that a policy keeps from removing."""

    async def delete_many(self, keys: Any) -> int:
        raise UnavailableError("refused", where=self.name)


async def test_in_one_process_a_removal_that_is_refused_is_made_all_the_same() -> None:
    cache = CacheService("shop", provider=Refusing(MemoryCacheSettings()))
    options = CacheEntryOptions(tags=("t",))
    await cache.set("key", 1)
    await cache.delete("key", on_failure="queue")
    assert await cache.get("key") is None
    await cache.set("key", 2, options=options)
    await cache.remove_by_tag("t", on_failure="queue")
    assert await cache.get_or_set("key", lambda: 3) == 3
