"""One namespace used by several processes, each a node on one storage."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from infrastructure.cache import CacheService
from infrastructure.cache.implementations.memory import InMemoryCacheProvider, MemoryCacheSettings
from infrastructure.cache.spaces import SharedSpace
from infrastructure.cache.waiting import Timing
from infrastructure.resilience.clock import ManualClock
from tests.infrastructure.cache.node import Node


@pytest.fixture
def storage() -> InMemoryCacheProvider:
    return InMemoryCacheProvider(MemoryCacheSettings())


@pytest.fixture
def here(storage: InMemoryCacheProvider) -> CacheService:
    return CacheService("shop", provider=Node(storage), timing=Timing(ManualClock()))


@pytest.fixture
def there(storage: InMemoryCacheProvider) -> CacheService:
    return CacheService("shop", provider=Node(storage), timing=Timing(ManualClock()))


async def test_what_one_process_clears_the_other_does_not_find(
    here: CacheService, there: CacheService
) -> None:
    await here.set_many({"a": 1, "b": 2})
    assert await there.get_many(["a", "b"]) == [1, 2]
    await there.clear()
    assert await here.get_many(["a", "b"]) == [None, None]
    assert await here.ttl("a") is None
    assert not await here.exists("a")


async def test_a_set_after_the_others_clear_is_found_by_both(
    here: CacheService, there: CacheService
) -> None:
    await here.set("key", 1)
    await there.clear()
    await there.set("key", 2)
    await here.set("key", 3)
    assert [await here.get("key"), await there.get("key")] == [3, 3]


async def test_a_delete_after_the_others_clear_deletes_the_new_value(
    here: CacheService, there: CacheService
) -> None:
    await here.set("key", 1)
    await there.clear()
    await there.set("key", 2)
    assert await here.delete("key")
    assert await there.get("key") is None


async def test_a_count_after_the_others_clear_begins_anew(
    here: CacheService, there: CacheService
) -> None:
    assert await here.incr("n", 5) == 5
    await there.clear()
    assert await here.incr("n", 2) == 2
    assert await there.incr("n") == 3


async def test_a_lost_generation_is_a_miss_and_never_an_old_value(
    here: CacheService, storage: InMemoryCacheProvider
) -> None:
    await here.set("key", 1)
    storage.delete_now("shop:generation")
    assert await here.get("key") is None
    await here.set("key", 2)
    assert await here.get("key") == 2


async def test_a_foreign_generation_is_replaced(
    here: CacheService, there: CacheService, storage: InMemoryCacheProvider
) -> None:
    storage.set_now("shop:generation", 7, 60)
    await here.set("key", 1)
    assert await there.get("key") == 1


async def test_processes_that_begin_at_once_agree(storage: InMemoryCacheProvider) -> None:
    nodes = [CacheService("shop", provider=Node(storage)) for _ in range(10)]
    await asyncio.gather(*(node.set(str(n), n) for n, node in enumerate(nodes)))
    assert await nodes[0].get_many([str(n) for n in range(10)]) == list(range(10))


async def test_a_read_takes_the_generation_and_its_values_in_one_go(
    here: CacheService,
) -> None:
    await here.set("key", 1)
    node = here.provider
    assert isinstance(node, Node)
    node.calls.clear()
    await here.get("key")
    await here.get_many([str(number) for number in range(100)])
    assert node.calls == ["get_many", "get_many"]


async def test_a_hundred_gets_of_one_turn_are_one_read(here: CacheService) -> None:
    await here.set_many({str(number): number for number in range(100)})
    node = here.provider
    assert isinstance(node, Node)
    node.calls.clear()
    assert await asyncio.gather(*(here.get(str(n)) for n in range(100))) == list(range(100))
    assert node.calls == ["get_many"]


async def test_one_process_loads_and_the_others_get_its_value(
    storage: InMemoryCacheProvider,
) -> None:
    runs, gate, started = [], asyncio.Event(), asyncio.Event()

    async def load() -> dict[str, int]:
        runs.append(1)
        started.set()
        await gate.wait()
        return {"a": 1}

    clock = ManualClock(jumps=False)
    nodes = [CacheService("shop", provider=Node(storage), timing=Timing(clock)) for _ in range(4)]
    callers = [asyncio.create_task(each.get_or_set("key", load)) for each in nodes * 5]
    await started.wait()
    await clock.pass_time(1)
    gate.set()
    await clock.pass_time(1)
    assert await asyncio.gather(*callers) == [{"a": 1}] * 20
    assert len(runs) == 1


async def test_when_the_loading_process_dies_another_loads_after_its_lease() -> None:
    clock = ManualClock()
    storage = InMemoryCacheProvider(MemoryCacheSettings(), clock=clock.now)
    cache = CacheService("shop", provider=Node(storage), timing=Timing(clock))
    await cache.set("other", 1)
    await storage.lease(cache.desk().space.known("key"), 30)
    assert await cache.get_or_set("key", lambda: 5) == 5
    assert await cache.get("key") == 5
    assert clock.now() == pytest.approx(30, abs=0.3)


@pytest.mark.parametrize("change", ["set", "delete", "clear", "incr"])
async def test_a_load_does_not_cover_what_came_while_it_ran(
    here: CacheService, there: CacheService, change: str
) -> None:
    started, gate = asyncio.Event(), asyncio.Event()

    async def load() -> str:
        started.set()
        await gate.wait()
        return "loaded before"

    loading = asyncio.create_task(here.get_or_set("key", load))
    await started.wait()
    changes: dict[str, Callable[[], Awaitable[object]]] = {
        "set": lambda: there.set("key", 1),
        "delete": lambda: there.delete("key"),
        "clear": there.clear,
        "incr": lambda: there.incr("key"),
    }
    await changes[change]()
    gate.set()
    assert await loading == "loaded before"
    assert await here.get("key") == await there.get("key") != "loaded before"


@pytest.mark.parametrize("change", ["delete", "clear"])
async def test_who_asks_after_a_removal_joins_no_load_from_before(
    here: CacheService, change: str
) -> None:
    started, gate = asyncio.Event(), asyncio.Event()

    async def old() -> str:
        started.set()
        await gate.wait()
        return "old"

    loading = asyncio.create_task(here.get_or_set("key", old))
    await started.wait()
    await (here.delete("key") if change == "delete" else here.clear())
    assert await here.get_or_set("key", lambda: "new") == "new"
    gate.set()
    assert await loading == "old"
    assert await here.get("key") == "new"


async def test_glob_characters_in_keys_and_tags_are_data(
    here: CacheService, there: CacheService
) -> None:
    for key in ("a*", "a?", "[a]", "a", "\\"):
        await here.set(key, key)
    await there.delete("a*")
    assert await here.get_many(["a*", "a?", "[a]", "a", "\\"]) == [None, "a?", "[a]", "a", "\\"]


async def test_a_caller_of_a_joined_read_shares_no_object(here: CacheService) -> None:
    await here.set("key", [1])
    first, second = await asyncio.gather(here.get("key"), here.get("key"))
    first.append(2)
    assert second == [1]


def test_one_key_is_never_another_namespaces(storage: InMemoryCacheProvider) -> None:
    async def found() -> list[Any]:
        node = Node(storage)
        a, b = CacheService("a", provider=node), CacheService("a.b", provider=node)
        await a.set("b:c", 1)
        await b.set("c", 2)
        return [await a.get("b:c"), await b.get("c"), await a.get("c")]

    assert asyncio.run(found()) == [1, 2, None]


class Watched(SharedSpace):
    """Notes whether another thread could ever see a generation with the keys of the one before."""

    torn = False

    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, value)
        if name == "_token" and value:
            self.torn |= value not in self.prefix


async def test_no_thread_reads_old_keys_under_a_new_generation(
    storage: InMemoryCacheProvider,
) -> None:
    node = Node(storage)
    space = node.spaces["shop"] = Watched(node, "shop")
    cache = CacheService("shop", provider=node)
    for number in range(3):
        await cache.set("key", number)
        await cache.clear()
    assert await cache.get("key") is None
    assert not space.torn
