import asyncio
from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis

from infrastructure.cache.base import MISSING
from infrastructure.cache.implementations.redis import RedisCacheProvider, RedisCacheSettings
from infrastructure.serialization import encode
from infrastructure.servers.base import LocalServer
from tests.contracts.cache_contract import CacheContract, Wait
from tests.redis_address import address


def _settings(valkey: LocalServer, **changed: object) -> RedisCacheSettings:
    found = address(valkey.url, timeout_seconds=5, key_prefix="test:", **changed)
    return RedisCacheSettings.model_validate(found)


@pytest.fixture
async def provider(valkey: LocalServer) -> AsyncIterator[RedisCacheProvider]:
    async with RedisCacheProvider(_settings(valkey), name="cache.default") as provider:
        await provider.delete_prefix("")
        yield provider


@pytest.fixture
def client(provider: RedisCacheProvider) -> Redis:
    return provider._live_client()


class TestRedis(CacheContract):
    @pytest.fixture
    async def provider(self, valkey: LocalServer) -> AsyncIterator[RedisCacheProvider]:
        async with RedisCacheProvider(_settings(valkey)) as provider:
            await provider.delete_prefix("")
            yield provider

    @pytest.fixture
    def lapse(self) -> Wait:
        return asyncio.sleep  # a server's clock is real


@pytest.mark.parametrize(
    "stored",
    [
        b"",
        b"foreign",
        b"\x80\x04K\x01.",
        b'{"json": 1}',
        encode([1, 2, 3])[:-1],
        encode("x") + b"!",
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


async def test_another_prefix_sees_and_clears_nothing_of_this_one(
    provider: RedisCacheProvider, valkey: LocalServer
) -> None:
    await provider.set("key", 1, 60)
    settings = _settings(valkey).model_copy(update={"key_prefix": "other:"})
    async with RedisCacheProvider(settings) as other:
        assert await other.get("key") is MISSING
        assert await other.delete_prefix("") == 0
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


def test_it_goes_on_in_another_event_loop(valkey: LocalServer) -> None:
    provider = RedisCacheProvider(_settings(valkey))

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
