import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from infrastructure.cache import CacheEntryOptions, CacheService
from infrastructure.cache.base import BaseCacheProvider
from infrastructure.cache.implementations.memory import InMemoryCacheProvider, MemoryCacheSettings
from infrastructure.cache.implementations.redis import RedisCacheProvider, RedisCacheSettings
from infrastructure.errors import Category, ConflictError, UnavailableError, UnsupportedError
from infrastructure.servers.process import free_port
from tests.infrastructure.cache.node import Node


@pytest.fixture
def storage() -> InMemoryCacheProvider:
    return InMemoryCacheProvider(MemoryCacheSettings(ttl_seconds=77))


@pytest.fixture
def node(storage: InMemoryCacheProvider) -> Node:
    return Node(storage)


@pytest.fixture(params=["local", "shared"])
def provider(
    request: pytest.FixtureRequest, storage: InMemoryCacheProvider, node: Node
) -> BaseCacheProvider:
    return storage if request.param == "local" else node


@pytest.fixture
def cache(provider: BaseCacheProvider) -> CacheService:
    return CacheService("shop", provider=provider)


@pytest.fixture
def down() -> CacheService:
    settings = RedisCacheSettings(host="127.0.0.1", port=free_port())
    return CacheService("shop", provider=RedisCacheProvider(settings))


class Loader:
    """Counts its runs, and answers when it is let."""

    def __init__(self, answer: Any = 1, *, is_open: bool = True) -> None:
        self.runs = 0
        self.started = asyncio.Event()
        self.gate = asyncio.Event()
        self._answer = answer
        if is_open:
            self.gate.set()

    async def __call__(self) -> Any:
        self.runs += 1
        self.started.set()
        await self.gate.wait()
        if isinstance(self._answer, Exception):
            raise self._answer
        return self._answer


async def test_what_is_set_is_got(cache: CacheService) -> None:
    await cache.set("key", {"a": 1})
    assert await cache.get("key") == {"a": 1}


async def test_a_missing_key_gives_the_default(cache: CacheService) -> None:
    assert await cache.get("key") is None
    assert await cache.get("key", default=7) == 7


async def test_none_is_a_value_and_not_the_default(cache: CacheService) -> None:
    await cache.set("key", None)
    assert await cache.get("key", default=7) is None
    assert await cache.exists("key")


async def test_delete_says_whether_it_was_there(cache: CacheService) -> None:
    await cache.set("key", 1)
    assert [await cache.delete("key"), await cache.delete("key")] == [True, False]
    assert not await cache.exists("key")


async def test_many_are_set_got_and_deleted(cache: CacheService) -> None:
    await cache.set_many({"a": 1, "b": 2})
    assert await cache.get_many(["b", "x", "a", "b"], default=0) == [2, 0, 1, 2]
    assert await cache.delete_many(["a", "x"]) == 1


@pytest.mark.parametrize(
    ("default_ttl", "ttl", "expected"), [(None, None, 77), (10, None, 10), (10, 5, 5)]
)
async def test_a_lifetime_is_the_calls_or_the_services_or_the_settings(
    provider: BaseCacheProvider, default_ttl: float, ttl: float, expected: float
) -> None:
    cache = CacheService("shop", default_ttl, provider=provider)
    await cache.set("key", 1, ttl=ttl)
    assert await cache.ttl("key") == pytest.approx(expected, abs=1)


@pytest.mark.parametrize("ttl", [0, -1, float("nan"), float("inf"), True])
async def test_a_lifetime_that_is_not_above_zero_is_refused(
    cache: CacheService, ttl: float
) -> None:
    with pytest.raises(ValueError, match="lifetime"):
        await cache.set("key", 1, ttl=ttl)
    with pytest.raises(ValueError, match="lifetime"):
        CacheService("shop", default_ttl=ttl)


@pytest.mark.parametrize("namespace", ["", "a:b", "a b", "a*", "\u00fc", "a\n"])
def test_a_namespace_of_other_characters_is_refused(namespace: str) -> None:
    with pytest.raises(ValueError, match="namespace"):
        CacheService(namespace)


KEYED: list[Callable[[CacheService, Any], Any]] = [
    lambda cache, key: cache.get(key),
    lambda cache, key: cache.set(key, 1),
    lambda cache, key: cache.delete(key),
    lambda cache, key: cache.get_or_set(key, lambda: 1),
]


@pytest.mark.parametrize("call", KEYED)
@pytest.mark.parametrize("key", ["", "x" * 1025, "\ud800", 5, b"key"])
async def test_a_key_no_server_could_take_is_refused(
    cache: CacheService, key: Any, call: Callable[[CacheService, Any], Any]
) -> None:
    with pytest.raises((TypeError, ValueError), match="a cache key"):
        await call(cache, key)


async def test_one_key_in_the_place_of_several_is_refused(cache: CacheService) -> None:
    for call in (cache.get_many, cache.delete_many):
        with pytest.raises(TypeError, match=r"several .*\('user:1',\)"):
            await call("user:1")


async def test_only_whole_numbers_are_counted(cache: CacheService) -> None:
    with pytest.raises(TypeError, match="whole number"):
        await cache.incr("n", 1.5)  # type: ignore[arg-type]  # what a caller without a checker does
    assert await cache.get("n") is None


async def test_a_number_kept_with_options_says_why_it_cannot_be_counted(
    cache: CacheService,
) -> None:
    await cache.set("n", 5, options=CacheEntryOptions(tags=("t",)))
    with pytest.raises(ConflictError, match=r"'n' is kept with options.*Set it without"):
        await cache.incr("n")
    assert await cache.get("n") == 5


async def test_clear_empties_this_namespace_and_no_other(
    cache: CacheService, provider: BaseCacheProvider
) -> None:
    others = [CacheService(name, provider=provider) for name in ("shop2", "sho", "shop.x")]
    for service in [cache, *others]:
        await service.set("key", 1)
    await cache.clear()
    assert await cache.get("key") is None
    assert [await other.get("key") for other in others] == [1, 1, 1]


async def test_two_namespaces_never_see_each_other(
    cache: CacheService, provider: BaseCacheProvider
) -> None:
    await cache.set("key", 1)
    assert await CacheService("other", provider=provider).get("key") is None


async def test_the_loader_runs_once_and_its_answer_is_kept(cache: CacheService) -> None:
    loader = Loader({"a": (1, 2)})
    answers = [await cache.get_or_set("key", loader) for _ in range(3)]
    assert answers == [{"a": (1, 2)}] * 3
    assert loader.runs == 1


async def test_a_sync_loader_is_as_good(cache: CacheService) -> None:
    assert await cache.get_or_set("key", lambda: 5, ttl=9) == 5
    assert await cache.ttl("key") == pytest.approx(9, abs=1)


async def test_a_loader_that_gives_none_is_not_asked_again(cache: CacheService) -> None:
    loader = Loader(None)
    assert [await cache.get_or_set("key", loader) for _ in range(2)] == [None, None]
    assert loader.runs == 1


async def test_a_thousand_callers_share_one_run(cache: CacheService) -> None:
    loader = Loader(42, is_open=False)
    callers = [asyncio.create_task(cache.get_or_set("key", loader)) for _ in range(1000)]
    await loader.started.wait()
    loader.gate.set()
    assert await asyncio.gather(*callers) == [42] * 1000
    assert loader.runs == 1


async def test_a_caller_that_looked_before_the_value_was_kept_loads_nothing(
    storage: InMemoryCacheProvider,
) -> None:
    class LateMiss(Node):
        """Its first answer is a miss that arrives after another caller's fill."""

        async def lease(self, key: str, seconds: float) -> str:
            await CacheService("shop", provider=Node(self.storage)).set("key", "from another")
            return await super().lease(key, seconds)

    cache, loader = CacheService("shop", provider=LateMiss(storage)), Loader()
    assert await cache.get_or_set("key", loader) == "from another"
    assert loader.runs == 0


async def test_different_keys_do_not_wait_for_each_other(cache: CacheService) -> None:
    slow = Loader(1, is_open=False)
    waiting = asyncio.create_task(cache.get_or_set("slow", slow))
    await slow.started.wait()
    assert await cache.get_or_set("fast", Loader(2)) == 2
    slow.gate.set()
    assert await waiting == 1


async def test_a_cancelled_leader_fails_nobody(cache: CacheService) -> None:
    loader = Loader(7, is_open=False)
    leader = asyncio.create_task(cache.get_or_set("key", loader))
    await loader.started.wait()
    follower = asyncio.create_task(cache.get_or_set("key", loader))
    await _settled()
    leader.cancel()
    await _settled()
    loader.gate.set()
    assert await follower == 7
    assert (leader.cancelled(), loader.runs) == (True, 1)


async def test_a_loader_nobody_waits_for_is_cancelled_and_leaves_nothing(
    cache: CacheService,
) -> None:
    loader = Loader(7, is_open=False)
    caller = asyncio.create_task(cache.get_or_set("key", loader))
    await loader.started.wait()
    caller.cancel()
    await asyncio.gather(caller, return_exceptions=True)
    loader.gate.set()
    assert await cache.get_or_set("key", Loader(8)) == 8


async def test_the_loaders_exception_goes_to_all_and_is_not_kept(cache: CacheService) -> None:
    failing = Loader(LookupError("no such row"), is_open=False)
    callers = [asyncio.create_task(cache.get_or_set("key", failing)) for _ in range(3)]
    await failing.started.wait()
    failing.gate.set()
    errors = await asyncio.gather(*callers, return_exceptions=True)
    assert [type(error) for error in errors] == [LookupError] * 3
    assert await cache.get_or_set("key", Loader(1)) == 1


async def test_callers_of_one_flight_share_no_object(cache: CacheService) -> None:
    loader = Loader([1], is_open=False)
    callers = [asyncio.create_task(cache.get_or_set("key", loader)) for _ in range(2)]
    await loader.started.wait()
    loader.gate.set()
    first, second = await asyncio.gather(*callers)
    first.append(2)
    assert second == [1]
    assert await cache.get("key") == [1]


async def test_a_loaders_value_of_an_unknown_type_is_refused(cache: CacheService) -> None:
    with pytest.raises(UnsupportedError, match="object"):
        await cache.get_or_set("key", object)


async def test_when_the_cache_is_down_the_loader_answers_and_it_is_counted(
    down: CacheService,
) -> None:
    assert [await down.get_or_set("key", Loader(3)) for _ in range(2)] == [3, 3]
    assert down.fallbacks == {("get", Category.TRANSIENT): 2}


@pytest.mark.parametrize("operation", ["lease", "fill"])
async def test_when_the_cache_fails_later_the_loader_answers_all_the_same(
    node: Node, operation: str
) -> None:
    node.faults[operation] = UnavailableError("cannot serve now (READONLY)", where=node.name)
    cache = CacheService("shop", provider=node)
    assert await cache.get_or_set("key", Loader(3)) == 3
    assert cache.fallbacks == {(operation, Category.TRANSIENT): 1}


async def test_when_the_cache_is_down_single_flight_still_holds(node: Node) -> None:
    node.cut()
    cache, loader = CacheService("shop", provider=node), Loader(is_open=False)
    callers = [asyncio.create_task(cache.get_or_set("key", loader)) for _ in range(50)]
    await loader.started.wait()
    loader.gate.set()
    assert await asyncio.gather(*callers) == [1] * 50
    assert loader.runs == 1


@pytest.mark.parametrize(
    "call",
    [
        lambda cache: cache.get("key"),
        lambda cache: cache.set("key", 1),
        lambda cache: cache.delete("key"),
        lambda cache: cache.ttl("key"),
        lambda cache: cache.clear(),
    ],
)
async def test_when_the_cache_is_down_every_other_call_says_so(
    down: CacheService, call: Callable[[CacheService], Any]
) -> None:
    with pytest.raises(UnavailableError):
        await call(down)


async def test_it_connects_checks_and_disconnects_its_provider(
    cache: CacheService, provider: BaseCacheProvider
) -> None:
    assert not cache.is_healthy()
    async with cache:
        await cache.set("key", 1)
        assert (await cache.health_check()).is_up
        assert cache.is_healthy()
    assert not cache.is_healthy()


async def _settled() -> None:
    """Let every task that can go on do so."""
    for _ in range(10):
        await asyncio.sleep(0)
