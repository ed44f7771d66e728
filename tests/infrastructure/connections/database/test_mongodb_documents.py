"""Documents in MongoDB."""

import asyncio
import re
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from bson import Int64, ObjectId

from infrastructure.connections.database.conflicts import VersionConflictError
from infrastructure.connections.database.mongodb import MongodbConnectionManager
from infrastructure.connections.database.mongodb.bulk import (
    Delete,
    Insert,
    Replace,
    Update,
    Write,
)
from infrastructure.connections.database.mongodb.values import DocumentId
from infrastructure.errors import ConfigurationError, ConflictError, RejectedError
from tests.mongodb import fail, on_both_drivers

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def _count_to(mongo: MongodbConnectionManager, number: int) -> None:
    writes = [Insert({"_id": place, "n": place}) for place in range(number)]
    assert (await mongo.bulk_write("numbers", writes)).is_complete


async def test_a_document_without_an_id_gets_one_that_is_text(mongo: MongodbConnectionManager):
    document = {"title": "Dune"}
    key = await mongo.insert("books", document)
    assert isinstance(key, DocumentId)
    assert isinstance(key, str)
    assert len(key) == 24
    assert await mongo.find_one("books", {"_id": key}) == {"_id": key, "title": "Dune"}
    assert document == {"title": "Dune"}  # the caller's own is not changed


@on_both_drivers
async def test_an_id_is_stored_as_an_object_id_wherever_it_stands(mongo: MongodbConnectionManager):
    author = await mongo.insert("authors", {})
    await mongo.insert("books", {"_id": 1, "authors": [author], "first": {"by": author}})
    stored = await mongo.client[mongo.settings.database]["books"].find_one()
    assert stored == {"_id": 1, "authors": [ObjectId(author)], "first": {"by": ObjectId(author)}}
    assert await mongo.count("books", {"authors": author, "first.by": DocumentId(str(author))}) == 1
    assert await mongo.count("books", {"authors": str(author)}) == 0  # text is text


@on_both_drivers
async def test_values_come_back_as_what_they_were(mongo: MongodbConnectionManager):
    document = {
        "_id": "one",
        "price": Decimal("12.50"),
        "at": datetime(2026, 5, 14, 12, 30, tzinfo=UTC),
        "key": UUID(int=7),
        "raw": b"\x00\x01",
        "big": 2**62,
        "nothing": None,
        "deep": [{"a": [1, 2.5, "x", True]}],
    }
    await mongo.insert("values", document)
    assert await mongo.find_one("values", {"price": Decimal("12.5")}) == document


@pytest.mark.parametrize("value", [2**64, object(), Decimal(f"1.{1:040}"), "\ud800", date.max])
async def test_what_cannot_be_stored_is_refused_and_not_shown(
    mongo: MongodbConnectionManager, value: Any
):
    with pytest.raises(RejectedError, match="driver refuses") as told:
        await mongo.insert("values", {"secret": value})
    assert str(value) not in str(told.value)


async def test_what_is_nested_without_end_is_refused(mongo: MongodbConnectionManager):
    document: dict[str, Any] = {}
    for _ in range(3_000):
        document = {"in": document}
    with pytest.raises(RejectedError, match="RecursionError"):
        await mongo.insert("values", document)


async def test_a_change_without_operators_is_refused(mongo: MongodbConnectionManager):
    for call in (
        mongo.update("values", {}, {"text": "x"}),
        mongo.upsert("values", {"_id": 1}, {"text": "x"}),
        mongo.bulk_write("values", [Update({}, {"text": "x"})]),
    ):
        with pytest.raises(RejectedError, match="driver refuses"):
            await call


async def test_a_time_without_a_zone_is_taken_as_utc_and_a_big_number_stays_one(
    mongo: MongodbConnectionManager,
):
    noon = datetime(2026, 5, 14, 12)  # noqa: DTZ001 - it is what is tested
    await mongo.insert("values", {"_id": 1, "at": noon, "big": Int64(1)})
    found = await mongo.find_one("values", {})
    assert found == {"_id": 1, "at": noon.replace(tzinfo=UTC), "big": 1}
    assert type(found["big"]) is Int64  # which is written as it was


@pytest.mark.parametrize("operator", [{"$ne": None}, {"$gte": 0}, re.compile("")])
async def test_an_operator_where_a_value_is_expected_is_refused(
    mongo: MongodbConnectionManager, operator: Any
):
    await mongo.insert("users", {"_id": 1, "version": 1})
    change = {"$set": {"admin": True}}
    for call in (
        mongo.update_version("users", operator, 1, change),
        mongo.update_version("users", 1, operator, change),
        mongo.upsert("users", {"_id": operator}, change),
        mongo.upsert("users", {"$or": [{}]}, change),
    ):
        with pytest.raises(RejectedError, match="an operator stands where a value"):
            await call
    assert await mongo.count("users", {"admin": True}) == 0


async def test_what_is_no_filter_fits_nothing(mongo: MongodbConnectionManager):
    await mongo.insert("users", {"_id": "ada"})
    nothing: list[Any] = [None, "ada", ["ada"]]
    for wrong in nothing:
        for call in (
            mongo.find_one("users", wrong),
            mongo.find("users", wrong, limit=1),
            anext(mongo.scan("users", wrong)),
            mongo.count("users", wrong),
            mongo.update("users", wrong, {"$set": {"x": 1}}),
            mongo.delete("users", wrong),
        ):
            with pytest.raises(RejectedError, match="a filter is a mapping"):
                await call


@on_both_drivers
async def test_a_search_has_a_limit_an_order_and_a_projection(mongo: MongodbConnectionManager):
    await _count_to(mongo, 10)
    found = await mongo.find(
        "numbers", {"n": {"$gt": 2}}, limit=3, skip=1, sort={"n": -1}, fields={"_id": 0}
    )
    assert found == [{"n": 8}, {"n": 7}, {"n": 6}]
    assert await mongo.find_one("numbers", {}, sort={"n": -1}, fields={"n": 1}) == {
        "_id": 9,
        "n": 9,
    }
    with pytest.raises(ConfigurationError, match="limit of 0"):
        await mongo.find("numbers", {}, limit=0)


async def test_a_search_that_fits_the_limit_is_one_exchange(mongo: MongodbConnectionManager):
    await _count_to(mongo, 300)
    await fail(mongo, "getMore", errorCode=8)
    assert len(await mongo.find("numbers", {}, limit=250)) == 250
    await fail(mongo, "getMore", times=0)


@on_both_drivers
async def test_a_scan_gives_every_document_batch_by_batch(mongo: MongodbConnectionManager):
    await _count_to(mongo, 25)
    found = [one["n"] async for one in mongo.scan("numbers", {}, sort={"n": 1}, batch_size=10)]
    assert found == list(range(25))


async def test_a_scan_that_is_left_early_holds_no_connection(mongo: MongodbConnectionManager):
    await _count_to(mongo, 25)
    scan: Any = mongo.scan("numbers", {}, batch_size=5)
    assert (await anext(scan))["n"] == 0
    await scan.aclose()
    assert mongo.pool_stats().in_use == 0


@on_both_drivers
async def test_a_pipeline_is_limited(mongo: MongodbConnectionManager):
    await _count_to(mongo, 10)
    stages: list[dict[str, Any]] = [
        {"$match": {"n": {"$gte": 5}}},
        {"$group": {"_id": {"$mod": ["$n", 2]}, "sum": {"$sum": "$n"}}},
        {"$sort": {"_id": 1}},
    ]
    assert await mongo.aggregate("numbers", stages, limit=1) == [{"_id": 0, "sum": 14}]
    assert len(await mongo.aggregate("numbers", stages, limit=9)) == 2


@on_both_drivers
async def test_documents_are_changed_counted_and_removed(mongo: MongodbConnectionManager):
    await _count_to(mongo, 5)
    assert await mongo.update("numbers", {"n": {"$gt": 2}}, {"$set": {"big": True}}, many=True) == 2
    assert await mongo.update("numbers", {"n": {"$gt": 2}}, {"$inc": {"n": 1}}) == 1
    assert await mongo.update("numbers", {"n": -1}, {"$set": {"n": 0}}) == 0
    assert await mongo.count("numbers", {"big": True}) == 2
    assert await mongo.delete("numbers", {}) == 1
    assert await mongo.delete("numbers", {}, many=True) == 4


async def test_a_second_document_of_a_unique_key_is_a_conflict_that_quotes_no_value(
    mongo: MongodbConnectionManager,
):
    await mongo.ensure_index("users", ["mail"], is_unique=True)
    await mongo.insert("users", {"mail": "ada@example.org"})
    with pytest.raises(ConflictError, match=r"db\.default") as told:
        await mongo.insert("users", {"mail": "ada@example.org"})
    assert "11000" in str(told.value)
    assert "ada" not in str(told.value)


@on_both_drivers
async def test_of_many_changes_of_one_version_one_counts(mongo: MongodbConnectionManager):
    account = await mongo.insert("accounts", {"balance": 0, "version": 1})

    async def deposit() -> int:
        return await mongo.update_version("accounts", account, 1, {"$inc": {"balance": 10}})

    ends = await asyncio.gather(*(deposit() for _ in range(8)), return_exceptions=True)
    assert [end for end in ends if not isinstance(end, VersionConflictError)] == [2]
    found = await mongo.find_one("accounts", {"_id": account})
    assert found == {"_id": account, "balance": 10, "version": 2}


async def test_32_writers_that_read_again_lose_no_update(mongo: MongodbConnectionManager):
    account = await mongo.insert("accounts", {"balance": 0, "version": 0})

    async def deposit() -> None:
        while True:
            read = await mongo.find_one("accounts", {"_id": account})
            assert read
            change = {"$set": {"balance": read["balance"] + 1}}
            try:
                await mongo.update_version("accounts", account, read["version"], change)
            except VersionConflictError:
                continue
            return

    await asyncio.gather(*(deposit() for _ in range(32)))
    assert await mongo.find_one("accounts", {"_id": account}, fields={"_id": 0}) == {
        "balance": 32,
        "version": 32,
    }


async def test_an_upsert_inserts_once_and_then_changes(mongo: MongodbConnectionManager):
    change = {"$inc": {"visits": 1}, "$setOnInsert": {"first": "home"}}
    assert await mongo.upsert("pages", {"path": "/"}, change)
    assert not await mongo.upsert("pages", {"path": "/"}, change)
    (page,) = await mongo.find("pages", {}, limit=2)
    assert isinstance(page.pop("_id"), DocumentId)
    assert page == {"path": "/", "visits": 2, "first": "home"}


@on_both_drivers
async def test_upserts_of_one_key_at_once_make_one_document(mongo: MongodbConnectionManager):
    await mongo.ensure_index("pages", ["path"], is_unique=True)
    change = {"$inc": {"visits": 1}}
    inserted = await asyncio.gather(
        *(mongo.upsert("pages", {"path": "/"}, change) for _ in range(16))
    )
    assert sum(inserted) == 1
    assert [page["visits"] for page in await mongo.find("pages", {}, limit=9)] == [16]


@on_both_drivers
async def test_a_bulk_tells_of_each_write_what_became_of_it(mongo: MongodbConnectionManager):
    await mongo.insert("numbers", {"_id": 1})
    outcome = await mongo.bulk_write(
        "numbers",
        [
            Insert({"_id": 1}),
            Insert({"_id": 2}),
            Update({"_id": 2}, {"$set": {"n": 2}}),
            Replace({"_id": 3}, {"n": 3}, upsert=True),
            Delete({"_id": 1}),
        ],
    )
    assert {place: type(error) for place, error in outcome.failures.items()} == {0: ConflictError}
    assert (outcome.inserted, outcome.matched, outcome.deleted) == (1, 1, 1)
    assert outcome.upserted == {3: 3}
    assert not outcome.is_complete
    assert outcome.not_tried == ()


async def test_a_bulk_in_order_stops_at_the_first_that_fails(mongo: MongodbConnectionManager):
    writes = [Insert({"_id": key}) for key in (1, 1, 2, 3)]
    outcome = await mongo.bulk_write("numbers", writes, ordered=True)
    assert list(outcome.failures) == [1]
    assert outcome.not_tried == (2, 3)
    assert await mongo.count("numbers", {}) == 1


@pytest.mark.parametrize("ordered", [False, True])
async def test_what_the_driver_refuses_of_a_bulk_is_told_beside_what_was_applied(
    mongo: MongodbConnectionManager, ordered: bool
):
    writes: list[Write] = [
        Insert({"_id": 1}),
        Insert({"_id": 2, "big": 2**64}),
        Update({"_id": 1}, {"$set": {"text": "\ud800"}}),
        Insert({"_id": 3, "long": "x" * 2**24}),
        Insert({"_id": 1}),
        Replace({"_id": 4}, {}, upsert=True),
    ]
    outcome = await mongo.bulk_write("numbers", writes, ordered=ordered)
    assert outcome.inserted == 1
    assert list(outcome.failures) == ([1] if ordered else [1, 2, 3, 4])
    assert outcome.upserted == ({} if ordered else {5: 4})
    assert outcome.not_tried == ((2, 3, 4, 5) if ordered else ())


async def test_a_bulk_of_nothing_is_complete(mongo: MongodbConnectionManager):
    assert (await mongo.bulk_write("numbers", [])).is_complete


@on_both_drivers
async def test_a_command_of_the_database_is_answered(mongo: MongodbConnectionManager):
    await mongo.insert("books", {})
    assert (await mongo.execute({"count": "books"}))["n"] == 1
    await mongo.ping()
