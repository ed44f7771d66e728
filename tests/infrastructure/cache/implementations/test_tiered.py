"""A cache in this process in front of another one."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, suppress
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from infrastructure.cache.base import MISSING, BaseCacheProvider
from infrastructure.cache.cache_service import CacheService
from infrastructure.cache.implementations.memory import (
    InMemoryCacheProvider,
    MemoryCacheSettings,
)
from infrastructure.cache.implementations.redis import RedisCacheSettings
from infrastructure.cache.implementations.tiered import TieredCacheProvider, TieredCacheSettings
from infrastructure.errors import InfrastructureError, UnavailableError
from infrastructure.servers.base import LocalServer
from tests.contracts.cache_contract import CacheContract, SharedCacheContract, Wait
from tests.faults.proxy import FaultProxy
from tests.redis_address import address


def tiered(
    valkey: LocalServer, prefix: str, *, port: int | None = None, **changed: Any
) -> TieredCacheProvider:
    found = address(valkey.url, key_prefix=prefix, timeout_seconds=5)
    if port is not None:
        found |= {"host": "127.0.0.1", "port": port}
    far = RedisCacheSettings.model_validate(found | {"breaker": {"enabled": False}})
    return TieredCacheProvider(TieredCacheSettings(far=far, **changed), name="cache.default")


async def until(condition: Any) -> None:
    """Wait for a real change, at most five seconds."""
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110 - another process tells it
            await asyncio.sleep(0.001)


@pytest.fixture
def prefix() -> str:
    return f"{uuid4().hex}:"


@pytest.fixture
async def one(valkey: LocalServer, prefix: str) -> AsyncIterator[TieredCacheProvider]:
    async with tiered(valkey, prefix) as provider:
        yield provider


@pytest.fixture
async def other(valkey: LocalServer, prefix: str) -> AsyncIterator[TieredCacheProvider]:
    async with tiered(valkey, prefix) as provider:
        yield provider


class TestTieredOverRedis(SharedCacheContract):
    @pytest.fixture
    def provider(self, one: TieredCacheProvider) -> BaseCacheProvider:
        return one

    @pytest.fixture
    def second(self, other: TieredCacheProvider) -> BaseCacheProvider:
        return other

    @pytest.fixture
    def lapse(self) -> Wait:
        return asyncio.sleep


class TestTieredOverMemory(CacheContract):
    """A far cache that tells of nothing."""

    @pytest.fixture
    async def provider(self) -> AsyncIterator[BaseCacheProvider]:
        async with TieredCacheProvider(TieredCacheSettings(far=MemoryCacheSettings())) as provider:
            yield provider

    @pytest.fixture
    def lapse(self) -> Wait:
        return asyncio.sleep


async def test_a_value_read_twice_is_read_once_from_afar(one: TieredCacheProvider) -> None:
    await one.set("key", [1], 60)
    assert await one.get_many(["key", "key"]) == [[1], [1]]
    assert await one.get("key") == [1]
    assert one.near_hits == 1


async def test_a_copy_is_the_callers_own(one: TieredCacheProvider) -> None:
    await one.set("key", [1], 60)
    (await one.get("key")).append(2)
    (await one.get("key")).append(3)
    assert await one.get("key") == [1]


async def test_what_the_other_node_writes_is_seen_here(
    one: TieredCacheProvider, other: TieredCacheProvider
) -> None:
    await one.set("key", 1, 60)
    assert (await one.get("key"), await other.get("key")) == (1, 1)
    await other.set("key", 2, 60)
    await until(lambda: not len(one.near))
    assert await one.get("key") == 2


async def test_what_is_emptied_by_anybody_is_emptied_here(
    one: TieredCacheProvider, other: TieredCacheProvider
) -> None:
    await CacheService("shop", provider=one).set("key", 1)
    assert await CacheService("shop", provider=one).get("key") == 1
    copies = len(one.near)
    await CacheService("shop", provider=other).clear()
    await until(lambda: len(one.near) < copies)
    assert await CacheService("shop", provider=one).get("key") is None


async def test_own_writes_are_seen_at_once(one: TieredCacheProvider) -> None:
    for number in range(50):
        await one.set("key", number, 60)
        assert await one.get("key") == number


async def test_a_copy_ends_with_the_lifetime_of_its_value(one: TieredCacheProvider) -> None:
    await one.set("key", 1, 60)
    await one.get("key")
    left = await one.near.ttl("key")
    assert left is not None
    assert left <= 60
    await one.expire("key", 0.05)
    assert await one.get("key") == 1
    await asyncio.sleep(0.06)
    assert await one.get("key") is MISSING


async def test_a_copy_lives_no_longer_than_is_said(valkey: LocalServer, prefix: str) -> None:
    async with tiered(valkey, prefix, near_ttl_seconds=0.5) as provider:
        await provider.set("key", 1, 60)
        await provider.get("key")
        assert (await provider.near.ttl("key") or 9) <= 0.5


async def test_no_copy_is_served_while_changes_cannot_be_heard(
    valkey: LocalServer, prefix: str
) -> None:
    host_port = address(valkey.url)
    async with (
        FaultProxy(host_port["host"], host_port["port"]) as proxy,
        tiered(valkey, prefix, port=proxy.port) as provider,
    ):
        await provider.set("key", 1, 60)
        assert await provider.get("key") == 1
        await proxy.refuse()
        await until(lambda: not provider.serves_copies)
        assert len(provider.near) == 0
        with pytest.raises(UnavailableError):
            await provider.get("key")
        await proxy.passes()
        await until(lambda: provider.serves_copies)
        assert await provider.get("key") == 1


async def test_what_changed_while_nobody_listened_is_seen_afterwards(
    valkey: LocalServer, prefix: str, other: TieredCacheProvider
) -> None:
    host_port = address(valkey.url)
    async with (
        FaultProxy(host_port["host"], host_port["port"]) as proxy,
        tiered(valkey, prefix, port=proxy.port) as provider,
    ):
        await provider.set("key", "old", 60)
        assert await provider.get("key") == "old"
        await proxy.drop_connections()
        await other.set("key", "new", 60)
        await until(lambda: provider.serves_copies)
        assert await provider.get("key") == "new"


async def test_a_read_that_a_change_overtakes_leaves_no_copy(
    valkey: LocalServer, prefix: str, other: TieredCacheProvider
) -> None:
    host_port = address(valkey.url)
    async with (
        FaultProxy(host_port["host"], host_port["port"]) as proxy,
        tiered(valkey, prefix, port=proxy.port) as provider,
    ):
        await provider.set("key", "old", 60)
        reading = asyncio.create_task(provider.get("key"))
        await asyncio.sleep(0)
        provider._changed(["key"])  # as the notice of a change that arrives first
        await reading
        assert len(provider.near) == 0


async def test_a_cancelled_write_leaves_no_copy(one: TieredCacheProvider) -> None:
    await one.set("key", "old", 60)
    await one.get("key")
    writing = asyncio.create_task(one.set("key", "new", 60))
    await asyncio.sleep(0)
    writing.cancel()
    with suppress(asyncio.CancelledError):
        await writing
    assert len(one.near) == 0


async def test_thousands_are_bounded_by_the_near_block(valkey: LocalServer, prefix: str) -> None:
    near = MemoryCacheSettings(max_entries=10)
    async with tiered(valkey, prefix, near=near) as provider:
        await provider.set_many({f"k{number}": number for number in range(100)}, 60)
        await provider.get_many([f"k{number}" for number in range(100)])
        assert len(provider.near) == 10


async def test_it_says_what_copies_answered(one: TieredCacheProvider) -> None:
    await one.set("key", 1, 60)
    await one.get("key")
    await one.get("key")
    found = {each.name: each.value for each in one.measurements()}
    assert found["switchgear.cache.near_hits"] == 1


async def test_its_health_is_that_of_the_far_cache(one: TieredCacheProvider) -> None:
    health = await one.health_check()
    assert health.is_up
    assert "copies" in health.detail


def test_tiers_of_tiers_are_refused() -> None:
    inner = TieredCacheSettings(far=MemoryCacheSettings())
    with pytest.raises(ValidationError, match="another kind than tiered"):
        TieredCacheSettings(far=inner)


def test_a_far_cache_of_one_process_makes_it_one_of_one_process() -> None:
    over_memory = TieredCacheProvider(TieredCacheSettings(far=MemoryCacheSettings()))
    assert isinstance(over_memory.far, InMemoryCacheProvider)
    assert not over_memory.is_shared


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("set"), st.integers(0, 1), st.integers(0, 2)),
        st.tuples(st.just("delete"), st.integers(0, 1), st.integers(0, 2)),
        st.tuples(st.just("get"), st.integers(0, 1), st.integers(0, 2)),
        st.tuples(st.just("both"), st.just(0), st.integers(0, 2)),
        st.tuples(st.just("cut"), st.integers(0, 1), st.just(0)),
        st.tuples(st.just("behind"), st.integers(0, 1), st.integers(0, 2)),
    ),
    min_size=4,
    max_size=25,
)


@settings(max_examples=25, suppress_health_check=[*HealthCheck])
@given(steps=STEPS)
def test_two_nodes_and_the_server_agree_after_writes_stop(
    valkey: LocalServer, steps: list[tuple[str, int, int]]
) -> None:
    asyncio.run(_agree(valkey, f"{uuid4().hex}:", steps))


async def _agree(valkey: LocalServer, prefix: str, steps: list[tuple[str, int, int]]) -> None:
    """Do the steps on two nodes, whose connections are cut in between; then compare."""
    at = address(valkey.url)
    async with AsyncExitStack() as stack:
        proxies = [
            await stack.enter_async_context(FaultProxy(at["host"], at["port"])) for _ in range(2)
        ]
        nodes = [
            await stack.enter_async_context(tiered(valkey, prefix, port=proxy.port))
            for proxy in proxies
        ]
        for number, (step, node, key) in enumerate(steps):
            with suppress(InfrastructureError):
                await _step(step, nodes, proxies, node, f"k{key}", number)
        await until(lambda: all(node.serves_copies for node in nodes))
        async with asyncio.timeout(2):
            while not await _are_agreed(nodes):  # noqa: ASYNC110 - as above
                await asyncio.sleep(0.001)


async def _step(
    step: str,
    nodes: list[TieredCacheProvider],
    proxies: list[FaultProxy],
    node: int,
    key: str,
    number: int,
) -> None:
    match step:
        case "set":
            await nodes[node].set(key, number, 60)
        case "delete":
            await nodes[node].delete_many([key])
        case "get":
            await nodes[node].get(key)
        case "both":
            writes = [each.set(key, (number, at), 60) for at, each in enumerate(nodes)]
            await asyncio.gather(*writes, *(each.get(key) for each in nodes))
        case "cut":
            await proxies[node].drop_connections()
        case "behind":  # the other writes while this one, with a copy, hears nothing
            await nodes[node].get(key)
            await proxies[node].drop_connections()
            await nodes[1 - node].set(key, number, 60)


async def _are_agreed(nodes: list[TieredCacheProvider]) -> bool:
    keys = ["k0", "k1", "k2"]
    truth = await nodes[0].far.get_many(keys)
    return all([await node.get_many(keys) == truth for node in nodes])
