"""What a cache on a cluster does when slots move and members fail. Everything here is real."""

import asyncio
import gc
import time
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from redis.crc import key_slot

from infrastructure.cache.base import MISSING
from infrastructure.cache.implementations.redis import RedisCacheProvider, RedisCacheSettings
from infrastructure.connections.database.redis import (
    RedisConnectionManager,
    RedisConnectionSettings,
)
from infrastructure.connections.redis_cluster import Cluster
from infrastructure.connections.redis_pool import Call
from infrastructure.errors import (
    DeadlineExceededError,
    InfrastructureError,
    OutcomeUnknownError,
    OverloadedError,
    UnavailableError,
    UnsupportedError,
)
from infrastructure.servers.process import free_port
from infrastructure.servers.valkey_cluster import ValkeyCluster
from tests.faults.proxy import FaultProxy
from tests.redis_address import cluster_address

#: One key on each of the three members.
KEYS = ("b", "c", "a")
PATIENCE = 20.0


def _provider(servers: ValkeyCluster, /, **changed: Any) -> RedisCacheProvider:
    usual = {"timeout_seconds": 0.3, "breaker": {"enabled": False}}
    found = cluster_address(servers, **(usual | changed))
    return RedisCacheProvider(RedisCacheSettings.model_validate(found), name="cache.default")


def _topology(provider: RedisCacheProvider) -> Cluster:
    topology = provider._topology
    assert isinstance(topology, Cluster)
    return topology


@pytest.fixture
def cluster(valkey_cluster: ValkeyCluster) -> ValkeyCluster:
    """To be ended, frozen and resharded; each test leaves it whole."""
    return valkey_cluster


@pytest.fixture
async def provider(cluster: ValkeyCluster) -> AsyncIterator[RedisCacheProvider]:
    async with _provider(cluster) as provider:
        await provider.set_many(dict.fromkeys(KEYS, 1), 60)
        yield provider


def _member_of(key: str) -> int:
    return key_slot(key.encode()) // 5462


def _id_of(cluster: ValkeyCluster, member: int) -> str:
    return cluster.ask(member, "CLUSTER", "MYID").split()[1].decode()


def _give(cluster: ValkeyCluster, key: str, member: int) -> None:
    """The slot of a key, which must be empty, to another member."""
    slot, target = str(key_slot(key.encode())), _id_of(cluster, member)
    for each in (member, _member_of(key), *range(3)):
        cluster.ask(each, "CLUSTER", "SETSLOT", slot, "NODE", target)


def test_the_keys_are_on_three_members() -> None:
    assert {_member_of(key) for key in KEYS} == {0, 1, 2}


async def test_a_slot_that_moved_is_followed_and_then_known(
    cluster: ValkeyCluster, provider: RedisCacheProvider
) -> None:
    topology, home = _topology(provider), _member_of("moving")
    _give(cluster, "moving", (home + 1) % 3)
    try:
        await provider.set("moving", 1, 60)
        assert topology.redirects == 1
        assert await provider.get("moving") == 1
        assert (topology.redirects, topology.refreshes) == (1, 2)
    finally:
        await provider.delete_many(["moving"])
        _give(cluster, "moving", home)


async def test_a_count_in_a_slot_that_moved_is_added_once(
    cluster: ValkeyCluster, provider: RedisCacheProvider
) -> None:
    home = _member_of("count")
    _give(cluster, "count", (home + 1) % 3)
    try:
        assert await provider.increment("count", 1, 60) == 1
        assert await provider.get("count") == 1
    finally:
        await provider.delete_many(["count"])
        _give(cluster, "count", home)


async def test_a_slot_that_is_moving_is_asked_for_where_it_goes(
    cluster: ValkeyCluster, provider: RedisCacheProvider
) -> None:
    home, slot = _member_of("going"), str(key_slot(b"going"))
    away = (home + 1) % 3
    cluster.ask(away, "CLUSTER", "SETSLOT", slot, "IMPORTING", _id_of(cluster, home))
    cluster.ask(home, "CLUSTER", "SETSLOT", slot, "MIGRATING", _id_of(cluster, away))
    try:
        name = Call("SET", "going", "1", key="going")
        assert await provider.run(name) == [b"OK"]
        assert cluster.ask(home, "EXISTS", "going").startswith(b"-ASK")
        assert _topology(provider).redirects == 1
    finally:
        await provider.run(Call("DEL", "going", key="going"))
        for member in (home, away):
            cluster.ask(member, "CLUSTER", "SETSLOT", slot, "STABLE")


async def test_a_frozen_member_costs_its_own_keys_one_timeout_and_no_others(
    cluster: ValkeyCluster, provider: RedisCacheProvider
) -> None:
    """Row 2, in a cluster."""
    cluster.freeze(0)
    try:
        frozen, *living = sorted(KEYS, key=_member_of)
        started = time.monotonic()
        with pytest.raises(DeadlineExceededError):
            await provider.ttl(frozen)
        assert time.monotonic() - started < 1.0
        assert all([await provider.ttl(key) for key in living])
    finally:
        cluster.thaw(0)
    assert await provider.get(frozen) == 1


async def test_a_count_sent_to_a_frozen_member_is_in_doubt_and_added_once(
    cluster: ValkeyCluster, provider: RedisCacheProvider
) -> None:
    """Row 7, in a cluster."""
    key = min(KEYS, key=_member_of)
    cluster.freeze(0)
    try:
        with pytest.raises(OutcomeUnknownError):
            await provider.increment(key, 1, 60)
    finally:
        cluster.thaw(0)
    assert await provider.get(key) == 2


async def test_a_killed_member_is_an_outage_of_its_keys_and_comes_back(
    cluster: ValkeyCluster, provider: RedisCacheProvider
) -> None:
    """Row 11, in a cluster."""
    key = max(KEYS, key=_member_of)
    cluster.kill(2)
    try:
        with pytest.raises(UnavailableError):
            await provider.get(key)
        with pytest.raises(UnavailableError):
            await provider.get_many(KEYS)
        counts = [Call("INCR", f"{{{each}}}n", key=f"{{{each}}}n") for each in KEYS]
        with pytest.raises(OutcomeUnknownError):  # those of the others were added
            await provider.run(*counts)
    finally:
        cluster.revive(2)
    async with asyncio.timeout(PATIENCE):
        while await _fails(provider, key):  # noqa: ASYNC110 - bounded, and nobody else tells
            await asyncio.sleep(0.02)
    assert await provider.get(key) is MISSING


async def _fails(provider: RedisCacheProvider, key: str) -> bool:
    try:
        await provider.ttl(key)
    except InfrastructureError:
        return True
    return False


async def test_connections_to_each_member_are_bounded_and_waited_for(
    cluster: ValkeyCluster,
) -> None:
    """Row 4, in a cluster."""
    async with _provider(cluster, max_connections=2, timeout_seconds=5) as provider:
        calls = [provider.ttl(f"k{number}") for number in range(300)]
        await asyncio.gather(*calls)
        stats = provider.pool_stats()
        assert (stats.in_use, stats.limit) == (0, 6)
        assert stats.size <= 6


async def test_a_member_whose_pool_stays_full_is_an_overload(cluster: ValkeyCluster) -> None:
    """Row 5, in a cluster."""
    key = min(KEYS, key=_member_of)
    async with _provider(cluster, max_connections=1) as provider:
        cluster.freeze(0)
        try:
            calls = (provider.ttl(key) for _ in range(5))
            errors = await asyncio.gather(*calls, return_exceptions=True)
        finally:
            cluster.thaw(0)
        assert sum(isinstance(error, OverloadedError) for error in errors) == 4
        await provider.ttl(key)


async def test_cancelled_and_failed_calls_keep_no_place_in_a_pool(
    cluster: ValkeyCluster,
) -> None:
    """Row 8, in a cluster."""
    async with _provider(cluster, max_connections=3) as provider:
        for _ in range(10):
            calls = [asyncio.create_task(provider.ttl(key)) for key in KEYS * 5]
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            for call in calls[::2]:
                call.cancel()
            await asyncio.gather(*calls, return_exceptions=True)
        assert provider.pool_stats().in_use == 0
        assert all([await provider.ttl(key) != 0 for key in KEYS])


async def test_who_opens_it_while_another_gives_up_has_an_opening_of_its_own(
    cluster: ValkeyCluster,
) -> None:
    for turns in range(2, 8):
        provider = _provider(cluster, warm_connections=3)
        leaving = asyncio.create_task(provider.connect())
        for _ in range(turns):
            await asyncio.sleep(0.0002)
        leaving.cancel()
        await asyncio.sleep(0)
        async with provider:
            await provider.set("key", 1, 60)
    gc.collect()  # what was left open would be told of here


async def test_any_living_member_is_enough_to_find_the_others(cluster: ValkeyCluster) -> None:
    dead = f"127.0.0.1:{free_port()}"
    async with _provider(cluster, nodes=[dead, cluster.nodes[1]]) as provider:
        await provider.set_many(dict.fromkeys(KEYS, 2), 60)
        assert await provider.get_many(KEYS) == [2, 2, 2]
        assert len(_topology(provider)._pools) == 3


async def test_silent_members_leave_time_to_ask_a_living_one(cluster: ValkeyCluster) -> None:
    async with FaultProxy("127.0.0.1", 1) as one, FaultProxy("127.0.0.1", 1) as other:
        silent = [one, other]
        for proxy in silent:
            proxy.black_hole()
        nodes = [*(f"127.0.0.1:{proxy.port}" for proxy in silent), cluster.nodes[1]]
        bounds = {"timeout_seconds": 1, "connect_timeout_seconds": 0.6}
        async with _provider(cluster, nodes=nodes, **bounds) as provider:
            assert len(_topology(provider)._pools) == 3


async def test_members_that_say_no_host_are_where_they_were_asked(cluster: ValkeyCluster) -> None:
    """As behind an address that members do not know of."""
    name, home = "cluster-preferred-endpoint-type", _member_of("moving")
    try:
        for member in range(3):
            cluster.ask(member, "CONFIG", "SET", name, "unknown-endpoint")
        async with _provider(cluster) as provider:
            _give(cluster, "moving", (home + 1) % 3)
            await provider.set("moving", 1, 60)
            assert _topology(provider).redirects == 1
            await provider.delete_many(["moving"])
    finally:
        _give(cluster, "moving", home)
        for member in range(3):
            cluster.ask(member, "CONFIG", "SET", name, "ip")


async def test_a_key_that_is_no_text_is_found_again(cluster: ValkeyCluster) -> None:
    settings = RedisConnectionSettings.model_validate(cluster_address(cluster))
    async with RedisConnectionManager(settings, name="db.redis") as manager:
        for key in (b"\xff", b"\xfe{\xfd}"):
            assert await manager.execute("SET", key, "x", "EX", 60) is True
            assert await manager.execute("GET", key) == b"x"
        with pytest.raises(UnsupportedError, match="lone surrogates"):
            await manager.execute("GET", "\ud800")


async def test_a_host_with_the_word_cluster_is_enough_too(cluster: ValkeyCluster) -> None:
    parts = urlsplit(cluster.urls[2])
    found = {"nodes": [], "cluster": True, "host": parts.hostname, "port": parts.port}
    async with _provider(cluster, **found) as provider:
        assert "3 servers" in (await provider.health_check()).detail


async def test_a_server_that_is_no_member_is_unavailable(cluster: ValkeyCluster) -> None:
    dead = f"127.0.0.1:{free_port()}"
    with pytest.raises(UnavailableError, match="no server tells the slots"):
        await _provider(cluster, nodes=[dead]).get("key")


async def test_hundred_keys_take_one_round_trip_to_each_member(cluster: ValkeyCluster) -> None:
    async with _provider(cluster, timeout_seconds=5) as provider:
        keys = [f"many:{number}" for number in range(100)]
        await provider.set_many({key: number for number, key in enumerate(keys)}, 60)
        lines = [line for pool in _topology(provider).pools() for line in pool._idle]
        before = sum(line.uses for line in lines)
        assert await provider.get_many(keys) == list(range(100))
        assert sum(line.uses for line in lines) - before == 3
