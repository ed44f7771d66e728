"""`@cached` around plain functions: in any thread, near the storage or through its event loop."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from loguru import logger

from infrastructure.cache import CacheEntryOptions, CacheService, cached
from infrastructure.cache.implementations.memory import InMemoryCacheProvider, MemoryCacheSettings
from infrastructure.errors import Category, ConfigurationError, UnavailableError
from tests.infrastructure.cache.node import Node


@pytest.fixture
def cache() -> CacheService:
    return CacheService("calls", provider=InMemoryCacheProvider(MemoryCacheSettings()))


@pytest.fixture
def shared() -> CacheService:
    storage = InMemoryCacheProvider(MemoryCacheSettings())
    return CacheService("calls", provider=Node(storage))


def test_a_sync_function_needs_no_event_loop_on_memory(cache: CacheService) -> None:
    asked = []

    @cached(cache, ttl=60)
    def square(number: int) -> list[int]:
        asked.append(number)
        return [number * number]

    square(3).append(0)
    assert square(3) == [9]
    assert asked == [3]
    assert asyncio.run(square.invalidate(3))


def test_threads_ask_once(cache: CacheService) -> None:
    asked, gate = [], threading.Event()

    @cached(cache, key="one")
    def one() -> int:
        asked.append(1)
        gate.wait(5)
        return 1

    with ThreadPoolExecutor(8) as pool:
        calls = [pool.submit(one) for _ in range(8)]
        gate.set()
        assert [call.result() for call in calls] == [1] * 8
    assert asked == [1]


def test_a_sync_functions_error_is_not_kept(cache: CacheService) -> None:
    answers: list[Any] = [LookupError("no"), 1]

    @cached(cache, key="one")
    def one() -> int:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return int(answer)

    with pytest.raises(LookupError):
        one()
    assert one() == 1


class Broken(InMemoryCacheProvider):
    """Answers nothing when it is asked for `what`."""

    what = ""

    def get_now(self, key: str) -> Any:
        return self._answer("get", super().get_now, key)

    def lease_now(self, key: str, seconds: float) -> str:
        return str(self._answer("lease", super().lease_now, key, seconds))

    def fill_now(self, key: str, value: Any, ttl_seconds: float, lease: str) -> bool:
        return bool(self._answer("fill", super().fill_now, key, value, ttl_seconds, lease))

    def _answer(self, operation: str, inner: Any, *args: Any) -> Any:
        if operation == self.what:
            raise UnavailableError("locked", where=self.name)
        return inner(*args)


@pytest.mark.parametrize("what", ["get", "lease", "fill"])
def test_a_sync_function_answers_when_the_cache_does_not(what: str) -> None:
    provider = Broken(MemoryCacheSettings())
    cache = CacheService("calls", provider=provider)
    provider.what = what

    @cached(cache, key="one")
    def one() -> int:
        return 1

    assert [one(), one()] == [1, 1]
    assert cache.fallbacks == {(what, Category.TRANSIENT): 2}


def test_what_ends_the_calling_thread_ends_no_thread_that_waits_for_it(
    cache: CacheService,
) -> None:
    asked, started, gate = [], threading.Event(), threading.Event()

    @cached(cache, key="one")
    def one() -> int:
        asked.append(1)
        if len(asked) > 1:
            return 1
        started.set()
        gate.wait(5)
        raise KeyboardInterrupt

    with ThreadPoolExecutor(2) as pool:
        leader = pool.submit(one)
        started.wait(5)
        follower = pool.submit(one)
        while cache.counts.misses < 2:
            pass
        gate.set()
        with pytest.raises(KeyboardInterrupt):
            leader.result(5)
        assert follower.result(5) == 1


def test_a_thread_that_asks_after_a_removal_joins_no_call_from_before(
    cache: CacheService,
) -> None:
    answers, started, gate = iter(["old", "new"]), threading.Event(), threading.Event()

    @cached(cache, key="one")
    def one() -> str:
        answer = next(answers)
        if answer == "old":
            started.set()
            gate.wait(5)
        return answer

    with ThreadPoolExecutor(1) as pool:
        before = pool.submit(one)
        started.wait(5)
        asyncio.run(one.invalidate())
        assert one() == "new"
        gate.set()
        assert [before.result(5), one()] == ["old", "new"]


def test_options_that_need_a_loop_are_refused_for_a_sync_function(cache: CacheService) -> None:
    @cached(cache, options=CacheEntryOptions(tags=("t",)))
    def one() -> int:
        return 1

    with pytest.raises(ConfigurationError, match="need a coroutine function"):
        one()


async def test_a_sync_function_goes_through_the_loop_of_a_shared_cache(
    shared: CacheService,
) -> None:
    threads = []

    @cached(shared)
    def square(number: int) -> int:
        threads.append(threading.current_thread())
        return number * number

    await shared.connect()
    assert [await asyncio.to_thread(square, 3) for _ in range(2)] == [9, 9]
    assert len(threads) == 1
    assert threads[0] is not threading.main_thread()
    assert await shared.get(square.key(3)) == 9


async def test_options_that_need_a_coroutine_are_refused_through_the_loop_too(
    shared: CacheService,
) -> None:
    @cached(shared, options=CacheEntryOptions(eager_refresh=0.5))
    def one() -> int:
        return 1

    await shared.connect()
    with pytest.raises(ConfigurationError, match="need a coroutine function"):
        await asyncio.to_thread(one)


async def test_its_error_comes_through_the_loop(shared: CacheService) -> None:
    @cached(shared, key="one")
    def one() -> int:
        raise LookupError("no such row")

    await shared.connect()
    with pytest.raises(LookupError, match="no such row"):
        await asyncio.to_thread(one)


async def test_a_sync_function_in_the_loops_own_thread_is_told(shared: CacheService) -> None:
    @cached(shared, key="one")
    def one() -> int:
        return 1

    await shared.connect()
    with pytest.raises(ConfigurationError, match=r"event loop's thread.*asyncio\.to_thread"):
        one()


def test_a_sync_function_without_a_loop_is_told(shared: CacheService) -> None:
    @cached(shared, key="one")
    def one() -> int:
        return 1

    with pytest.raises(ConfigurationError, match="no running event loop"):
        one()


def test_a_value_larger_than_allowed_is_given_and_not_kept(cache: CacheService) -> None:
    asked = []

    @cached(cache, key="one", options=CacheEntryOptions(max_value_bytes=100))
    def one() -> str:
        asked.append(1)
        return "x" * 200

    assert [one(), one()] == ["x" * 200] * 2
    assert (len(asked), cache.counts.unkept) == (2, 2)


def test_a_storage_that_answers_again_is_told_though_no_coroutine_asks_it() -> None:
    provider = Broken(MemoryCacheSettings())
    cache = CacheService("calls", provider=provider)
    lines: list[str] = []
    sink = logger.add(lambda line: lines.append(str(line)), format="{level} {message}")

    @cached(cache)
    def same(number: int) -> int:
        return number

    for number, what in enumerate(["get", "get", "", "", "lease", ""]):
        provider.what = what
        same(number)
    logger.remove(sink)
    assert [line.split()[0] for line in lines] == ["WARNING", "INFO"] * 2


def test_a_foreign_generation_is_replaced_without_a_loop() -> None:
    class Shared(InMemoryCacheProvider):
        is_shared = True

    provider = Shared(MemoryCacheSettings())
    provider.set_now("calls:generation", 7, 60)
    asked = []

    @cached(CacheService("calls", provider=provider), key="one")
    def one() -> int:
        asked.append(1)
        return 1

    assert [one(), one(), len(asked)] == [1, 1, 1]


class Ended(BaseException):
    """Ends the thread that meets it."""


async def test_a_thread_that_is_ended_leaves_nobody_waiting_for_its_call(
    shared: CacheService,
) -> None:
    started, gate = asyncio.Event(), threading.Event()
    loop = asyncio.get_running_loop()

    @cached(shared, key="one")
    def one() -> int:
        loop.call_soon_threadsafe(started.set)
        gate.wait(5)
        raise Ended

    await shared.connect()
    ended = asyncio.create_task(asyncio.to_thread(one))
    await started.wait()
    other = asyncio.create_task(shared.get_or_set("one", lambda: 2))
    await asyncio.sleep(0)
    gate.set()
    async with asyncio.timeout(5):
        with pytest.raises(UnavailableError, match="ended before it answered"):
            await other
        with pytest.raises(Ended):
            await ended
    assert await shared.get_or_set("one", lambda: 3) == 3
