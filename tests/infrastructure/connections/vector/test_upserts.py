"""What becomes of each record when a store takes some and not others."""

from collections.abc import Sequence

import pytest

from infrastructure.connections.vector.base import Record, UpsertError
from infrastructure.connections.vector.upserts import MAX_REFUSALS, Upsert
from infrastructure.errors import (
    AuthenticationError,
    Category,
    OverloadedError,
    RejectedError,
    UnavailableError,
    classify,
)

TEN = [Record(str(i), [1.0]) for i in range(10)]


class Shelf:
    """Takes whole batches, unless one of the records in it is bad."""

    def __init__(self, *bad: str, error: Exception | None = None) -> None:
        self.bad = set(bad)
        self.error = error or RejectedError("too blue")
        self.stored: list[str] = []
        self.asked = 0

    async def write(self, records: Sequence[Record]) -> None:
        self.asked += 1
        ids = [record.id for record in records]
        if self.bad.intersection(ids):
            raise self.error
        self.stored += ids

    async def upsert(self, records: Sequence[Record], batch_size: int) -> None:
        await Upsert(self.write, "vector.default").run(records, batch_size)


async def test_records_go_in_batches():
    shelf = Shelf()
    await shelf.upsert(TEN, 4)
    assert (shelf.asked, shelf.stored) == (3, [record.id for record in TEN])


async def test_the_records_to_blame_are_found_and_all_others_are_stored():
    shelf = Shelf("3", "8")
    with pytest.raises(
        UpsertError, match=r"vector.default: 2 of 10 records .*'3': too blue"
    ) as told:
        await shelf.upsert(TEN, 4)
    assert list(told.value.failed) == ["3", "8"]
    assert told.value.stored == tuple(shelf.stored) == tuple("01245679")
    assert told.value.__cause__ is told.value.failed["3"] is shelf.error
    assert classify(told.value) is Category.PERMANENT


async def test_a_batch_too_large_for_the_store_is_halved_until_it_fits():
    class Narrow(Shelf):
        async def write(self, records: Sequence[Record]) -> None:
            if len(records) > 3:
                raise RejectedError("413")
            await super().write(records)

    shelf = Narrow()
    await shelf.upsert(TEN, 10)
    assert shelf.stored == [record.id for record in TEN]


async def test_one_record_alone_is_refused_with_its_own_error():
    with pytest.raises(RejectedError, match="too blue"):
        await Shelf("0").upsert(TEN[:1], 4)


async def test_a_failure_behind_the_first_batch_says_what_is_stored_and_may_be_repeated():
    shelf = Shelf("5", error=UnavailableError("gone"))
    with pytest.raises(UpsertError) as told:
        await shelf.upsert(TEN, 4)
    assert told.value.stored == tuple("0123")
    assert list(told.value.failed) == list("456789")
    assert shelf.asked == 2
    assert classify(told.value) is Category.TRANSIENT


@pytest.mark.parametrize("error", [OverloadedError("full"), AuthenticationError("key")])
async def test_a_failure_of_the_first_batch_is_itself(error):
    shelf = Shelf("5", error=error)
    with pytest.raises(type(error)):
        await shelf.upsert(TEN, 10)
    assert shelf.asked == 1


async def test_a_failure_while_looking_for_the_bad_ones_keeps_their_own_errors():
    class Breaking(Shelf):
        async def write(self, records: Sequence[Record]) -> None:
            if records[0].id == "6":
                raise UnavailableError("gone")
            await super().write(records)

    shelf = Breaking("2")
    with pytest.raises(UpsertError) as told:
        await shelf.upsert(TEN, 6)
    errors = {one: type(why) for one, why in told.value.failed.items()}
    assert errors == {"2": RejectedError, **dict.fromkeys("6789", UnavailableError)}


async def test_a_store_that_refuses_everything_is_not_asked_for_each_record():
    many = [Record(str(i), [1.0]) for i in range(1000)]
    shelf = Shelf(*(record.id for record in many))
    with pytest.raises(UpsertError) as told:
        await shelf.upsert(many, 100)
    assert (told.value.stored, len(told.value.failed)) == ((), 1000)
    assert shelf.asked < 4 * MAX_REFUSALS + 10
