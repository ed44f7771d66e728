"""Items, queries, transactions and tables of DynamoDB, on moto."""

import asyncio
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import pytest
import pytest_asyncio

from infrastructure.connections.external.dynamodb import (
    Check,
    Delete,
    DynamoConnectionManager,
    Index,
    Key,
    KeyType,
    Put,
    Table,
    TransactionFailedError,
    Update,
)
from infrastructure.errors import ConflictError, NotFoundError, RejectedError
from infrastructure.servers.moto import MotoServer
from tests.infrastructure.connections.external.test_dynamodb import made

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def connected(moto: MotoServer) -> AsyncIterator[DynamoConnectionManager]:
    async with made(moto) as connected:
        yield connected


@pytest_asyncio.fixture(loop_scope="module")
async def db(connected: DynamoConnectionManager) -> AsyncIterator[DynamoConnectionManager]:
    await connected.ensure_table(BOOKS)
    yield connected
    await connected.drop_table("book")


AUTHOR, YEAR = Key("author"), Key("year", KeyType.NUMBER)


BOOKS = Table("book", AUTHOR, YEAR, indexes=[Index("by_genre", Key("genre"), YEAR)])


def book(year: int, **more: Any) -> dict[str, Any]:
    return {"author": "Lem", "year": year, **more}


SOLARIS = {"author": "Lem", "year": 1961}


async def test_what_was_put_is_got_as_it_was(db: DynamoConnectionManager):
    item = book(
        1961,
        title="Solaris ü",
        none=None,
        true=True,
        price=Decimal("12345678901234567890.1234567890"),
        small=Decimal("1E-120"),
        cover=b"\x00\xff",
        tags={"sea", "mind"},
        editions={Decimal(1), Decimal("2.5")},
        keys={b"a", b"b"},
        deep={"list": [1, "two", {"three": False}], "empty": {}},
        nothing=[],
        text="",
    )
    await db.put("book", {**item, "cover": memoryview(b"\x00\xff")})
    assert await db.get("book", SOLARIS, is_consistent=True) == item


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (1.5, "Decimal"),
        ({1, "a"}, "several types"),
        (set(), "found nothing"),
        ({True}, "found bool"),
        (Decimal("NaN"), "finite"),
        (10**39 + 1, "38 digits"),
        (Decimal("1E126"), "too large"),
        (Decimal("1E-131"), "too large or small"),
        (object(), "object"),
        ({1: "a"}, "named by text"),
        ("half \ud800", "half a character"),
    ],
)
async def test_what_would_not_survive_is_refused_here(
    db: DynamoConnectionManager, value: Any, told: str
):
    with pytest.raises(RejectedError, match=told):
        await db.put("book", book(1961, field={"deep": value}))


async def test_what_is_not_there_is_none(db: DynamoConnectionManager):
    assert await db.get("book", {"author": "nobody", "year": 1}) is None


async def test_a_deleted_item_is_gone(db: DynamoConnectionManager):
    await db.put("book", book(1961))
    await db.delete("book", SOLARIS)
    await db.delete("book", SOLARIS)
    assert await db.get("book", SOLARIS) is None


async def test_a_condition_that_does_not_hold_changes_nothing(db: DynamoConnectionManager):
    await db.put("book", book(1961, price=5), condition="attribute_not_exists(author)")
    with pytest.raises(ConflictError, match=r"PutItem of 'book'.*ConditionalCheckFailed"):
        await db.put("book", book(1961, price=6), condition="attribute_not_exists(author)")
    with pytest.raises(ConflictError):
        await db.delete("book", SOLARIS, condition="price > :most", values={":most": 5})
    assert await db.get("book", SOLARIS) == book(1961, price=5)


async def test_an_update_changes_removes_and_adds_and_gives_the_whole(db: DynamoConnectionManager):
    await db.put("book", book(1961, size=1, read=2, tags={"a"}))
    found = await db.update(
        "book", SOLARIS, {"title": "Solaris"}, remove=["size"], add={"read": 3, "tags": {"b"}}
    )
    assert found == book(1961, title="Solaris", read=5, tags={"a", "b"})


async def test_an_update_that_says_nothing_is_refused_here(db: DynamoConnectionManager):
    with pytest.raises(RejectedError, match="nothing to change"):
        await db.update("book", SOLARIS)


async def test_of_8_writers_with_the_version_check_no_write_is_lost(db: DynamoConnectionManager):
    await db.put("book", book(1961, count=0), version=0)

    async def count() -> int:
        tries = 0
        while True:
            tries += 1
            found = await db.get("book", SOLARIS, is_consistent=True)
            assert found is not None
            try:
                version = int(found["version"])
                await db.update("book", SOLARIS, {"count": found["count"] + 1}, version=version)
            except ConflictError:
                continue
            return tries

    await asyncio.gather(*(count() for _ in range(8)))
    assert await db.get("book", SOLARIS) == book(1961, count=8, version=9)


async def test_a_version_of_zero_is_for_what_is_not_there(db: DynamoConnectionManager):
    await db.put("book", book(1961), version=0)
    with pytest.raises(ConflictError):
        await db.put("book", book(1961), version=0)
    await db.put("book", book(1961), version=1)
    with pytest.raises(ConflictError):
        await db.delete("book", SOLARIS, version=1)
    await db.delete("book", SOLARIS, version=2)


async def test_a_query_gives_every_page_in_order(db: DynamoConnectionManager):
    await db.batch_write("book", [book(year, genre="sf") for year in range(1950, 1957)])
    values = {":author": "Lem"}
    found = [each async for each in db.query("book", "author = :author", values, page_items=2)]
    assert [each["year"] for each in found] == list(range(1950, 1957))
    latest = db.query(
        "book",
        "author = :author AND #year > :year",
        {**values, ":year": 1953},
        names={"#year": "year"},
        is_descending=True,
    )
    assert [each["year"] async for each in latest] == [1956, 1955, 1954]
    of_genre = db.query("book", "genre = :genre", {":genre": "sf"}, index="by_genre", page_items=3)
    assert len([each async for each in of_genre]) == 7


async def test_a_query_filters_what_it_found(db: DynamoConnectionManager):
    await db.batch_write("book", [book(year, genre=str(year % 2)) for year in (1, 2, 3)])
    values = {":author": "Lem", ":genre": "1"}
    found = db.query("book", "author = :author", values, only="genre = :genre", page_items=1)
    assert [each["year"] async for each in found] == [1, 3]


async def test_a_transaction_is_done_whole(db: DynamoConnectionManager):
    await db.put("book", book(1, n=1))
    await db.put("book", book(2))
    await db.transact(
        [
            Update("book", book(1), {"title": "x"}, add={"n": 1}),
            Delete("book", book(2)),
            Put("book", book(3), version=0),
            Check("book", book(4), condition="attribute_not_exists(author)"),
        ]
    )
    there = await db.batch_get("book", [book(year) for year in (1, 2, 3)])
    assert there == [book(1, title="x", n=2), None, book(3, version=1)]


async def test_a_transaction_that_fails_says_why_for_each_write(db: DynamoConnectionManager):
    await db.put("book", book(1))
    is_new = "attribute_not_exists(author)"
    with pytest.raises(TransactionFailedError, match="1: ConditionalCheckFailed") as failed:
        await db.transact([Put("book", book(2)), Put("book", book(1), condition=is_new)])
    assert [reason.is_fine for reason in failed.value.reasons] == [True, False]
    assert await db.get("book", book(2)) is None


async def test_a_transaction_too_large_is_not_sent(db: DynamoConnectionManager):
    with pytest.raises(RejectedError, match="found 101 with"):
        await db.transact([Put("book", book(year)) for year in range(101)])
    with pytest.raises(RejectedError, match="found 0 with 0"):
        await db.transact([])
    with pytest.raises(RejectedError, match=r"found 11 with 4[45]"):
        await db.transact([Put("book", book(year, data=bytes(400_000))) for year in range(11)])


async def test_a_batch_is_longer_than_a_request(db: DynamoConnectionManager):
    items = [book(year) for year in range(60)]
    assert (await db.batch_write("book", items)).done == 60
    wanted = [*items, book(99), *reversed(items)]
    assert await db.batch_get("book", wanted) == [*items, None, *reversed(items)]
    written = await db.batch_write("book", [book(99)], items[:30])
    assert (written.done, written.left_puts, written.left_deletes) == (31, (), ())
    assert await db.batch_get("book", [book(0), book(30), book(99)]) == [None, book(30), book(99)]


async def test_placeholders_of_the_callers_own_keep_their_meaning(db: DynamoConnectionManager):
    await db.put("book", book(1, name="a", size=2))
    own: dict[str, Any] = {"names": {"#sg1": "size"}, "values": {":sg1": 2}}
    found = await db.update("book", book(1), {"name": "b"}, condition="#sg1 = :sg1", **own)
    assert found == book(1, name="b", size=2)


async def test_a_key_that_can_be_none_is_refused_here(db: DynamoConnectionManager):
    with pytest.raises(RejectedError, match="'author' of a key"):
        await db.batch_get("book", [{"author": ["Lem"], "year": 1}])


async def test_a_key_is_found_however_its_number_is_written(db: DynamoConnectionManager):
    await db.put("book", book(1961))
    asked = {"author": "Lem", "year": Decimal("1961.0")}
    assert await db.batch_get("book", [asked, SOLARIS]) == [SOLARIS, SOLARIS]


async def test_a_table_is_made_once_and_held_against_what_is_wanted(db: DynamoConnectionManager):
    assert not await db.ensure_table(BOOKS)
    wrong = Table("book", AUTHOR, Key("title"), indexes=[Index("by_title", Key("title"))])
    with pytest.raises(ConflictError, match=r"keyed by author, year, not.*no index 'by_title'"):
        await db.ensure_table(wrong)
    with pytest.raises(ConflictError, match="'year' is of type N, not S"):
        await db.ensure_table(Table("book", AUTHOR, Key("year")))


async def test_a_table_has_the_ttl_it_was_said_to_have(db: DynamoConnectionManager):
    table = Table("session", Key("id"), ttl_attribute="ends_at")
    assert await db.ensure_table(table)
    found = await db.client.describe_time_to_live(TableName="session")
    assert found["TimeToLiveDescription"]["AttributeName"] == "ends_at"
    assert not await db.ensure_table(table)
    with pytest.raises(ConflictError, match=r"by 'ends_at', not 'other'"):
        await db.ensure_table(Table("session", Key("id"), ttl_attribute="other"))
    await db.drop_table("session")
    await db.drop_table("session")


async def test_local_indexes_and_chosen_attributes_are_made(db: DynamoConnectionManager):
    index = Index("by_pages", AUTHOR, Key("pages", KeyType.NUMBER), is_local=True, attributes=["a"])
    await db.ensure_table(Table("shelf", AUTHOR, YEAR, indexes=[index]))
    await db.put("shelf", book(1, pages=9, a="kept", b="left"))
    values = {":author": "Lem"}
    found = [x async for x in db.query("shelf", "author = :author", values, index="by_pages")]
    assert found == [book(1, pages=9, a="kept")]
    await db.drop_table("shelf")


async def test_a_table_that_is_not_there_is_said_by_name(db: DynamoConnectionManager):
    with pytest.raises(NotFoundError, match=r"external\.instances\.items: GetItem of 'nowhere'"):
        await db.get("nowhere", {"id": "1"})
