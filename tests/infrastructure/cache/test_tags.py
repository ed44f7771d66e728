"""Entries removed together."""

import asyncio

import pytest

from infrastructure.cache import CacheEntryOptions, CacheService, LoadContext
from infrastructure.cache.base import BaseCacheProvider
from infrastructure.cache.implementations.memory import InMemoryCacheProvider, MemoryCacheSettings
from tests.infrastructure.cache.node import Node

TAGGED = CacheEntryOptions(tags=("books", "shop"))


@pytest.fixture(params=["local", "shared"])
def provider(request: pytest.FixtureRequest) -> BaseCacheProvider:
    storage = InMemoryCacheProvider(MemoryCacheSettings())
    return storage if request.param == "local" else Node(storage)


@pytest.fixture
def cache(provider: BaseCacheProvider) -> CacheService:
    return CacheService("shop", provider=provider)


async def test_a_tag_removes_every_entry_that_has_it_and_no_other(cache: CacheService) -> None:
    await cache.set("a", 1, options=TAGGED)
    await cache.get_or_set("b", lambda: [2], options=TAGGED)
    await cache.set("c", 3, options=CacheEntryOptions(tags=("films",)))
    await cache.set("d", 4)
    assert await cache.get_many(["a", "b", "c", "d"]) == [1, [2], 3, 4]
    await cache.remove_by_tag("books")
    assert await cache.get_many(["a", "b", "c", "d"]) == [None, None, 3, 4]
    assert [await cache.exists("a"), await cache.ttl("b")] == [False, None]


async def test_an_entry_set_after_the_removal_stays(cache: CacheService) -> None:
    await cache.set("a", 1, options=TAGGED)
    await cache.remove_by_tag("shop")
    await cache.set("a", 2, options=TAGGED)
    assert await cache.get("a") == 2


async def test_a_tag_of_another_namespace_removes_nothing_here(
    cache: CacheService, provider: BaseCacheProvider
) -> None:
    await cache.set("a", 1, options=TAGGED)
    await CacheService("other", provider=provider).remove_by_tag("books")
    assert await cache.get("a") == 1


async def test_what_was_loading_when_its_tag_went_is_not_found(cache: CacheService) -> None:
    started, gate = asyncio.Event(), asyncio.Event()

    async def load() -> int:
        started.set()
        await gate.wait()
        return 1

    loading = asyncio.create_task(cache.get_or_set("a", load, options=TAGGED))
    await started.wait()
    await cache.remove_by_tag("books")
    gate.set()
    assert await loading == 1
    assert await cache.get("a") is None


async def test_a_loader_may_add_tags(cache: CacheService) -> None:
    def load(context: LoadContext) -> int:
        context.tags = (*context.tags, "author:7")
        return 1

    await cache.get_or_set("a", load, options=TAGGED)
    assert await cache.get("a") == 1
    await cache.remove_by_tag("author:7")
    assert await cache.get("a") is None


async def test_a_tag_the_loader_adds_that_went_meanwhile_keeps_nothing(
    cache: CacheService,
) -> None:
    async def load(context: LoadContext) -> int:
        await cache.remove_by_tag("author:7")
        context.tags = ("author:7",)
        return 1

    assert await cache.get_or_set("a", load) == 1
    assert await cache.get("a") is None


async def test_a_lost_marker_is_a_miss(cache: CacheService, provider: BaseCacheProvider) -> None:
    await cache.set("a", 1, options=TAGGED)
    await provider.delete_many(["shop:tag:books"])
    assert await cache.get("a") is None


async def test_a_stale_value_whose_tag_went_is_never_given(cache: CacheService) -> None:
    options = CacheEntryOptions(tags=("books",), fail_safe_seconds=100)

    def failing() -> None:
        raise OSError("down")

    await cache.set("a", 1, options=options)
    await cache.remove_by_tag("books")
    with pytest.raises(OSError, match="down"):
        await cache.get_or_set("a", failing, options=options)


async def test_a_tagged_hit_takes_one_read() -> None:
    node = Node(InMemoryCacheProvider(MemoryCacheSettings()))
    cache = CacheService("shop", provider=node)
    await cache.get_or_set("a", lambda: 1, options=TAGGED)
    node.calls.clear()
    await cache.get_or_set("a", lambda: 2, options=TAGGED)
    assert node.calls == ["get_many"]
