import asyncio
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import pytest
from redis.asyncio import Redis

from infrastructure.cache.base import MISSING
from infrastructure.cache.implementations.redis import RedisCacheProvider, RedisCacheSettings
from infrastructure.connections.redis_client import build_client
from infrastructure.errors import UnsupportedError
from infrastructure.serialization import Envelope
from infrastructure.servers.base import LocalServer
from infrastructure.servers.valkey_cluster import ValkeyCluster
from infrastructure.servers.valkey_sentinel import ValkeySentinels
from tests.contracts.cache_contract import SharedCacheContract, Wait
from tests.redis_address import address, cluster_address, sentinel_address


def _provider(found: dict[str, Any]) -> RedisCacheProvider:
    settings = RedisCacheSettings.model_validate({"timeout_seconds": 5} | found)
    return RedisCacheProvider(settings, name="cache.default")


def _settings(valkey: LocalServer, **changed: object) -> RedisCacheSettings:
    found = address(valkey.url, timeout_seconds=5, key_prefix="test:", **changed)
    return RedisCacheSettings.model_validate(found)


@pytest.fixture
async def client(valkey: LocalServer) -> AsyncIterator[Redis]:
    """The vendor's, beside the provider."""
    settings = _settings(valkey)
    client = build_client(settings, timeout_seconds=5, connect_timeout_seconds=5)
    for name in [*await client.keys("test:*"), *await client.keys("{test:*")]:
        await client.delete(name)
    yield client
    await client.aclose()


@pytest.fixture
async def provider(valkey: LocalServer, client: Redis) -> AsyncIterator[RedisCacheProvider]:
    async with RedisCacheProvider(_settings(valkey), name="cache.default") as provider:
        yield provider


class _OnRealServers(SharedCacheContract):
    """Two providers on what `place` says, under a prefix no other test has."""

    @pytest.fixture
    def place(self) -> dict[str, Any]:
        raise NotImplementedError

    @pytest.fixture
    def prefix(self) -> str:
        return f"{uuid4().hex}:"

    @pytest.fixture
    async def provider(
        self, place: dict[str, Any], prefix: str
    ) -> AsyncIterator[RedisCacheProvider]:
        async with _provider(place | {"key_prefix": prefix}) as provider:
            yield provider

    @pytest.fixture
    async def second(self, place: dict[str, Any], prefix: str) -> AsyncIterator[RedisCacheProvider]:
        async with _provider(place | {"key_prefix": prefix}) as provider:
            yield provider

    @pytest.fixture
    def lapse(self) -> Wait:
        return asyncio.sleep  # a server's clock is real


class TestRedis(_OnRealServers):
    @pytest.fixture
    def place(self, valkey: LocalServer) -> dict[str, Any]:
        return address(valkey.url)


class TestRedisCluster(_OnRealServers):
    @pytest.fixture
    def place(self, valkey_cluster: ValkeyCluster) -> dict[str, Any]:
        return cluster_address(valkey_cluster)


class TestRedisClusterUnderOneTag(_OnRealServers):
    """All keys of the prefix on one server."""

    @pytest.fixture
    def place(self, valkey_cluster: ValkeyCluster) -> dict[str, Any]:
        return cluster_address(valkey_cluster)

    @pytest.fixture
    def prefix(self) -> str:
        return f"{{{uuid4().hex}}}:"


class TestRedisSentinel(_OnRealServers):
    @pytest.fixture
    def place(self, valkey_sentinels: ValkeySentinels) -> dict[str, Any]:
        return sentinel_address(valkey_sentinels)


@pytest.mark.parametrize(
    "stored",
    [
        b"",
        b"foreign",
        b"12",
        b"\x80\x04K\x01.",
        b'{"json": 1}',
        Envelope().seal([1, 2, 3], "key")[:-1],
        Envelope().seal("x", "key") + b"!",
        Envelope().seal("x", "another key"),
        b"\xc1SI\0\0\0\x0012",
        b"\xc1SI\0\0\0\x00;",
        b"\xc1SI\0\0\0\x07" + b"12;",
    ],
)
async def test_a_foreign_or_cut_value_is_a_counted_miss(
    provider: RedisCacheProvider, client: Redis, stored: bytes
) -> None:
    await client.set("test:key", stored, px=60_000)
    assert await provider.get("key") is MISSING
    assert provider.corrupt_values == 1


async def test_a_foreign_value_is_replaced_by_the_next_set(
    provider: RedisCacheProvider, client: Redis
) -> None:
    await client.lpush("test:key", "a list")
    assert await provider.get("key") is MISSING
    await provider.set("key", 1, 60)
    assert await provider.get("key") == 1


async def test_the_prefix_stands_before_every_key(
    provider: RedisCacheProvider, client: Redis
) -> None:
    await provider.set("key", 1, 60)
    assert await client.exists("test:key")
    assert not await client.exists("key")


async def test_another_prefix_sees_and_deletes_nothing_of_this_one(
    provider: RedisCacheProvider, valkey: LocalServer
) -> None:
    await provider.set("key", 1, 60)
    settings = _settings(valkey).model_copy(update={"key_prefix": "other:"})
    async with RedisCacheProvider(settings) as other:
        assert await other.get("key") is MISSING
        assert await other.delete_many(["key"]) == 0
    assert await provider.get("key") == 1


async def test_every_entry_has_a_lifetime_on_the_server(
    provider: RedisCacheProvider, client: Redis
) -> None:
    await provider.set("key", 1, 0.0001)
    await provider.set_many({"a": 1, "b": 2}, 60)
    assert 0 < await client.pttl("test:a") <= 60_000


async def test_two_providers_share_what_is_stored(
    provider: RedisCacheProvider, valkey: LocalServer
) -> None:
    async with RedisCacheProvider(_settings(valkey)) as other:
        await other.set("key", (1, 2), 60)
    assert await provider.get("key") == (1, 2)


async def test_connections_are_bounded_and_given_back(valkey: LocalServer) -> None:
    async with RedisCacheProvider(_settings(valkey, max_connections=5)) as provider:
        await asyncio.gather(*(provider.get(str(number)) for number in range(200)))
        stats = provider.pool_stats()
        assert (stats.in_use, stats.limit) == (0, 5)
        assert 1 <= stats.size <= 5


@pytest.mark.parametrize("shape", ["server", "cluster", "sentinels"])
def test_it_goes_on_in_another_event_loop(
    valkey: LocalServer,
    valkey_cluster: ValkeyCluster,
    valkey_sentinels: ValkeySentinels,
    shape: str,
) -> None:
    """Row 12."""
    found = {"server": address(valkey.url), "cluster": cluster_address(valkey_cluster)}
    found["sentinels"] = sentinel_address(valkey_sentinels)
    provider = _provider(found[shape])

    async def once() -> object:
        await provider.set("key", 1, 60)
        found = await provider.get("key")
        await provider.disconnect()
        return found

    assert [asyncio.run(once()), asyncio.run(once())] == [1, 1]


async def test_the_password_is_in_no_text(
    provider: RedisCacheProvider, valkey: LocalServer
) -> None:
    password = address(valkey.url)["password"]
    texts = [repr(provider), repr(provider.settings), (await provider.health_check()).detail]
    assert not any(password in text for text in texts)


SECRETS = {"secrets": ["a secret of sixteen characters"]}


async def test_signed_values_are_read_by_who_has_the_secret(
    valkey: LocalServer, client: Redis
) -> None:
    settings = _settings(valkey, envelope=SECRETS)
    async with (
        RedisCacheProvider(settings) as signing,
        RedisCacheProvider(_settings(valkey)) as other,
    ):
        await signing.set_many({"text": "x", "number": 5}, 60)
        assert await signing.get_many(["text", "number"]) == ["x", 5]
        assert await other.get_many(["text", "number"]) == [MISSING, MISSING]


async def test_an_unsigned_number_is_not_believed_where_values_are_signed(
    valkey: LocalServer, provider: RedisCacheProvider
) -> None:
    await provider.set("number", 5, 60)
    async with RedisCacheProvider(_settings(valkey, envelope=SECRETS)) as signing:
        assert await signing.get("number") is MISSING
        assert signing.corrupt_values == 1


async def test_signed_values_cannot_be_counted_on(valkey: LocalServer) -> None:
    async with RedisCacheProvider(_settings(valkey, envelope=SECRETS)) as signing:
        with pytest.raises(UnsupportedError, match="signed"):
            await signing.increment("n", 1, 60)


async def test_another_schema_version_reads_nothing_of_this_one(
    valkey: LocalServer, provider: RedisCacheProvider
) -> None:
    await provider.set_many({"text": "x", "number": 5}, 60)
    async with RedisCacheProvider(_settings(valkey, envelope={"schema_version": 2})) as newer:
        assert await newer.get_many(["text", "number"]) == [MISSING, MISSING]


async def test_thousands_of_keys_are_stored_and_deleted_at_once(
    provider: RedisCacheProvider,
) -> None:
    keys = [f"k{number}" for number in range(2500)]
    await provider.set_many(dict.fromkeys(keys, 1), 60)
    assert await provider.get_many(keys) == [1] * 2500
    assert await provider.delete_many(keys) == 2500


async def test_leases_of_all_changed_keys_end_with_one_call(
    provider: RedisCacheProvider, client: Redis
) -> None:
    keys = [f"k{number}" for number in range(3)]
    for key in keys:
        await provider.lease(key, 60)
    await provider.set_many(dict.fromkeys(keys, 1), 60)
    assert await client.keys("{test:*}lease") == []


async def test_what_is_stored_lies_where_the_documentation_says(
    provider: RedisCacheProvider, client: Redis
) -> None:
    await provider.set("user:1{a}", 1, 60)
    await provider.lease("user:1", 60)
    assert await client.exists("test:user:1%7Ba%7D", "{test:user:1}lease") == 2
