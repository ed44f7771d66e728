"""`@cached` around coroutine functions and methods, and what it refuses."""

import asyncio
import inspect
from typing import Any

import pytest

from infrastructure.cache import CacheService, cached
from infrastructure.cache.implementations.memory import InMemoryCacheProvider, MemoryCacheSettings


@pytest.fixture
def cache() -> CacheService:
    return CacheService("calls", provider=InMemoryCacheProvider(MemoryCacheSettings()))


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
