"""What every cache provider promises of what it does in one step: to count, and to add."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from infrastructure.cache.base import BaseCacheProvider
from infrastructure.errors import ConflictError

Wait = Callable[[float], Awaitable[None]]


class CacheCounterContract:
    """A part of `CacheContract`."""

    async def test_a_missing_number_counts_from_zero(self, provider: BaseCacheProvider) -> None:
        assert await provider.increment("n", 5, 60) == 5
        assert await provider.increment("n", -7, 60) == -2
        assert await provider.get("n") == -2

    async def test_a_number_that_was_set_is_counted_on(self, provider: BaseCacheProvider) -> None:
        await provider.set("n", 40, 60)
        assert await provider.increment("n", 2, 60) == 42
        assert await provider.get_many(["n"]) == [42]

    async def test_a_counted_number_can_be_set_anew(self, provider: BaseCacheProvider) -> None:
        await provider.increment("n", 5, 60)
        await provider.set("n", "text", 60)
        assert await provider.get("n") == "text"

    async def test_a_counter_keeps_the_lifetime_it_began_with(
        self, provider: BaseCacheProvider, lapse: Wait
    ) -> None:
        await provider.increment("n", 1, 0.05)
        await provider.increment("n", 1, 60)
        await lapse(0.06)
        assert await provider.increment("n", 1, 60) == 1

    async def test_a_hundred_increments_at_once_all_count(
        self, provider: BaseCacheProvider
    ) -> None:
        answers = await asyncio.gather(*(provider.increment("n", 1, 60) for _ in range(100)))
        assert sorted(answers) == list(range(1, 101))

    @pytest.mark.parametrize("value", ["5", b"5", 5.0, True, None, [1]], ids=repr)
    async def test_only_whole_numbers_are_incremented(
        self, provider: BaseCacheProvider, value: Any
    ) -> None:
        await provider.set("key", value, 60)
        with pytest.raises(ConflictError):
            await provider.increment("key", 1, 60)
        assert await provider.get("key") == value

    async def test_a_sum_beyond_64_bits_is_refused_and_changes_nothing(
        self, provider: BaseCacheProvider
    ) -> None:
        await provider.set("n", 2**63 - 1, 60)
        with pytest.raises(ConflictError):
            await provider.increment("n", 1, 60)
        assert await provider.get("n") == 2**63 - 1

    async def test_add_stores_only_where_there_is_nothing(
        self, provider: BaseCacheProvider, lapse: Wait
    ) -> None:
        assert await provider.add("key", 1, 0.05)
        assert not await provider.add("key", 2, 60)
        assert await provider.get("key") == 1
        await lapse(0.06)
        assert await provider.add("key", 3, 60)
        assert await provider.get("key") == 3

    async def test_none_is_something_to_add(self, provider: BaseCacheProvider) -> None:
        assert await provider.add("key", None, 60)
        assert not await provider.add("key", 1, 60)
        assert await provider.get("key") is None

    async def test_of_many_adding_at_once_one_succeeds(self, provider: BaseCacheProvider) -> None:
        added = await asyncio.gather(*(provider.add("key", n, 60) for n in range(20)))
        assert await provider.get("key") == added.index(True)
        assert sum(added) == 1
