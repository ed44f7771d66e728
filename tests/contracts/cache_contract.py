"""What every cache provider promises."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from infrastructure.cache.base import MISSING, BaseCacheProvider
from infrastructure.errors import UnsupportedError

Wait = Callable[[float], Awaitable[None]]

VALUES = [
    "text",
    "",
    "\u00fc \U0001f600 \ud800",
    b"\x00\xff",
    True,
    False,
    0,
    -1,
    2**63,
    10**40,
    -(10**40),
    1.0,
    float("inf"),
    None,
    Decimal("1.10"),
    datetime(2026, 1, 2, 3, 4, 5, 6),  # noqa: DTZ001 - a naive one is a value too
    datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=UTC),
    date(2026, 1, 2),
    time(3, 4, 5),
    timedelta(days=-1, microseconds=1),
    UUID(int=7),
    [1, [2, []]],
    (1, (2, ())),
    {1, 2},
    frozenset({("a", 1)}),
    {"a": {"b": [1]}, "c": None},
    {1: "int", "1": "str", (1, "x"): "tuple", None: "none"},
]


class CacheContract:
    """Subclasses give `provider` (connected, empty) and `lapse`, which lets seconds go by."""

    @pytest.fixture
    def provider(self) -> BaseCacheProvider:
        raise NotImplementedError

    @pytest.fixture
    def lapse(self) -> Wait:
        raise NotImplementedError

    @pytest.mark.parametrize("value", VALUES, ids=ascii)
    async def test_a_value_comes_back_equal_and_of_the_same_type(
        self, provider: BaseCacheProvider, value: Any
    ) -> None:
        await provider.set("key", value, 60)
        found = await provider.get("key")
        assert (type(found), found) == (type(value), value)

    async def test_a_key_never_set_is_missing(self, provider: BaseCacheProvider) -> None:
        assert await provider.get("never") is MISSING

    async def test_a_value_is_gone_after_its_lifetime(
        self, provider: BaseCacheProvider, lapse: Wait
    ) -> None:
        await provider.set("key", 1, 0.05)
        await lapse(0.06)
        assert await provider.get("key") is MISSING

    async def test_overwritten_key_starts_a_new_lifetime(
        self, provider: BaseCacheProvider, lapse: Wait
    ) -> None:
        await provider.set("key", 1, 0.05)
        await provider.set("key", 2, 60)
        await lapse(0.06)
        assert await provider.get("key") == 2

    async def test_a_shorter_second_lifetime_counts(
        self, provider: BaseCacheProvider, lapse: Wait
    ) -> None:
        await provider.set("key", 1, 60)
        await provider.set("key", 2, 0.05)
        await lapse(0.06)
        assert await provider.get("key") is MISSING

    async def test_ttl_tells_the_seconds_left(
        self, provider: BaseCacheProvider, lapse: Wait
    ) -> None:
        await provider.set("key", 1, 60)
        await lapse(0.01)
        left = await provider.ttl("key")
        assert left is not None
        assert 50 < left < 60

    async def test_ttl_of_a_missing_key_is_none(self, provider: BaseCacheProvider) -> None:
        assert await provider.ttl("never") is None

    async def test_ttl_of_an_expired_key_is_none(
        self, provider: BaseCacheProvider, lapse: Wait
    ) -> None:
        await provider.set("key", 1, 0.05)
        await lapse(0.06)
        assert await provider.ttl("key") is None

    async def test_many_are_read_in_the_order_asked_with_duplicates(
        self, provider: BaseCacheProvider
    ) -> None:
        await provider.set_many({"a": 1, "b": 2}, 60)
        assert await provider.get_many(["b", "x", "a", "b"]) == [2, MISSING, 1, 2]

    async def test_reading_and_writing_nothing_is_allowed(
        self, provider: BaseCacheProvider
    ) -> None:
        await provider.set_many({}, 60)
        assert await provider.get_many([]) == []
        assert await provider.delete_many([]) == 0

    async def test_delete_says_how_many_were_there(self, provider: BaseCacheProvider) -> None:
        await provider.set_many({"a": 1, "b": 2}, 60)
        assert await provider.delete_many(["a", "a", "x"]) == 1
        assert await provider.get_many(["a", "b"]) == [MISSING, 2]

    async def test_an_expired_key_does_not_count_as_deleted(
        self, provider: BaseCacheProvider, lapse: Wait
    ) -> None:
        await provider.set("key", 1, 0.05)
        await lapse(0.06)
        assert await provider.delete_many(["key"]) == 0

    @pytest.mark.parametrize("prefix", ["a*", "a?", "a[bc]", "a\\", "a^", "a:", "*"])
    async def test_a_prefix_is_taken_literally(
        self, provider: BaseCacheProvider, prefix: str
    ) -> None:
        others = ["ab:1", "abc", "ac1", "xa", "b"]
        await provider.set_many(dict.fromkeys([*others, f"{prefix}1", f"{prefix}2"], 0), 60)
        assert await provider.delete_prefix(prefix) == 2
        assert await provider.get_many(others) == [0] * len(others)

    async def test_a_prefix_removes_thousands(self, provider: BaseCacheProvider) -> None:
        await provider.set_many({f"many:{number}": number for number in range(3000)}, 60)
        assert await provider.delete_prefix("many:") == 3000

    async def test_changing_an_object_after_set_changes_nothing(
        self, provider: BaseCacheProvider
    ) -> None:
        value = {"list": [1]}
        await provider.set("key", value, 60)
        value["list"].append(2)
        assert await provider.get("key") == {"list": [1]}

    async def test_changing_an_object_that_was_got_changes_nothing(
        self, provider: BaseCacheProvider
    ) -> None:
        await provider.set("key", [1], 60)
        (await provider.get("key")).append(2)
        assert await provider.get("key") == [1]

    async def test_an_unknown_type_is_refused_with_its_path(
        self, provider: BaseCacheProvider
    ) -> None:
        with pytest.raises(UnsupportedError, match=r"object.*value\['a'\]\[1\]"):
            await provider.set("key", {"a": [1, object()]}, 60)

    async def test_of_many_values_none_is_kept_when_one_is_refused(
        self, provider: BaseCacheProvider
    ) -> None:
        with pytest.raises(UnsupportedError):
            await provider.set_many({"good": 1, "bad": object()}, 60)
        assert await provider.get("good") is MISSING

    async def test_fifty_callers_at_once_get_their_own_answers(
        self, provider: BaseCacheProvider
    ) -> None:
        await provider.set_many({f"k{number}": number for number in range(50)}, 60)
        answers = await asyncio.gather(*(provider.get(f"k{number}") for number in range(50)))
        assert answers == list(range(50))

    async def test_it_is_healthy_when_it_answers(self, provider: BaseCacheProvider) -> None:
        assert (await provider.health_check()).is_up
        assert provider.is_healthy()

    async def test_it_opens_again_after_it_was_closed(self, provider: BaseCacheProvider) -> None:
        await provider.disconnect()
        await provider.disconnect()
        await provider.set("key", 1, 60)
        assert await provider.get("key") == 1
