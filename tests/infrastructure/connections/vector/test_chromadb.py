"""Chroma, embedded and as a real server: every promise of the port, and its own."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infrastructure.connections.vector.base import Place, Record, SparseVector
from infrastructure.connections.vector.chromadb import ChromadbVectorStore
from infrastructure.connections.vector.filters import (
    ORDER,
    AllOf,
    Condition,
    Filter,
    Operator,
    matches,
    operators,
    where,
)
from infrastructure.errors import ConflictError, NotFoundError, RejectedError, UnsupportedError
from infrastructure.servers.chroma import ChromaServer
from tests.contracts.vector_contract import VectorContract
from tests.contracts.vector_fixtures import Embedding
from tests.infrastructure.connections.vector.chromadb_stores import new_database, store_of
from tests.infrastructure.connections.vector.filter_strategies import fields, filters

NOTES = "notes"
without_text = filters.filter(lambda one: Operator.TEXT not in operators(one))


class TestChromadbServer(VectorContract):
    @pytest.fixture
    def manager(self, chroma: ChromaServer) -> ChromadbVectorStore:
        return store_of(**new_database(chroma))


@pytest.fixture
async def store():
    async with store_of() as store:
        yield store


# what is kept


@pytest.mark.parametrize(
    "name",
    ["a", "ab", "_x", "x-", "-", "sg.a.sg", "x" * 128, "a..b", "a._b", "_..", "1.2.3.4", "_" * 128],
)
async def test_every_name_of_the_port_is_one_here(store: ChromadbVectorStore, name: str):
    assert await store.ensure_collection(name, 2)
    await store.ensure_collection("other", 2)
    await store.upsert(name, [Record("1", [1.0, 0.0])])
    assert await store.list_collections() == sorted([name, "other"])
    assert (await store.count(name), await store.count("other")) == (1, 0)
    assert await store.drop_collection(name)


async def test_a_field_that_was_replaced_is_gone_from_filters_too(store: ChromadbVectorStore):
    await store.ensure_collection(NOTES, 2)
    old = {"n": 1, "tags": ["a", 2], "day": "2026-01-01", "none": None}
    await store.upsert(NOTES, [Record("1", [1.0, 0.0], fields=old)])
    await store.upsert(NOTES, [Record("1", [1.0, 0.0], fields={"n": "text"})])
    assert (await store.get(NOTES, ["1"]))[0].fields == {"n": "text"}
    asked = [where("n") >= 0, where("tags") == "a", where("tags") > 0, where("day") > "2025-01-01"]
    assert [await store.count(NOTES, one) for one in asked] == [0, 0, 0, 0]


async def test_more_than_chroma_takes_at_once_goes_in_pieces():
    async with store_of(batch_size=100_000) as big:
        assert 0 < big.batch_size < 100_000
        await big.ensure_collection(NOTES, 1)
        count = big.batch_size + 1
        await big.upsert(NOTES, [Record(str(i), [1.0]) for i in range(count)])
        assert await big.count(NOTES) == count


async def test_changes_at_once_are_all_kept(store: ChromadbVectorStore):
    await store.ensure_collection(NOTES, 1)
    await store.upsert(NOTES, [Record("1", [1.0])])
    await asyncio.gather(*(store.update(NOTES, ["1"], {f"f{i}": i}) for i in range(20)))
    assert (await store.get(NOTES, ["1"]))[0].fields == {f"f{i}": i for i in range(20)}


async def test_a_collection_of_somebody_else_is_told_apart(store: ChromadbVectorStore):
    await store._do("create_collection", name="theirs", **store._database)
    assert await store.list_collections() == []
    for call in (store.count("theirs"), store.drop_collection("theirs")):
        with pytest.raises(ConflictError, match="was not created here"):
            await call
    assert await store._do("count_collections", **store._database) == 1


async def test_a_collection_made_anew_elsewhere_is_used_from_the_next_call_on(
    chroma: ChromaServer,
):
    place = new_database(chroma)
    async with store_of(**place) as one, store_of(**place) as other:
        await one.ensure_collection(NOTES, 2)
        await one.upsert(NOTES, [Record("old", [1.0, 0.0])])
        await other.drop_collection(NOTES)
        await other.ensure_collection(NOTES, 2)
        assert await one.count(NOTES) == 0
        await other.drop_collection(NOTES)
        with pytest.raises(NotFoundError):
            await one.count(NOTES)


async def test_a_collection_divided_by_tenants_meanwhile_takes_no_record_of_nobody(
    store: ChromadbVectorStore,
):
    async def divide() -> None:
        await store.drop_collection(NOTES)
        await store.ensure_collection(NOTES, 1, tenants=True)
        assert await store.count(NOTES, tenant="acme") == 0

    store.embedder = Embedding([[1.0]], meanwhile=divide)
    await store.ensure_collection(NOTES, 1)
    with pytest.raises(NotFoundError):
        await store.upsert(NOTES, [Record("1", text="whose?")])
    assert await store._on(await store._place(NOTES, "acme"), "_count") == 0


async def test_a_collection_that_is_dropped_leaves_nothing_to_records_of_others(
    store: ChromadbVectorStore,
):
    await store.ensure_collection(NOTES, 1)
    await store.upsert(NOTES, [Record("1", [1.0], fields={"tags": ["secret", 1]})])
    await store.drop_collection(NOTES)
    await store.ensure_collection("other", 1)
    await store.upsert("other", [Record("2", [1.0])])
    assert await store.get("other", ["2"]) == [Record("2", [1.0])]
    assert await store.count("other", where("tags").exists()) == 0


async def test_a_record_that_goes_while_a_page_is_read_does_not_end_the_scroll(
    monkeypatch: pytest.MonkeyPatch,
):
    async with store_of(batch_size=2) as store:
        await store.ensure_collection(NOTES, 1)
        await store.upsert(NOTES, [Record(str(i), [1.0]) for i in range(6)])
        whole = store._stored

        async def stored(place: Place, ids: list[str]) -> list[Record]:
            if len(ids) == 2:
                await store._remove(place, ids[:1])
            return await whole(place, ids)

        monkeypatch.setattr(store, "_stored", stored)
        assert [record.id async for record in store.scroll(NOTES)] == ["1", "2", "4", "5"]


@pytest.mark.parametrize("number", [2.0**53, 1e15 - 1, 4419350747643730.0, 1e22, 1 / 3, 5e-324])
async def test_a_float_comes_back_to_the_last_digit(store: ChromadbVectorStore, number: float):
    fields = {"one": number, "list": [number, -number]}
    await store.ensure_collection(NOTES, 1)
    await store.upsert(NOTES, [Record("1", [1.0], fields=fields)])
    assert (await store.get(NOTES, ["1"]))[0].fields == fields


@pytest.mark.parametrize("bound", [-2.5, -0.5, 0.5, 2.5, 2])
async def test_whole_numbers_and_fractions_are_compared_as_numbers(
    store: ChromadbVectorStore, bound: float
):
    numbers = [-3, -2, -2.0, -2.5, -1, -0.5, 0, 0.5, 1, 2, 2.0, 2.5, 3]
    records = [Record(str(i), [1.0], fields={"n": n}) for i, n in enumerate(numbers)]
    await store.ensure_collection(NOTES, 1)
    await store.upsert(NOTES, records)
    for operator in (*ORDER, Operator.EQ, Operator.NE):
        asked = Condition("n", operator, bound)
        expected = [record for record in records if matches(asked, record.fields)]
        assert await store.count(NOTES, asked) == len(expected), operator
    assert await store.get(NOTES, [record.id for record in records]) == records


async def test_what_chroma_cannot_do_is_refused_before_it_is_asked(store: ChromadbVectorStore):
    with pytest.raises(UnsupportedError, match="chromadb has no sparse vectors"):
        await store.ensure_collection(NOTES, 2, sparse=True)
    await store.ensure_collection(NOTES, 2)
    with pytest.raises(UnsupportedError, match="chromadb cannot filter by text"):
        await store.count(NOTES, where("a").has_text("b"))
    with pytest.raises(RejectedError, match="made without"):
        await store.search(NOTES, sparse=SparseVector([1], [1.0]))


@pytest.mark.parametrize("limit", [2**32, 10**30])
async def test_a_limit_above_what_chroma_counts_to_is_all(store: ChromadbVectorStore, limit: int):
    await store.ensure_collection(NOTES, 1)
    await store.upsert(NOTES, [Record("1", [1.0])])
    assert len(await store.search(NOTES, [1.0], limit=limit)) == 1
    assert await store.search(NOTES, [1.0], offset=limit) == []


# filters


@settings(max_examples=30)
@given(
    st.lists(fields, min_size=1, max_size=8),
    st.lists(without_text, min_size=1, max_size=5),
)
def test_it_finds_what_the_reference_finds(
    shared: tuple[asyncio.Runner, ChromadbVectorStore],
    all_fields: list[dict[str, Any]],
    asked: list[Filter],
):
    runner, store = shared
    records = [Record(str(i), [1.0], fields=one) for i, one in enumerate(all_fields)]

    async def found() -> None:
        await store.delete(NOTES, AllOf())
        await store.upsert(NOTES, records)
        assert [one.fields async for one in store.scroll(NOTES)] == all_fields
        for one in asked:
            expected = {record.id for record in records if matches(one, record.fields)}
            assert {match.id for match in await store.search(NOTES, [1.0], filter=one)} == expected

    runner.run(found())


@pytest.fixture(scope="module")
def shared() -> Iterator[tuple[asyncio.Runner, ChromadbVectorStore]]:
    """A loop, and a store with one collection that is open in it."""
    store = store_of()
    with asyncio.Runner() as runner:
        runner.run(store.ensure_collection(NOTES, 1))
        yield runner, store
        runner.run(store.disconnect())
