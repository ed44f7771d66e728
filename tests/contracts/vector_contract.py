"""What every vector store promises."""

import asyncio

import pytest

from infrastructure.connections.vector.base import Metric, Record, VectorStore
from infrastructure.connections.vector.filters import where
from infrastructure.errors import ConflictError, NotFoundError
from tests.contracts.connection_contract import ConnectionContract
from tests.contracts.vector_filter_contract import VectorFilterContract
from tests.contracts.vector_fixtures import COLORS, NOTES
from tests.contracts.vector_record_contract import VectorRecordContract
from tests.contracts.vector_search_contract import VectorSearchContract
from tests.contracts.vector_sparse_contract import VectorSparseContract
from tests.contracts.vector_tenant_contract import VectorTenantContract


class VectorContract(
    VectorRecordContract,
    VectorSearchContract,
    VectorFilterContract,
    VectorTenantContract,
    VectorSparseContract,
    ConnectionContract,
):
    """Inherit, and supply the fixture `manager`: an empty store that was not opened yet."""

    async def test_a_new_store_has_no_collections(self, store: VectorStore):
        assert await store.list_collections() == []

    async def test_ensuring_creates_once(self, store: VectorStore):
        assert await store.ensure_collection(NOTES, 3) is True
        assert await store.ensure_collection(NOTES, 3) is False

    async def test_many_ensure_at_once_and_one_creates(self, store: VectorStore):
        made = await asyncio.gather(*(store.ensure_collection(NOTES, 3) for _ in range(10)))
        assert sorted(made) == [False] * 9 + [True]

    async def test_collections_are_listed_by_name(self, store: VectorStore):
        for name in ("b", "C", "a-1.x_"):
            await store.ensure_collection(name, 2)
        assert await store.list_collections() == ["C", "a-1.x_", "b"]

    async def test_ensuring_keeps_what_is_stored(self, colors: VectorStore):
        await colors.ensure_collection(NOTES, 3)
        assert await colors.count(NOTES) == len(COLORS)

    async def test_other_dimensions_are_a_conflict(self, colors: VectorStore):
        with pytest.raises(
            ConflictError, match=r"3 dimensions, cosine, asked for 4 dimensions, cosine"
        ):
            await colors.ensure_collection(NOTES, 4)

    async def test_another_metric_is_a_conflict(self, colors: VectorStore):
        with pytest.raises(ConflictError, match="cosine, asked for 3 dimensions, dot"):
            await colors.ensure_collection(NOTES, 3, Metric.DOT)

    async def test_dropping_removes_everything(self, colors: VectorStore):
        assert await colors.drop_collection(NOTES) is True
        assert await colors.list_collections() == []
        await colors.ensure_collection(NOTES, 3)
        assert await colors.count(NOTES) == 0

    async def test_dropping_what_is_not_there_says_so(self, store: VectorStore):
        assert await store.drop_collection("absent") is False

    async def test_a_dropped_name_may_return_with_another_shape(self, colors: VectorStore):
        await colors.drop_collection(NOTES)
        assert await colors.ensure_collection(NOTES, 2, Metric.EUCLID) is True
        await colors.upsert(NOTES, [Record("1", [0.0, 0.0])])
        (match,) = await colors.search(NOTES, [3.0, 4.0])
        assert match.score == pytest.approx(-5.0)

    async def test_collections_do_not_see_each_other(self, colors: VectorStore):
        await colors.ensure_collection("other", 3)
        await colors.upsert("other", [Record("1", [0.0, 1.0, 0.0], "other")])
        assert [record.text for record in await colors.get(NOTES, ["1"])] == ["red"]

    async def test_every_call_names_a_collection_that_is_not_there(self, store: VectorStore):
        calls = [
            store.upsert("absent", COLORS[:1]),
            store.get("absent", ["1"]),
            store.delete("absent", ["1"]),
            store.delete("absent", where("a") == 1),
            store.count("absent"),
            store.search("absent", [1.0, 0.0, 0.0]),
            anext(aiter(store.scroll("absent"))),
        ]
        for call in calls:
            with pytest.raises(NotFoundError, match="absent"):
                await call

    # many at once

    async def test_many_tasks_write_and_read_at_once(self, colors: VectorStore):
        async def write_and_find(i: int) -> bool:
            await colors.upsert(NOTES, [Record(f"t{i}", [1.0, 0.0, 0.0], fields={"i": i})])
            found = await colors.search(NOTES, [1.0, 0.0, 0.0], filter=where("i") == i)
            return [match.id for match in found] == [f"t{i}"]

        assert all(await asyncio.gather(*(write_and_find(i) for i in range(30))))
        assert await colors.count(NOTES) == len(COLORS) + 30

    async def test_a_cancelled_search_leaves_it_usable(self, colors: VectorStore):
        search = asyncio.create_task(colors.search(NOTES, [1.0, 0.0, 0.0]))
        await asyncio.sleep(0)
        search.cancel()
        await asyncio.wait((search,))
        assert await colors.count(NOTES) == len(COLORS)
        assert colors.pool_stats().in_use == 0
