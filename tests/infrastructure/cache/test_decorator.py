import asyncio
import enum
import inspect
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infrastructure.cache import CacheEntryOptions, CacheService, cached
from infrastructure.cache.call_keys import CallKeys, text_of
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


async def test_a_coroutine_function_is_asked_once(cache: CacheService) -> None:
    asked = []

    @cached(cache)
    async def square(number: int, *, of: str = "x") -> int:
        asked.append(number)
        return number * number

    assert [await square(3), await square(number=3), await square(3, of="x")] == [9, 9, 9]
    assert asked == [3]
    assert inspect.signature(square).parameters.keys() == {"number", "of"}
    assert asyncio.iscoroutinefunction(square)


async def test_none_is_an_answer(cache: CacheService) -> None:
    asked = []

    @cached(cache, key="none")
    async def nothing() -> None:
        asked.append(1)

    await nothing()
    await nothing()
    assert asked == [1]


async def test_a_thousand_callers_ask_once(cache: CacheService) -> None:
    asked, gate = [], asyncio.Event()

    @cached(cache, key="one")
    async def one() -> int:
        asked.append(1)
        await gate.wait()
        return 1

    callers = [asyncio.create_task(one()) for _ in range(1000)]
    await asyncio.sleep(0)
    gate.set()
    assert await asyncio.gather(*callers) == [1] * 1000
    assert asked == [1]


async def test_an_answer_can_be_forgotten(cache: CacheService) -> None:
    answers = iter(range(10))

    @cached(cache)
    async def count(name: str) -> int:
        return next(answers)

    assert [await count("a"), await count("b"), await count("a")] == [0, 1, 0]
    assert await count.invalidate("a")
    assert [await count("a"), await count("b")] == [2, 1]


async def test_a_template_names_the_key(cache: CacheService) -> None:
    @cached(cache, key="user:{user_id}", ttl=9)
    async def user(user_id: int, verbose: bool = False) -> int:
        return user_id

    await user(5, verbose=True)
    assert await cache.get("user:5") == 5
    assert await cache.ttl("user:5") == pytest.approx(9, abs=1)


async def test_a_function_may_make_the_key(cache: CacheService) -> None:
    @cached(cache, key=lambda request: f"path{request['path']}")
    async def page(request: dict[str, str]) -> str:
        return "page"

    assert page.key({"path": "/a"}) == "path/a"
    assert await page({"path": "/a"}) == "page"


class Users:
    def __init__(self, tenant: str) -> None:
        self.tenant = tenant

    def __cache_key__(self) -> str:
        return self.tenant


async def test_a_method_is_kept_for_each_key_of_its_instance(cache: CacheService) -> None:
    class Repository(Users):
        asked = 0

        @cached(cache)
        async def find(self, user_id: int) -> str:
            self.asked += 1
            return f"{self.tenant}/{user_id}"

    a, b = Repository("a"), Repository("b")
    assert [await a.find(1), await b.find(1), await a.find(1)] == ["a/1", "b/1", "a/1"]
    assert await a.find.invalidate(1)
    assert [await a.find(1), await b.find(1), a.asked, b.asked] == ["a/1", "b/1", 2, 1]


async def test_a_method_of_an_object_without_a_key_is_refused(cache: CacheService) -> None:
    class Repository:
        @cached(cache)
        async def find(self, user_id: int) -> int:
            return user_id

    with pytest.raises(TypeError, match=r"'self' holds a '.*Repository'.*Give `key=`"):
        await Repository().find(1)


def test_a_template_that_names_no_parameter_is_refused(cache: CacheService) -> None:
    with pytest.raises(ValueError, match=r"names 'user'.*parameters: user_id"):

        @cached(cache, key="user:{user}")
        def find(user_id: int) -> int:
            return user_id


def test_a_lifetime_below_zero_is_refused_where_it_is_written(cache: CacheService) -> None:
    with pytest.raises(ValueError, match="lifetime"):
        cached(cache, ttl=-1)


def test_a_generator_function_is_refused(cache: CacheService) -> None:
    def numbers() -> Any:
        yield 1

    with pytest.raises(TypeError, match="generator"):
        cached(cache)(numbers)


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


class Color(enum.Enum):
    RED = "r"


@pytest.mark.parametrize(
    "value",
    [
        *(1, True, 1.0, "1", b"1", Decimal(1), None, date(2026, 1, 2), UUID(int=1), Color.RED),
        *((1,), [1], {1}, {1: 1}, {"1": 1}, ("1",), ("1,1",), ("1", "1"), "", ()),
    ],
)
def test_the_text_of_a_value_is_its_own(value: Any) -> None:
    others = [1, True, 1.0, "1", b"1", None, (1,), [1], {1}, {1: 1}, {"1": 1}, ("1",)]
    same = [each for each in others if text_of(each) == text_of(value)]
    assert all(type(each) is type(value) and each == value for each in same)


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.tuples(inner, inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@given(_VALUES, _VALUES)
def test_two_values_have_one_text_only_when_they_are_one(first: Any, second: Any) -> None:
    is_same = text_of(first) == text_of(second)
    assert is_same == (repr(_ordered(first)) == repr(_ordered(second)))


def _ordered(value: Any) -> Any:
    if isinstance(value, dict):
        return ("dict", sorted(((key, _ordered(item)) for key, item in value.items()), key=repr))
    if isinstance(value, list):
        return [_ordered(item) for item in value]
    return tuple(map(_ordered, value)) if isinstance(value, tuple) else value


_FILLS = (
    st.sampled_from(["n", "b1", "%n", "%25", "1", "a", "-", "x-y", "%"])
    | st.text(max_size=4)
    | st.integers(-9, 9)
    | st.none()
    | st.booleans()
    | st.tuples(st.text(max_size=2))
)


@pytest.mark.parametrize(
    "template", ["k:{x}:{y}", "{x}-{y}", "{x}a.b{y}", "a{x}/%{y}", "{x}\u2014 {y}"]
)
@given(_FILLS, _FILLS, _FILLS, _FILLS)
def test_what_fills_a_template_cannot_be_taken_for_the_template(
    template: str, a: Any, b: Any, c: Any, d: Any
) -> None:
    def function(x: Any, y: Any) -> None: ...

    keys = CallKeys(function, template)
    is_same = [text_of(_written(each)) for each in (a, b)] == [
        text_of(_written(each)) for each in (c, d)
    ]
    assert (keys.of((a, b), {}) == keys.of((c, d), {})) == is_same


def _written(value: Any) -> Any:
    """A number and its text are one in a template."""
    return str(value) if type(value) is int else value


@pytest.mark.parametrize("template", ["user:{}", "{x}{y}", "{x}and{y}", "{x}%{y}", "{0}"])
def test_a_template_that_cannot_tell_arguments_apart_is_refused(template: str) -> None:
    def function(x: str, y: str) -> None: ...

    with pytest.raises(ValueError, match="key"):
        CallKeys(function, template)


def test_a_long_key_is_hashed_and_stays_readable_in_part() -> None:
    def function(x: str) -> None: ...

    keys = CallKeys(function, "page:{x}")
    first, second = keys.of(("a" * 5000,), {}), keys.of(("a" * 4999 + "b",), {})
    assert first != second
    assert first.startswith("page:aaa")
    assert len(first) < 200
