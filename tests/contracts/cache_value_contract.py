"""What every cache provider promises of values: their types, and that they are the caller's own."""

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from infrastructure.cache.base import MISSING, BaseCacheProvider
from infrastructure.errors import UnsupportedError

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


class CacheValueContract:
    """A part of `CacheContract`."""

    @pytest.mark.parametrize("value", VALUES, ids=ascii)
    async def test_a_value_comes_back_equal_and_of_the_same_type(
        self, provider: BaseCacheProvider, value: Any
    ) -> None:
        await provider.set("key", value, 60)
        found = await provider.get("key")
        assert (type(found), found) == (type(value), value)

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
