"""Indexes of MongoDB."""

import pytest

from infrastructure.connections.database.mongodb import MongodbConnectionManager
from infrastructure.connections.database.mongodb.indexes import Index
from infrastructure.errors import ConflictError
from tests.mongodb import on_both_drivers

pytestmark = pytest.mark.asyncio(loop_scope="module")

ID = Index("_id_", (("_id", 1),))


async def test_an_index_is_made_once_and_listed(mongo: MongodbConnectionManager):
    for _ in range(2):
        assert await mongo.ensure_index("books", ["author", ("year", -1)]) == "author_1_year_-1"
    listed = await mongo.list_indexes("books")
    assert listed == (ID, Index("author_1_year_-1", (("author", 1), ("year", -1))))


@on_both_drivers
async def test_an_index_is_listed_with_what_it_was_made_with(mongo: MongodbConnectionManager):
    only = {"mail": {"$exists": True}}
    await mongo.ensure_index("users", ["mail"], name="mail", is_unique=True, only_where=only)
    await mongo.ensure_index("users", ["seen"], name="old", expire_after_seconds=60)
    assert set(map(repr, await mongo.list_indexes("users"))) == {
        repr(ID),
        repr(Index("mail", (("mail", 1),), is_unique=True, only_where=only)),
        repr(Index("old", (("seen", 1),), expire_after_seconds=60)),
    }


async def test_another_index_of_the_same_keys_or_name_is_a_conflict(
    mongo: MongodbConnectionManager,
):
    await mongo.ensure_index("users", ["mail"], name="mail")
    with pytest.raises(ConflictError, match="drop_index"):
        await mongo.ensure_index("users", ["mail"], name="mail", is_unique=True)
    with pytest.raises(ConflictError, match="drop_index"):
        await mongo.ensure_index("users", ["phone"], name="mail")


async def test_documents_that_a_unique_index_forbids_are_a_conflict(
    mongo: MongodbConnectionManager,
):
    for _ in range(2):
        await mongo.insert("users", {"mail": "ada@example.org"})
    with pytest.raises(ConflictError) as told:
        await mongo.ensure_index("users", ["mail"], is_unique=True)
    assert "ada" not in str(told.value)


async def test_dropping_says_whether_there_was_one(mongo: MongodbConnectionManager):
    assert not await mongo.drop_index("users", "mail")
    await mongo.ensure_index("users", ["mail"], name="mail")
    assert await mongo.drop_index("users", "mail")
    assert not await mongo.drop_index("users", "mail")
    assert await mongo.list_indexes("users") == (ID,)
    assert await mongo.list_indexes("nobody") == ()
