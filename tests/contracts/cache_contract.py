"""What every cache provider promises: lifetimes, keys, and the right to fill one."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import pytest

from infrastructure.cache.base import MISSING, BaseCacheProvider
from tests.contracts.cache_counter_contract import CacheCounterContract, Wait
from tests.contracts.cache_value_contract import CacheValueContract

__all__ = ["CacheContract", "SharedCacheContract", "Wait"]

#: What ends the right to fill `key`.
CHANGES: dict[str, Callable[[BaseCacheProvider], Awaitable[Any]]] = {
    "set": lambda provider: provider.set("key", 1, 60),
    "set_many": lambda provider: provider.set_many({"other": 0, "key": 1}, 60),
    "add": lambda provider: provider.add("key", 1, 60),
    "increment": lambda provider: provider.increment("key", 1, 60),
    "delete": lambda provider: provider.delete_many(["key"]),
}


class CacheContract(CacheValueContract, CacheCounterContract):
    """Subclasses give `provider` (connected, empty) and `lapse`, which lets seconds go by."""

    @pytest.fixture
    def provider(self) -> BaseCacheProvider:
        raise NotImplementedError

    @pytest.fixture
    def lapse(self) -> Wait:
        raise NotImplementedError

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

    @pytest.mark.parametrize(
        "key", ["a*", "a?", "a[bc]", "a\\", "a b", "\r\n", "\u00fc", "k" * 1500]
    )
    async def test_every_character_of_a_key_is_data(
        self, provider: BaseCacheProvider, key: str
    ) -> None:
        others = ["ab", "abc", "ac", "a", "k" * 1499]
        await provider.set_many(dict.fromkeys([*others, key], 0), 60)
        assert await provider.delete_many([key]) == 1
        assert await provider.get_many([key, *others]) == [MISSING] + [0] * len(others)

    async def test_a_value_is_stored_and_another_key_is_read_after_it(
        self, provider: BaseCacheProvider
    ) -> None:
        assert await provider.set_and_look({"a": 1, "b": 2}, 60, "b") == 2
        assert await provider.set_and_look({"a": 3}, 60, "never") is MISSING
        assert await provider.get_many(["a", "b"]) == [3, 2]

    async def test_expire_gives_a_new_lifetime(
        self, provider: BaseCacheProvider, lapse: Wait
    ) -> None:
        await provider.set("key", 1, 0.05)
        assert await provider.expire("key", 60)
        await lapse(0.06)
        assert await provider.get("key") == 1

    async def test_expire_can_shorten_a_lifetime(
        self, provider: BaseCacheProvider, lapse: Wait
    ) -> None:
        await provider.set("key", 1, 60)
        await provider.expire("key", 0.05)
        await lapse(0.06)
        assert await provider.get("key") is MISSING

    async def test_expire_of_a_missing_key_says_so_and_makes_none(
        self, provider: BaseCacheProvider
    ) -> None:
        assert not await provider.expire("never", 60)
        assert await provider.get("never") is MISSING

    async def test_a_lease_lets_its_holder_fill(self, provider: BaseCacheProvider) -> None:
        lease = await provider.lease("key", 60)
        assert lease
        assert await provider.get("key") is MISSING
        assert await provider.fill("key", [1], 60, lease)
        assert await provider.get("key") == [1]

    async def test_one_at_a_time_holds_the_lease(self, provider: BaseCacheProvider) -> None:
        leases = await asyncio.gather(*(provider.lease("key", 60) for _ in range(20)))
        assert sum(map(bool, leases)) == 1

    async def test_leases_of_two_keys_are_independent(self, provider: BaseCacheProvider) -> None:
        leases = [await provider.lease("a", 60), await provider.lease("b", 60)]
        assert len(set(leases)) == 2
        assert [await provider.fill(k, 1, 60, t) for k, t in zip("ba", leases, strict=True)] == [
            False,
            False,
        ]

    async def test_a_filled_lease_is_over(self, provider: BaseCacheProvider) -> None:
        lease = await provider.lease("key", 60)
        await provider.fill("key", 1, 60, lease)
        assert not await provider.fill("key", 2, 60, lease)
        assert await provider.get("key") == 1
        assert await provider.lease("key", 60)

    async def test_a_released_lease_is_free_for_the_next(self, provider: BaseCacheProvider) -> None:
        lease = await provider.lease("key", 60)
        await provider.release("key", lease)
        assert not await provider.fill("key", 1, 60, lease)
        assert await provider.lease("key", 60)

    async def test_releasing_a_void_lease_leaves_the_next_holders(
        self, provider: BaseCacheProvider
    ) -> None:
        old = await provider.lease("key", 60)
        await provider.delete_many(["key"])
        new = await provider.lease("key", 60)
        await provider.release("key", old)
        assert await provider.fill("key", 1, 60, new)

    async def test_a_lease_ends_with_its_time(
        self, provider: BaseCacheProvider, lapse: Wait
    ) -> None:
        old = await provider.lease("key", 0.05)
        await lapse(0.06)
        new = await provider.lease("key", 60)
        assert new not in {"", old}
        assert not await provider.fill("key", "old", 60, old)
        assert await provider.fill("key", "new", 60, new)

    @pytest.mark.parametrize("change", CHANGES)
    async def test_a_change_voids_the_lease_so_that_no_fill_covers_it(
        self, provider: BaseCacheProvider, change: str
    ) -> None:
        lease = await provider.lease("key", 60)
        await CHANGES[change](provider)
        found = await provider.get("key")
        assert not await provider.fill("key", "loaded before", 60, lease)
        assert await provider.get("key") == found
        assert await provider.lease("key", 60)

    async def test_a_lease_of_a_key_with_a_value_leaves_the_value(
        self, provider: BaseCacheProvider
    ) -> None:
        await provider.set("key", "old", 60)
        lease = await provider.lease("key", 60)
        assert await provider.get("key") == "old"
        assert await provider.fill("key", "new", 60, lease)
        assert await provider.get("key") == "new"

    async def test_a_filled_value_is_gone_after_its_lifetime(
        self, provider: BaseCacheProvider, lapse: Wait
    ) -> None:
        await provider.fill("key", 1, 0.05, await provider.lease("key", 60))
        await lapse(0.06)
        assert await provider.get("key") is MISSING

    async def test_an_invented_lease_fills_nothing(self, provider: BaseCacheProvider) -> None:
        assert not await provider.fill("key", 1, 60, "")
        assert not await provider.fill("key", 1, 60, "invented")
        assert await provider.get("key") is MISSING

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


class SharedCacheContract(CacheContract):
    """For kinds that other processes see: subclasses give `second`, a provider beside the first.

    It is another object on the same storage, as another process would have.
    """

    @pytest.fixture
    def second(self) -> BaseCacheProvider:
        raise NotImplementedError

    async def test_what_one_sets_the_other_gets(
        self, provider: BaseCacheProvider, second: BaseCacheProvider
    ) -> None:
        await provider.set("key", (1, b"2"), 60)
        assert await second.get("key") == (1, b"2")
        assert await second.delete_many(["key"]) == 1
        assert await provider.get("key") is MISSING

    async def test_increments_of_both_all_count(
        self, provider: BaseCacheProvider, second: BaseCacheProvider
    ) -> None:
        both = [provider, second] * 25
        await asyncio.gather(*(each.increment("n", 1, 60) for each in both))
        assert await second.get("n") == 50

    async def test_of_both_adding_one_succeeds(
        self, provider: BaseCacheProvider, second: BaseCacheProvider
    ) -> None:
        both = [provider, second] * 5
        added = await asyncio.gather(*(each.add("key", 1, 60) for each in both))
        assert sum(added) == 1

    async def test_of_both_one_holds_the_lease(
        self, provider: BaseCacheProvider, second: BaseCacheProvider
    ) -> None:
        lease = await provider.lease("key", 60)
        assert not await second.lease("key", 60)
        await provider.release("key", lease)
        assert await second.lease("key", 60)

    @pytest.mark.parametrize("turns", [0, 1, 2, 4])
    async def test_a_lease_whose_caller_was_cancelled_is_not_left_behind(
        self, provider: BaseCacheProvider, second: BaseCacheProvider, turns: int
    ) -> None:
        asking = asyncio.create_task(provider.lease("key", 60))
        for _ in range(turns):
            await asyncio.sleep(0)
        asking.cancel()
        with suppress(asyncio.CancelledError):
            await provider.release("key", await asking)
        async with asyncio.timeout(5):
            while not await second.lease("key", 60):  # noqa: ASYNC110 - bounded, and nobody tells
                await asyncio.sleep(0.005)

    @pytest.mark.parametrize("change", CHANGES)
    async def test_a_change_by_the_other_voids_the_lease(
        self, provider: BaseCacheProvider, second: BaseCacheProvider, change: str
    ) -> None:
        lease = await provider.lease("key", 60)
        await CHANGES[change](second)
        found = await provider.get("key")
        assert not await provider.fill("key", "loaded before", 60, lease)
        assert await provider.get("key") == found
