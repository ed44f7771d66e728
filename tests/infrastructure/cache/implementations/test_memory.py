import pytest

from infrastructure.cache.base import MISSING
from infrastructure.cache.implementations.memory import InMemoryCacheProvider, MemoryCacheSettings
from tests.contracts.cache_contract import CacheContract, Wait


class Clock:
    """Time that goes by only when a test says so."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now

    async def lapse(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def provider(clock: Clock) -> InMemoryCacheProvider:
    return InMemoryCacheProvider(MemoryCacheSettings(), clock=clock)


def _small(clock: Clock, max_entries: int) -> InMemoryCacheProvider:
    return InMemoryCacheProvider(MemoryCacheSettings(max_entries=max_entries), clock=clock)


class TestMemory(CacheContract):
    @pytest.fixture
    def provider(self, clock: Clock) -> InMemoryCacheProvider:
        return InMemoryCacheProvider(MemoryCacheSettings(), clock=clock)

    @pytest.fixture
    def lapse(self, clock: Clock) -> Wait:
        return clock.lapse


async def test_the_longest_unused_goes_first_when_it_is_full(clock: Clock) -> None:
    provider = _small(clock, 2)
    await provider.set_many({"a": 1, "b": 2}, 60)
    await provider.get("a")
    await provider.set("c", 3, 60)
    assert await provider.get_many(["a", "b", "c"]) == [1, MISSING, 3]


async def test_an_expired_entry_goes_before_the_longest_unused(clock: Clock) -> None:
    provider = _small(clock, 2)
    await provider.set("lasting", 1, 60)
    await provider.set("brief", 2, 1)
    await clock.lapse(2)
    await provider.set("new", 3, 60)
    assert await provider.get_many(["lasting", "brief", "new"]) == [1, MISSING, 3]


async def test_expired_entries_free_their_memory_without_being_read(clock: Clock) -> None:
    provider = _small(clock, 1000)
    await provider.set_many(dict.fromkeys(map(str, range(500)), 0), 1)
    await clock.lapse(2)
    await provider.set("new", 1, 60)
    assert len(provider) == 1
    assert provider.bytes < 1000


async def test_more_at_once_than_fit_keeps_the_last(clock: Clock) -> None:
    provider = _small(clock, 3)
    await provider.set_many({str(number): number for number in range(10)}, 60)
    assert len(provider) == 3
    assert await provider.get_many(["7", "8", "9"]) == [7, 8, 9]


async def test_overwriting_one_key_for_ever_takes_no_more_memory(clock: Clock) -> None:
    provider = _small(clock, 10)
    for number in range(5000):
        await provider.set("key", number, 60)
    assert len(provider._kept._deadlines) < 2000


async def test_closing_frees_what_was_kept(provider: InMemoryCacheProvider) -> None:
    await provider.connect()
    await provider.set("key", 1, 60)
    await provider.disconnect()
    assert len(provider) == 0


@pytest.mark.parametrize("seconds", [(60, 5), (5, 60), (60, None)])
async def test_two_keys_in_one_look_are_both_there_or_neither(
    clock: Clock, seconds: tuple[int, int | None]
) -> None:
    provider = _small(clock, 10)
    for key, lifetime in zip("ab", seconds, strict=True):
        if lifetime is not None:
            await provider.set(key, [key], lifetime)
            assert provider.both_now(key, key) == ([key], [key])
    clock.now += 6
    assert provider.both_now("a", "b") == (MISSING, MISSING)
    assert provider.both_now("never", "a") == (MISSING, MISSING)


async def test_a_look_at_two_keys_is_a_use_of_both(clock: Clock) -> None:
    provider = _small(clock, 3)
    await provider.set_many({"a": 1, "b": 2, "c": 3}, 60)
    assert provider.both_now("a", "b") == (1, 2)
    await provider.set_many({"d": 4}, 60)
    assert await provider.get_many(["a", "b", "c", "d"]) == [1, 2, MISSING, 4]
