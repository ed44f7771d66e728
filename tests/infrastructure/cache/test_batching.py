import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from infrastructure.cache.base import MISSING
from infrastructure.cache.batching import JoinedReads
from infrastructure.errors import UnavailableError


class Storage:
    """Reads when it is let, and remembers what it was asked for."""

    def __init__(self) -> None:
        self.asked: list[list[str]] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.error: Exception | None = None

    async def read(self, keys: Sequence[str]) -> list[Any]:
        self.asked.append(list(keys))
        await self.gate.wait()
        if self.error:
            raise self.error
        return [MISSING if key == "never" else [key] for key in keys]


@pytest.fixture
def storage() -> Storage:
    return Storage()


@pytest.fixture
def joined(storage: Storage) -> JoinedReads:
    return JoinedReads(storage.read, 5, "cache.default")


async def test_reads_of_one_turn_are_one_read(storage: Storage, joined: JoinedReads) -> None:
    reads = [joined.read(["a", "b"]), joined.read(["b", "c", "never"])]
    assert await asyncio.gather(*reads) == [[["a"], ["b"]], [["b"], ["c"], MISSING]]
    assert storage.asked == [["a", "b", "c", "never"]]


async def test_reads_of_two_turns_are_two(storage: Storage, joined: JoinedReads) -> None:
    await joined.read(["a"])
    await joined.read(["a"])
    assert storage.asked == [["a"], ["a"]]


async def test_a_reader_alone_waits_for_nobody(joined: JoinedReads) -> None:
    alone = joined.read(["a"]).__await__()
    with pytest.raises(StopIteration) as done:
        next(alone)
    assert done.value.value == [["a"]]


async def test_a_reader_waits_for_others_while_a_read_is_under_way(
    storage: Storage, joined: JoinedReads
) -> None:
    storage.gate.clear()
    first, second = (joined.read([key]).__await__() for key in "ab")
    next(first)
    assert next(second) is None
    assert storage.asked == [["a"]]
    first.close()
    second.close()


async def test_no_two_readers_share_an_object(joined: JoinedReads) -> None:
    first, second, third = await asyncio.gather(*(joined.read(["a"]) for _ in range(3)))
    first[0].append("mine")
    second[0].append("mine too")
    assert third == [["a"]]


async def test_duplicates_of_the_first_reader_are_kept(
    storage: Storage, joined: JoinedReads
) -> None:
    assert await joined.read(["a", "a", "b"]) == [["a"], ["a"], ["b"]]


async def test_more_keys_than_fit_are_read_in_parts(storage: Storage, joined: JoinedReads) -> None:
    found = await asyncio.gather(*(joined.read([str(n)]) for n in range(2000)))
    assert found == [[[str(n)]] for n in range(2000)]
    assert [len(asked) for asked in storage.asked] == [512, 512, 512, 464]


async def test_an_error_goes_to_every_reader(storage: Storage, joined: JoinedReads) -> None:
    storage.error = UnavailableError("down")
    reads = [joined.read(["a"]), joined.read(["b"])]
    errors = await asyncio.gather(*reads, return_exceptions=True)
    assert [type(error) for error in errors] == [UnavailableError] * 2


@pytest.mark.parametrize("turns", [0, 1, 2])
async def test_a_cancelled_first_reader_fails_nobody(
    storage: Storage, joined: JoinedReads, turns: int
) -> None:
    storage.gate.clear()
    first = asyncio.ensure_future(joined.read(["a"]))
    others = [asyncio.ensure_future(joined.read([key])) for key in "bc"]
    for _ in range(turns):
        await asyncio.sleep(0)
    first.cancel()
    storage.gate.set()
    assert await asyncio.gather(*others) == [[["b"]], [["c"]]]
    assert (await asyncio.gather(first, return_exceptions=True))[0].__class__ is (
        asyncio.CancelledError
    )


async def test_a_cancelled_reader_leaves_the_others(storage: Storage, joined: JoinedReads) -> None:
    storage.gate.clear()
    tasks = [asyncio.ensure_future(joined.read([key])) for key in "abc"]
    await asyncio.sleep(0)
    tasks[1].cancel()
    storage.gate.set()
    assert [await tasks[0], await tasks[2]] == [[["a"]], [["c"]]]


def test_it_goes_on_in_another_event_loop(storage: Storage) -> None:
    joined = JoinedReads(storage.read, 5, "cache.default")

    async def found() -> list[Any]:
        return await joined.read(["a"])

    assert [asyncio.run(found()) for _ in range(2)] == [[["a"]]] * 2
