"""What options make of `get_or_set`."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from loguru import logger

from infrastructure.cache import NOT_MODIFIED, CacheEntryOptions, CacheService, LoadContext
from infrastructure.cache.base import MISSING, BaseCacheProvider
from infrastructure.cache.implementations.memory import InMemoryCacheProvider, MemoryCacheSettings
from infrastructure.cache.waiting import Timing
from infrastructure.errors import ConfigurationError, DeadlineExceededError, UnsupportedError
from infrastructure.resilience.clock import ManualClock
from tests.infrastructure.cache.node import Node

SAFE = CacheEntryOptions(ttl_seconds=10, fail_safe_seconds=100, fail_safe_throttle_seconds=5)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(jumps=False)


@pytest.fixture(params=["local", "shared"])
def provider(request: pytest.FixtureRequest, clock: ManualClock) -> BaseCacheProvider:
    storage = InMemoryCacheProvider(MemoryCacheSettings(), clock=clock.now)
    return storage if request.param == "local" else Node(storage)


@pytest.fixture
def cache(provider: BaseCacheProvider, clock: ManualClock) -> CacheService:
    return CacheService("shop", provider=provider, timing=Timing(clock, clock.now, lambda: 0.5))


@pytest.fixture
def lines() -> Iterator[list[str]]:
    found: list[str] = []
    sink = logger.add(lambda line: found.append(str(line)), format="{level} {message}")
    yield found
    logger.remove(sink)


class Source:
    """Answers what it is told to, or raises it, and counts how often it was asked."""

    def __init__(self, answer: Any = 1) -> None:
        self.answer = answer
        self.asked = 0
        self.gate = asyncio.Event()
        self.gate.set()

    async def __call__(self) -> Any:
        self.asked += 1
        await self.gate.wait()
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


async def test_a_failing_loader_gives_the_stale_value(
    cache: CacheService, clock: ManualClock
) -> None:
    source = Source([1])
    await cache.get_or_set("key", source, options=SAFE)
    clock.advance(11)
    assert await cache.get("key") is None
    source.answer = OSError("down")
    assert await cache.get_or_set("key", source, options=SAFE) == [1]
    assert cache.counts.stale_answers == 1


async def test_a_failing_loader_is_not_asked_again_for_a_while(
    cache: CacheService, clock: ManualClock
) -> None:
    source = Source()
    await cache.get_or_set("key", source, options=SAFE)
    clock.advance(11)
    source.answer = OSError("down")
    for _ in range(3):
        assert await cache.get_or_set("key", source, options=SAFE) == 1
    assert source.asked == 2
    clock.advance(6)
    assert await cache.get_or_set("key", source, options=SAFE) == 1
    assert source.asked == 3


async def test_a_stale_value_is_given_no_longer_than_asked(
    cache: CacheService, clock: ManualClock
) -> None:
    source = Source()
    await cache.get_or_set("key", source, options=SAFE)
    source.answer = OSError("down")
    for _ in range(10):
        clock.advance(10)
        await cache.get_or_set("key", source, options=SAFE)
    clock.advance(11)
    with pytest.raises(OSError, match="down"):
        await cache.get_or_set("key", source, options=SAFE)


async def test_without_fail_safe_the_error_is_the_callers(cache: CacheService) -> None:
    with pytest.raises(LookupError):
        await cache.get_or_set("key", Source(LookupError()))
    assert cache.counts.load_failures == 1


async def test_a_failing_loader_is_logged_once_a_change(
    cache: CacheService, clock: ManualClock, lines: list[str]
) -> None:
    source = Source()
    await cache.get_or_set("key", source, options=SAFE)
    for answer in (OSError("down"), OSError("down"), 2):
        clock.advance(11)
        source.answer = answer
        await cache.get_or_set("key", source, options=SAFE)
    assert [line.split()[0] for line in lines] == ["WARNING", "INFO"]


async def test_a_hit_late_in_its_lifetime_is_loaded_anew_behind(
    cache: CacheService, clock: ManualClock
) -> None:
    options = CacheEntryOptions(ttl_seconds=10, eager_refresh=0.8)
    source = Source(1)
    await cache.get_or_set("key", source, options=options)
    clock.advance(9)
    source.answer = 2
    hits = [await cache.get_or_set("key", source, options=options) for _ in range(5)]
    await clock.pass_time(0)
    assert hits[0] == 1
    assert await cache.get_or_set("key", source, options=options) == 2
    assert source.asked == 2
    clock.advance(9)
    assert await cache.get("key") == 2


async def test_a_failing_eager_refresh_leaves_the_value_and_is_throttled(
    cache: CacheService, clock: ManualClock
) -> None:
    options = CacheEntryOptions(ttl_seconds=100, eager_refresh=0.5, fail_safe_throttle_seconds=30)
    source = Source(1)
    await cache.get_or_set("key", source, options=options)
    clock.advance(60)
    source.answer = OSError("down")
    for _ in range(5):
        assert await cache.get_or_set("key", source, options=options) == 1
        await clock.pass_time(1)
    assert source.asked == 2


async def test_a_slow_loader_goes_on_behind_the_stale_value(
    cache: CacheService, clock: ManualClock
) -> None:
    options = SAFE.model_copy(update={"loader_soft_timeout_seconds": 1.0})
    source = Source(1)
    await cache.get_or_set("key", source, options=options)
    clock.advance(11)
    source.answer = 2
    source.gate.clear()
    caller = asyncio.create_task(cache.get_or_set("key", source, options=options))
    await clock.pass_time(1)
    assert await caller == 1
    source.gate.set()
    await clock.pass_time(0)
    assert await cache.get("key") == 2
    assert source.asked == 2


async def test_without_a_stale_value_the_soft_timeout_says_nothing(
    cache: CacheService, clock: ManualClock
) -> None:
    options = SAFE.model_copy(update={"loader_soft_timeout_seconds": 1.0})
    source = Source(1)
    source.gate.clear()
    caller = asyncio.create_task(cache.get_or_set("key", source, options=options))
    await clock.pass_time(5)
    assert not caller.done()
    source.gate.set()
    assert await caller == 1


async def test_a_loader_over_its_hard_timeout_is_cancelled_and_has_failed(
    cache: CacheService, clock: ManualClock
) -> None:
    options = CacheEntryOptions(loader_hard_timeout_seconds=2)
    ended = []

    async def endless() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(True)

    caller = asyncio.create_task(cache.get_or_set("key", endless, options=options))
    await clock.pass_time(2)
    with pytest.raises(DeadlineExceededError, match="2 s"):
        await caller
    assert ended == [True]


async def test_over_the_hard_timeout_the_stale_value_is_given(
    cache: CacheService, clock: ManualClock
) -> None:
    options = SAFE.model_copy(update={"loader_hard_timeout_seconds": 2.0})
    source = Source(1)
    await cache.get_or_set("key", source, options=options)
    clock.advance(11)
    source.gate.clear()
    caller = asyncio.create_task(cache.get_or_set("key", source, options=options))
    await clock.pass_time(2)
    assert await caller == 1


async def test_none_may_live_shorter(cache: CacheService) -> None:
    options = CacheEntryOptions(ttl_seconds=60, negative_ttl_seconds=3)
    await cache.get_or_set("none", lambda: None, options=options)
    await cache.get_or_set("some", lambda: 1, options=options)
    assert await cache.ttl("none") == pytest.approx(3, abs=0.1)
    assert await cache.ttl("some") == pytest.approx(60, abs=0.1)


async def test_jitter_makes_a_lifetime_shorter_and_never_longer(cache: CacheService) -> None:
    await cache.get_or_set("key", lambda: 1, options=CacheEntryOptions(ttl_seconds=60, jitter=0.2))
    assert await cache.ttl("key") == pytest.approx(54, abs=0.1)


async def test_a_loader_may_change_its_lifetime(cache: CacheService) -> None:
    def load(context: LoadContext) -> str:
        context.ttl_seconds = 7
        return context.key

    assert await cache.get_or_set("key", load) == "key"
    assert await cache.ttl("key") == pytest.approx(7, abs=0.1)


async def test_a_loader_with_defaults_alone_is_called_without_arguments(
    cache: CacheService,
) -> None:
    assert await cache.get_or_set("key", lambda number=5: number) == 5


async def test_a_loader_may_say_that_its_value_is_not_to_be_kept(cache: CacheService) -> None:
    def load(context: LoadContext) -> int:
        context.is_kept = False
        return 1

    assert await cache.get_or_set("key", load) == 1
    assert await cache.get_or_set("key", lambda: 2) == 2


async def test_a_source_that_has_not_changed_renews_the_stale_value(
    cache: CacheService, clock: ManualClock
) -> None:
    seen = []

    def load(context: LoadContext) -> Any:
        seen.append((context.etag, context.stale))
        if context.etag == "v1":
            return NOT_MODIFIED
        context.etag = "v1"
        return [1]

    await cache.get_or_set("key", load, options=SAFE)
    clock.advance(11)
    assert await cache.get_or_set("key", load, options=SAFE) == [1]
    assert await cache.get("key") == [1]
    assert seen == [(None, MISSING), ("v1", [1])]


async def test_a_new_value_has_not_the_version_of_the_one_before(
    cache: CacheService, clock: ManualClock
) -> None:
    answers = iter([("v1", [1]), (None, [2]), (None, [3])])
    shown = []

    def load(context: LoadContext) -> Any:
        shown.append(context.etag)
        etag, value = next(answers)
        context.etag = etag or context.etag
        return value

    for _ in range(3):
        await cache.get_or_set("key", load, options=SAFE)
        clock.advance(11)
    assert shown == [None, "v1", None]


async def test_not_modified_without_a_value_is_the_loaders_mistake(cache: CacheService) -> None:
    with pytest.raises(ValueError, match="NOT_MODIFIED"):
        await cache.get_or_set("key", lambda: NOT_MODIFIED)


async def test_a_value_larger_than_allowed_is_given_and_not_kept(cache: CacheService) -> None:
    options = CacheEntryOptions(max_value_bytes=100)
    assert await cache.get_or_set("key", lambda: "x" * 200, options=options) == "x" * 200
    assert await cache.get("key") is None
    assert cache.counts.unkept == 1
    with pytest.raises(UnsupportedError, match="more than 100 bytes"):
        await cache.set("key", "x" * 200, options=options)


async def test_an_unknown_name_of_options_is_told(cache: CacheService) -> None:
    with pytest.raises(ConfigurationError, match=r"no entry options 'hot'.*Known: none"):
        await cache.get_or_set("key", lambda: 1, options="hot")


async def test_a_tuple_that_looks_like_a_record_is_a_value(cache: CacheService) -> None:
    value = ("\x00switchgear.entry.1", 2, 3.0, 4.0, 5.0, None, ())
    await cache.set("key", value)
    assert await cache.get("key") == value
    await cache.set("key", value[:2])
    assert await cache.get("key") == value[:2]


async def test_expire_moves_the_end_of_an_entry_with_options(
    cache: CacheService, clock: ManualClock
) -> None:
    await cache.set("key", [1], options=SAFE)
    assert await cache.expire("key", 50)
    assert await cache.ttl("key") == pytest.approx(50, abs=0.1)
    clock.advance(40)
    assert await cache.get("key") == [1]
    assert not await cache.expire("never", 50)


async def test_closing_ends_what_goes_on_behind(cache: CacheService, clock: ManualClock) -> None:
    options = CacheEntryOptions(ttl_seconds=10, eager_refresh=0.5)
    source = Source(1)
    await cache.get_or_set("key", source, options=options)
    clock.advance(6)
    source.gate.clear()
    await cache.get_or_set("key", source, options=options)
    await clock.pass_time(0)
    await cache.disconnect()
    assert [task for task in asyncio.all_tasks() if task is not asyncio.current_task()] == []


async def test_what_happened_is_measured(cache: CacheService) -> None:
    await cache.get_or_set("key", lambda: 1)
    await cache.get("key")
    found = {each.name: each.value for each in cache.measurements()}
    assert found["switchgear.cache.hits"] == 1
    assert found["switchgear.cache.misses"] == 1
    assert found["switchgear.cache.loads"] == 1
