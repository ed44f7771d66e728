import asyncio
import hashlib
from collections.abc import AsyncIterator

import pytest
from pydantic import SecretStr, ValidationError

from infrastructure.cache.base import MISSING, BaseCacheProvider
from infrastructure.cache.implementations.memcached import (
    MemcachedCacheProvider,
    MemcachedCacheSettings,
)
from infrastructure.cache.implementations.memcached.items import Item, _item, name_of
from infrastructure.cache.implementations.memcached.line import Store, Stored
from infrastructure.config.models.serialization import EnvelopeSettings
from infrastructure.errors import UnsupportedError
from infrastructure.serialization import Envelope, Reason, UnreadableError, encode
from infrastructure.servers.memcached import MemcachedServer
from tests.contracts.cache_contract import SharedCacheContract, Wait
from tests.infrastructure.serialization.data_classes import Point


@pytest.fixture
def settings(memcached: MemcachedServer, request: pytest.FixtureRequest) -> MemcachedCacheSettings:
    """A part of the server of its own for each test."""
    prefix = f"{abs(hash(request.node.nodeid))}:"
    return MemcachedCacheSettings(
        host="127.0.0.1", port=memcached.port, key_prefix=prefix, timeout_seconds=10
    )


@pytest.fixture
async def provider(settings: MemcachedCacheSettings) -> AsyncIterator[MemcachedCacheProvider]:
    async with MemcachedCacheProvider(settings, name="cache.default") as provider:
        yield provider


class TestMemcached(SharedCacheContract):
    @pytest.fixture
    async def provider(self, settings: MemcachedCacheSettings) -> AsyncIterator[BaseCacheProvider]:
        async with MemcachedCacheProvider(settings) as provider:
            yield provider

    @pytest.fixture
    async def second(self, settings: MemcachedCacheSettings) -> AsyncIterator[BaseCacheProvider]:
        async with MemcachedCacheProvider(settings) as provider:
            yield provider

    @pytest.fixture
    def lapse(self) -> Wait:
        return asyncio.sleep  # the clock of the machine is real


async def _stored(provider: MemcachedCacheProvider, name: bytes) -> dict[bytes, Stored]:
    return await provider._talk(lambda line: line.get([name], 2**21))


async def _write(provider: MemcachedCacheProvider, name: bytes, data: bytes) -> None:
    await provider._talk(lambda line: line.store([Store("set", name, data, 60)]))


@pytest.mark.parametrize(
    "stored", [b"", b"foreign", b"\x80\x04K\x01.", encode([1, 2, 3, 4, 5]), encode("x") + b"!"]
)
async def test_a_foreign_value_is_a_counted_miss_and_replaced(
    provider: MemcachedCacheProvider, stored: bytes
) -> None:
    name = name_of(provider._whole("key"))
    await _write(provider, name, stored)
    assert await provider.get("key") is MISSING
    assert provider.unreadable == {Reason.FOREIGN: 1}
    assert await provider.add("key", 2, 60)
    assert await provider.get("key") == 2


@pytest.mark.parametrize(
    "content",
    [
        1,
        [],
        [1, 2, 3, 4, 5],
        [None, 1e12, "x", "", 0],
        [None, "x", None, "", 0],
        ["k", 1e12, None, "", 0],
    ],
    ids=repr,
)
async def test_sealed_content_that_is_no_item_is_a_counted_miss(
    provider: MemcachedCacheProvider, content: object
) -> None:
    whole = provider._whole("key")
    await _write(provider, name_of(whole), Envelope().seal(content, whole))
    assert await provider.get("key") is MISSING
    assert sum(provider.unreadable.values()) == 1


async def test_a_value_of_a_changed_class_is_a_counted_miss_and_can_be_added_anew(
    provider: MemcachedCacheProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    await provider.set("key", Point(1), 60)
    assert await provider.get("key") == Point(1)
    monkeypatch.delattr(f"{Point.__module__}.Point")
    assert await provider.get("key") is MISSING
    assert provider.unreadable == {Reason.CLASS: 1}
    assert await provider.add("key", 2, 60)


async def test_the_prefix_stands_before_every_key(
    provider: MemcachedCacheProvider, settings: MemcachedCacheSettings
) -> None:
    await provider.set("key", 1, 60)
    assert await _stored(provider, f"{settings.key_prefix}key".encode())


@pytest.mark.parametrize("key", ["x" * 251, "a b", "a\nb", "\x00", "\x7f", "~x", "\ud800" * 99])
async def test_a_key_the_protocol_cannot_take_is_stored_under_a_digest(
    settings: MemcachedCacheSettings, key: str
) -> None:
    async with MemcachedCacheProvider(settings.model_copy(update={"key_prefix": ""})) as provider:
        await provider.set(key, 1, 60)
        name = name_of(key)
        assert (name[:1], len(name)) == (b"~", 65)
        assert await _stored(provider, name)
        assert await provider.get(key) == 1
        assert await provider.delete_many([key]) == 1


@pytest.mark.parametrize("key", ["x" * 250, "\u00fc" * 125, "a:b", "a~"])
def test_any_other_key_is_stored_as_it_is(key: str) -> None:
    assert name_of(key) == key.encode()


async def test_two_keys_of_one_digest_do_not_see_each_other(
    settings: MemcachedCacheSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Same(bytes):
        def hexdigest(self) -> str:
            return "0" * 64

    monkeypatch.setattr(hashlib, "blake2b", lambda *_, **__: Same())
    async with MemcachedCacheProvider(settings.model_copy(update={"key_prefix": ""})) as provider:
        await provider.set("a a", 1, 60)
        assert await provider.get("b b") is MISSING
        assert await provider.get("a a") == 1
    content = ["b b", 1e12, encode(1), "", 0.0]
    with pytest.raises(UnreadableError, match="shared with another key"):
        _item(content, "a a")


async def test_a_value_that_is_too_large_is_refused_before_it_is_sent(
    provider: MemcachedCacheProvider,
) -> None:
    await provider.set("key", 1, 60)
    with pytest.raises(UnsupportedError, match=r"1000\d+ bytes is larger than memcached takes"):
        await provider.set("key", b"x" * 1_000_000, 60)
    assert await provider.get("key") == 1


async def test_a_value_larger_than_the_server_takes_is_refused_by_it_and_the_line_goes_on(
    settings: MemcachedCacheSettings,
) -> None:
    large = settings.model_copy(update={"max_item_bytes": 10**7})
    async with MemcachedCacheProvider(large) as provider:
        for _ in range(3):
            with pytest.raises(UnsupportedError, match=r"larger than memcached takes.*-I"):
                await provider.set_many({"large": b"x" * 2_000_000, "small": 1}, 60)
            with pytest.raises(UnsupportedError):
                await provider.add("added", b"x" * 2_000_000, 60)
            assert await provider.get_many(["large", "small"]) == [MISSING, 1]
        assert provider._pool is not None
        assert provider._pool.opened == 1


async def test_a_value_just_below_the_bound_is_kept(provider: MemcachedCacheProvider) -> None:
    value = b"x" * 999_800
    await provider.set("key", value, 60)
    assert await provider.get("key") == value


async def test_a_compressed_value_may_be_larger(settings: MemcachedCacheSettings) -> None:
    envelope = EnvelopeSettings(compress_over_bytes=1000, secrets=(SecretStr("x" * 16),))
    packed = settings.model_copy(update={"envelope": envelope})
    async with MemcachedCacheProvider(packed) as provider:
        await provider.set("key", "x" * 5_000_000, 60)
        assert await provider.get("key") == "x" * 5_000_000


@pytest.mark.parametrize("days", [1, 29, 30, 31, 400, 10_000, 10**9])
async def test_a_lifetime_of_more_than_thirty_days_is_no_date_in_1970(
    provider: MemcachedCacheProvider, days: int
) -> None:
    await provider.set("key", 1, days * 86400)
    assert await provider.get("key") == 1
    left = await provider.ttl("key")
    assert left == pytest.approx(days * 86400, abs=60)


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [(-1, -1), (0.001, 2), (1, 3), (30 * 86400, 30 * 86400 + 1_000_002), (10**12, 0)],
)
def test_the_server_forgets_no_value_before_its_end(seconds: float, expected: int) -> None:
    now = 1_000_000.0
    assert Item(now + seconds, b"x").exptime(now) == expected


def test_a_lease_keeps_an_item_longer_than_its_value_and_a_body_counts_alone() -> None:
    assert Item(5, b"x", "token", 100).exptime(0) == 102
    assert Item(5, None, "", 0).exptime(0) == -1


async def test_thousands_are_written_read_and_deleted_at_once(
    provider: MemcachedCacheProvider,
) -> None:
    values = {f"many:{number}": number for number in range(3000)}
    await provider.set_many(values, 60)
    assert await provider.get_many(list(values)) == list(values.values())
    assert await provider.delete_many(list(values)) == 3000


async def test_no_turn_is_kept_of_keys_nobody_changes(provider: MemcachedCacheProvider) -> None:
    for number in range(100):
        await provider.increment(f"n{number}", 1, 60)
    assert len(provider._turns) <= 1


async def test_connections_are_bounded_and_used_again(settings: MemcachedCacheSettings) -> None:
    few = settings.model_copy(update={"max_connections": 3})
    async with MemcachedCacheProvider(few) as provider:
        await asyncio.gather(*(provider.increment(f"n{n}", 1, 60) for n in range(200)))
        assert provider._pool is not None
        assert provider._pool.opened <= 3


def test_it_goes_on_in_another_event_loop(settings: MemcachedCacheSettings) -> None:
    provider = MemcachedCacheProvider(settings)

    async def once() -> object:
        await provider.set("key", 1, 60)
        found = await provider.get("key")
        await provider.disconnect()
        return found

    assert [asyncio.run(once()), asyncio.run(once())] == [1, 1]


async def test_its_health_tells_the_version(provider: MemcachedCacheProvider) -> None:
    assert (await provider.health_check()).detail.startswith("memcached 1.")


@pytest.mark.parametrize(
    "wrong", [{"username": "u"}, {"password": "p"}, {"username": "a b", "password": "p"}]
)
def test_a_login_is_whole(wrong: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        MemcachedCacheSettings.model_validate(wrong)
