"""Change streams of MongoDB."""

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from infrastructure.connections.database.mongodb import MongodbConnectionManager
from infrastructure.connections.database.mongodb.changes import Change
from infrastructure.errors import ConfigurationError, NotFoundError, UnavailableError
from infrastructure.servers.mongodb import MongodbServer
from tests.mongodb import DRIVERS, fail, made, on_both_drivers

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(loop_scope="module", autouse=True)
async def a_book(mongo: MongodbConnectionManager) -> None:
    await mongo.insert("books", {"_id": 0})


async def _token_of_now(mongo: MongodbConnectionManager) -> str:
    """The place behind a first change, which is made again until it is seen."""
    stream = mongo.watch("books")
    first = asyncio.ensure_future(anext(stream))
    while not first.done():
        await mongo.insert("books", {})
        await asyncio.wait((first,), timeout=0.05)
    await stream.aclose()  # type: ignore[attr-defined] # it is a generator
    return (await first).token


async def _next(stream: AsyncIterator[Change], number: int) -> list[Change]:
    return [await anext(stream) for _ in range(number)]


@on_both_drivers
async def test_changes_come_in_order_with_what_was_changed(mongo: MongodbConnectionManager):
    chosen = [{"$match": {"documentKey._id": {"$in": [0, 1]}}}]
    stream = mongo.watch("books", pipeline=chosen, after=await _token_of_now(mongo))
    await mongo.insert("books", {"_id": 1, "title": "Dune"})
    await mongo.update("books", {"_id": 1}, {"$set": {"year": 1965}, "$unset": {"title": 1}})
    await mongo.delete("books", {"_id": 0})
    inserted, updated, deleted = await _next(stream, 3)
    assert (inserted.kind, inserted.id) == ("insert", 1)
    assert inserted.document == {"_id": 1, "title": "Dune"}
    assert (updated.kind, updated.updated, updated.removed) == (
        "update",
        {"year": 1965},
        ("title",),
    )
    assert updated.document is None
    assert (deleted.kind, deleted.id) == ("delete", 0)


async def test_the_whole_document_of_an_update_is_looked_up_when_asked_for(
    mongo: MongodbConnectionManager,
):
    chosen = [{"$match": {"operationType": "update"}}]
    after = await _token_of_now(mongo)
    stream = mongo.watch("books", pipeline=chosen, after=after, with_documents=True)
    await mongo.update("books", {"_id": 0}, {"$set": {"year": 1965}})
    assert (await anext(stream)).document == {"_id": 0, "year": 1965}


async def test_a_token_leads_on_behind_its_change(mongo: MongodbConnectionManager):
    chosen = [{"$match": {"documentKey._id": {"$in": [1, 2, 3]}}}]
    stream = mongo.watch("books", pipeline=chosen, after=await _token_of_now(mongo))
    for key in range(1, 4):
        await mongo.insert("books", {"_id": key})
    first = await anext(stream)
    again = mongo.watch("books", pipeline=chosen, after=first.token)
    assert [one.id for one in await _next(again, 2)] == [2, 3]


async def test_nothing_is_lost_where_the_connection_is(mongo: MongodbConnectionManager):
    chosen = [{"$match": {"documentKey._id": {"$in": [1, 2]}}}]
    stream = mongo.watch("books", pipeline=chosen, after=await _token_of_now(mongo))
    await mongo.insert("books", {"_id": 1})
    assert (await anext(stream)).id == 1
    await fail(mongo, "getMore", times=2, closeConnection=True)
    await mongo.insert("books", {"_id": 2})
    assert (await anext(stream)).id == 2
    await fail(mongo, "getMore", times=0)


@pytest.mark.parametrize("driver", DRIVERS)
async def test_a_stream_ends_when_the_manager_is_closed(mongodb: MongodbServer, driver: str):
    nothing = [{"$match": {"documentKey._id": "never"}}]
    async with made(mongodb, driver=driver, timeout_seconds=0.6) as mongo:
        await mongo.insert("books", {"_id": 0})
        stream = mongo.watch("books", pipeline=nothing, after=await _token_of_now(mongo))
        reading = asyncio.ensure_future(anext(stream))
        await asyncio.sleep(0)
        await mongo.disconnect()
        with pytest.raises(UnavailableError):
            await reading
        assert mongo.loop is None  # it has not opened it again


async def test_a_stream_that_is_left_holds_no_connection(mongo: MongodbConnectionManager):
    after = await _token_of_now(mongo)
    await mongo.insert("books", {"_id": 1})
    stream: object = mongo.watch("books", after=after)
    assert isinstance(stream, AsyncIterator)
    await anext(stream)
    await stream.aclose()  # type: ignore[attr-defined] # it is a generator
    assert mongo.pool_stats().in_use == 0


@pytest.mark.parametrize("after", ["{", "5", "null", "{}", '{"$oid": 5}'])
async def test_what_is_no_token_is_refused(mongo: MongodbConnectionManager, after: str):
    with pytest.raises(ConfigurationError, match="token"):
        await anext(mongo.watch("books", after=after))


@on_both_drivers
async def test_a_collection_that_is_dropped_and_made_again_is_followed(
    mongo: MongodbConnectionManager,
):
    stream = mongo.watch("books", after=await _token_of_now(mongo))
    await mongo.execute({"drop": "books"})
    await mongo.insert("books", {"_id": 7})
    while (change := await anext(stream)).kind != "invalidate":
        pass
    change = await anext(stream)
    assert (change.kind, change.id) == ("insert", 7)


@pytest.mark.parametrize("driver", DRIVERS)
async def test_a_stream_goes_on_where_it_was_after_other_settings(
    mongodb: MongodbServer, driver: str
):
    async with made(mongodb, driver=driver) as mongo:
        chosen = [{"$match": {"documentKey._id": {"$in": [1, 2]}}}]
        stream = mongo.watch("books", pipeline=chosen, after=await _token_of_now(mongo))
        await mongo.insert("books", {"_id": 1})
        assert (await anext(stream)).id == 1
        await mongo.rotate(max_connections=3)
        await mongo.insert("books", {"_id": 2})
        assert (await anext(stream)).id == 2


async def test_a_token_that_is_too_old_is_told_as_that(mongo: MongodbConnectionManager):
    after = await _token_of_now(mongo)
    await fail(mongo, "aggregate", errorCode=286)
    with pytest.raises(NotFoundError, match="watch anew"):
        await anext(mongo.watch("books", after=after))
