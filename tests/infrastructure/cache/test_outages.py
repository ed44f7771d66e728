"""A cache that does not answer: what goes on without it, and what waits for it."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence

import pytest
from loguru import logger

from infrastructure.cache import CacheEntryOptions, CacheService
from infrastructure.cache.implementations.memory import InMemoryCacheProvider, MemoryCacheSettings
from infrastructure.cache.pending import Pending
from infrastructure.errors import ConflictError, UnavailableError
from tests.infrastructure.cache.node import Node

TAGGED = CacheEntryOptions(tags=("t",))
Remove = Callable[[CacheService, str], Awaitable[object]]
REMOVALS: dict[str, Remove] = {
    "delete": lambda cache, then: cache.delete("key", on_failure=then),  # type: ignore[arg-type]  # one of the two words
    "clear": lambda cache, then: cache.clear(on_failure=then),  # type: ignore[arg-type]  # the same
    "tag": lambda cache, then: cache.remove_by_tag("t", on_failure=then),  # type: ignore[arg-type]  # the same
}


@pytest.fixture
def node() -> Node:
    return Node(InMemoryCacheProvider(MemoryCacheSettings()))


@pytest.fixture
def cache(node: Node) -> CacheService:
    return CacheService("shop", provider=node)


@pytest.fixture
def lines() -> Iterator[list[str]]:
    found: list[str] = []
    sink = logger.add(lambda line: found.append(str(line)), format="{level} {message}")
    yield found
    logger.remove(sink)


@pytest.mark.parametrize("removal", REMOVALS)
async def test_a_removal_that_cannot_be_sent_is_an_error(
    cache: CacheService, node: Node, removal: str
) -> None:
    await cache.set("key", 1, options=TAGGED)
    node.cut()
    with pytest.raises(UnavailableError):
        await REMOVALS[removal](cache, "raise")
    node.mend()
    assert await cache.get("key") == 1


@pytest.mark.parametrize("removal", REMOVALS)
async def test_a_queued_removal_is_sent_before_anything_is_served(
    cache: CacheService, node: Node, removal: str
) -> None:
    await cache.set("key", 1, options=TAGGED)
    node.cut()
    await REMOVALS[removal](cache, "queue")
    with pytest.raises(UnavailableError):
        await cache.get("key")
    node.mend()
    assert await cache.get("key") is None
    assert await CacheService("shop", provider=Node(node.storage)).get("key") is None


async def test_until_it_is_sent_the_loader_answers(cache: CacheService, node: Node) -> None:
    await cache.set("key", "old")
    node.cut()
    await cache.delete("key", on_failure="queue")
    node.mend()
    node.faults["delete_many"] = UnavailableError("no connection")
    assert await cache.get_or_set("key", lambda: "new") == "new"


async def test_a_set_after_a_queued_removal_stays(cache: CacheService, node: Node) -> None:
    await cache.set("key", "old")
    node.cut()
    await cache.delete("key", on_failure="queue")
    node.mend()
    await cache.set("key", "new")
    assert await cache.get("key") == "new"


async def test_more_removals_than_fit_become_one_of_the_namespace(
    cache: CacheService, node: Node
) -> None:
    space = cache.desk().space
    space.pending = Pending(space, most=3)
    await cache.set_many({str(number): number for number in range(10)})
    node.cut()
    for number in range(6):
        await cache.delete(str(number), on_failure="queue")
    assert len(space.pending) <= 3
    node.mend()
    assert await cache.get_many(["0", "9"]) == [None, None]
    assert len(space.pending) == 0


async def test_a_key_that_is_none_is_refused_and_never_queued(
    cache: CacheService, node: Node
) -> None:
    node.cut()
    await cache.delete("key", on_failure="queue")
    with pytest.raises(ValueError, match="key"):
        await cache.delete("", on_failure="queue")
    node.mend()
    assert await cache.get("key") is None


async def test_what_waits_is_sent_in_parts_each_of_which_fits_its_time(node: Node) -> None:
    class Slow(Node):
        async def delete_many(self, keys: Sequence[str]) -> int:
            if len(keys) > 1000:
                raise UnavailableError("no answer in time", where=self.name)
            return await super().delete_many(keys)

    keys = [str(number) for number in range(5000)]
    slow = Slow(node.storage)
    cache = CacheService("shop", provider=slow)
    await cache.set_many(dict.fromkeys(keys, 1))
    slow.cut()
    await cache.delete_many(keys, on_failure="queue")
    slow.mend()
    assert await cache.get_many(keys) == [None] * 5000


async def test_other_namespaces_lose_nothing_by_it(cache: CacheService, node: Node) -> None:
    other = CacheService("other", provider=node)
    await other.set("key", 1)
    node.cut()
    await cache.clear(on_failure="queue")
    node.mend()
    await cache.get("key")
    assert await other.get("key") == 1


async def test_down_and_up_are_logged_once_each(
    cache: CacheService, node: Node, lines: list[str]
) -> None:
    node.cut()
    for _ in range(5):
        await cache.get_or_set("key", lambda: 1)
    node.mend()
    for _ in range(5):
        await cache.get_or_set("key", lambda: 1)
    assert [line.split()[0] for line in lines] == ["WARNING", "INFO"]


async def test_a_loaded_value_that_no_storage_took_is_counted(
    cache: CacheService, node: Node
) -> None:
    node.cut()
    await cache.get_or_set("key", lambda: 1)
    assert (cache.counts.loads, cache.counts.unkept) == (1, 1)


async def test_a_callers_mistake_is_no_outage(
    cache: CacheService, node: Node, lines: list[str]
) -> None:
    await cache.set("key", "text")
    with pytest.raises(ConflictError):
        await cache.incr("key")
    assert lines == []


async def test_a_storage_that_goes_down_in_between_never_gives_an_old_value(
    cache: CacheService, node: Node
) -> None:
    await cache.set("key", "old")
    gate, started = asyncio.Event(), asyncio.Event()

    async def load() -> str:
        started.set()
        await gate.wait()
        return "new"

    await cache.delete("key")
    loading = asyncio.create_task(cache.get_or_set("key", load))
    await started.wait()
    node.cut()
    gate.set()
    assert await loading == "new"
    node.mend()
    assert await cache.get("key") is None
