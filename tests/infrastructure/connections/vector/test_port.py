"""What the port does itself, before a backend is asked: the same code for every kind."""

import math
from typing import Any

import pytest

from infrastructure.connections.base import VECTOR_STORES
from infrastructure.connections.vector.base import Record, SparseVector, VectorRegistry, VectorStore
from infrastructure.connections.vector.filters import AllOf
from infrastructure.connections.vector.memory import MemorySettings, MemoryVectorStore
from infrastructure.embeddings.hashing import HashingEmbedder, HashingSettings
from infrastructure.errors import (
    ConfigurationError,
    DataError,
    RejectedError,
    UnavailableError,
    UnsupportedError,
)
from tests.contracts.vector_fixtures import COLORS, NOTES, Embedding, VectorFixtures

THREE = SparseVector([3], [1.5])


@pytest.mark.parametrize("kind", VECTOR_STORES)
def test_no_kind_has_a_call_of_its_own(kind: str):
    store = VectorRegistry.resolve(kind)
    names = [name for name in VectorStore.operations if hasattr(VectorStore, name)]
    calls = {getattr(store, name).__qualname__ for name in names}
    assert {call.partition(".")[0] for call in calls} == {"VectorStore", "VectorCollections"}


class TestPort(VectorFixtures):
    @pytest.fixture
    def manager(self):
        return MemoryVectorStore(MemorySettings(), name="vector.default")

    async def test_a_shape_that_cannot_be_is_refused(self, store: VectorStore):
        with pytest.raises(RejectedError, match=r"at least 1 .*found 0"):
            await store.ensure_collection(NOTES, 0)
        with pytest.raises(RejectedError, match="no metric 'near'"):
            await store.ensure_collection(NOTES, 3, "near")  # type: ignore[arg-type]  # the point

    async def test_a_metric_may_be_the_word_of_the_settings(self, store: VectorStore):
        await store.ensure_collection(NOTES, 2, "euclid")  # type: ignore[arg-type]  # the point
        await store.upsert(NOTES, [Record("1", [0.0, 0.0])])
        (match,) = await store.search(NOTES, [3.0, 4.0])
        assert match.score == pytest.approx(-5.0)

    async def test_a_name_that_is_no_name_is_refused(self, store: VectorStore):
        for name in ("", ".", "..", "../x", "a/b", "a b", "é", "x" * 129, "a\n"):
            with pytest.raises(RejectedError, match="cannot name a collection"):
                await store.ensure_collection(name, 3)
            with pytest.raises(RejectedError, match="cannot name a collection"):
                await store.drop_collection(name)

    async def test_a_wrong_length_lets_none_of_the_call_in(self, colors: VectorStore):
        records = [Record("5", [1.0, 0.0, 0.0]), Record("6", [1.0, 0.0])]
        with pytest.raises(RejectedError):
            await colors.upsert(NOTES, records)
        with pytest.raises(RejectedError):
            await colors.upsert(NOTES, [Record("6", [1.0, 0.0])])
        assert await colors.count(NOTES) == len(COLORS)

    async def test_nothing_is_nothing_to_do(self, colors: VectorStore):
        await colors.upsert(NOTES, [])
        await colors.delete(NOTES, [])
        assert await colors.get(NOTES, []) == []
        assert await colors.count(NOTES) == len(COLORS)

    async def test_one_id_alone_is_no_list_of_ids(self, colors: VectorStore):
        with pytest.raises(RejectedError, match="sequence of text"):
            await colors.get(NOTES, "12")
        with pytest.raises(RejectedError, match="sequence of text"):
            await colors.delete(NOTES, "12")

    async def test_an_id_that_no_store_keeps_is_refused(self, colors: VectorStore):
        calls = [
            colors.get(NOTES, ["1", "\ud800"]),
            colors.delete(NOTES, ["1", "\ud800"]),
            colors.update(NOTES, ["1", "\ud800"], {"year": 1}),
            anext(aiter(colors.scroll(NOTES, after="\ud800"))),
        ]
        for call in calls:
            with pytest.raises(RejectedError, match="lone surrogates"):
                await call
        assert await colors.get(NOTES, ["1"]) == COLORS[:1]

    async def test_an_update_that_no_filter_could_ask_about_changes_nothing(
        self, colors: VectorStore
    ):
        with pytest.raises(RejectedError, match="field 'year'"):
            await colors.update(NOTES, ["1"], {"year": {"nested": 1}})
        assert await colors.get(NOTES, ["1"]) == COLORS[:1]

    async def test_scrolling_less_than_one_is_refused(self, colors: VectorStore):
        with pytest.raises(RejectedError, match="limit"):
            await anext(aiter(colors.scroll(NOTES, limit=0)))

    async def test_a_filter_that_is_none_changes_nothing(self, colors: VectorStore):
        for wrong in ({"field": "year"}, {"year": 2024}):
            with pytest.raises(RejectedError, match="filter"):
                await colors.delete(NOTES, wrong)
        with pytest.raises(UnsupportedError, match="unknown operator 'like'"):
            await colors.delete(NOTES, {"field": "year", "operator": "like", "value": 1})
        assert await colors.count(NOTES) == 4

    async def test_a_query_of_another_length_is_refused(self, colors: VectorStore):
        with pytest.raises(RejectedError, match="2 dimensions, expected 3"):
            await colors.search(NOTES, [1.0, 0.0])

    async def test_a_query_that_is_no_vector_is_refused(self, colors: VectorStore):
        wrong: list[Any] = [[], [math.nan] * 3, [math.inf, 0.0, 0.0], ["x"], "123", b"abc", None]
        for vector in wrong:
            with pytest.raises(RejectedError, match="query vector"):
                await colors.search(NOTES, vector)

    async def test_a_minimum_score_that_is_no_number_is_refused(self, colors: VectorStore):
        for score in (math.nan, math.inf, -math.inf):
            with pytest.raises(RejectedError, match="a score is finite"):
                await colors.search(NOTES, [1.0, 0.0, 0.0], min_score=score)

    async def test_a_limit_below_one_is_refused(self, colors: VectorStore):
        for limit in (0, -1):
            with pytest.raises(RejectedError, match="limit"):
                await colors.search(NOTES, [1.0, 0.0, 0.0], limit=limit)

    async def test_an_offset_below_zero_is_refused(self, colors: VectorStore):
        with pytest.raises(RejectedError, match="offset"):
            await colors.search(NOTES, [1.0, 0.0, 0.0], offset=-1)

    async def test_a_text_is_stored_and_searched_by_the_embedders_vector(self, store: VectorStore):
        store.embedder = HashingEmbedder(HashingSettings(dimensions=64))
        await store.ensure_collection(NOTES, 64)
        texts = {"1": "circuits open after failures", "2": "caches forget old entries"}
        await store.upsert(NOTES, [Record(one, text=text) for one, text in texts.items()])
        found = await store.search(NOTES, text="which circuits open?", limit=1)
        assert [match.text for match in found] == [texts["1"]]
        vector = await store.embedder.embed_query(texts["2"])
        (record,) = await store.get(NOTES, ["2"])
        assert record.vector == pytest.approx(vector, abs=1e-6)

    async def test_a_text_without_an_embedder_says_what_to_set(self, colors: VectorStore):
        with pytest.raises(ConfigurationError, match="embedder: embeddings"):
            await colors.search(NOTES, text="red")
        with pytest.raises(ConfigurationError, match="embedder: embeddings"):
            await colors.upsert(NOTES, [Record("5", text="violet")])
        assert await colors.count(NOTES) == len(COLORS)

    async def test_an_embedder_of_another_length_is_refused(self, colors: VectorStore):
        colors.embedder = HashingEmbedder(HashingSettings(dimensions=8))
        with pytest.raises(RejectedError, match="8 dimensions, expected 3"):
            await colors.search(NOTES, text="red")
        with pytest.raises(RejectedError, match="record '5' has 8 dimensions, expected 3"):
            await colors.upsert(NOTES, [Record("5", text="violet")])

    async def test_an_embedder_that_leaves_texts_out_lets_none_in(self, colors: VectorStore):
        colors.embedder = Embedding([[1.0, 0.0, 0.0]])
        with pytest.raises(DataError, match="made 1 vectors of 2 texts"):
            await colors.upsert(NOTES, [Record("5", text="violet"), Record("6", text="pink")])
        assert await colors.count(NOTES) == len(COLORS)

    async def test_an_embedder_that_fails_lets_none_in(self, colors: VectorStore):
        colors.embedder = Embedding(UnavailableError("the model is away"))
        with pytest.raises(UnavailableError, match="the model is away"):
            await colors.upsert(NOTES, [COLORS[0], Record("5", text="violet")])
        with pytest.raises(UnavailableError, match="the model is away"):
            await colors.search(NOTES, text="violet")
        assert await colors.count(NOTES) == len(COLORS)

    async def test_a_search_is_by_one_of_vector_and_text(self, colors: VectorStore):
        with pytest.raises(RejectedError, match="not both"):
            await colors.search(NOTES, [1.0, 0.0, 0.0], text="red")
        with pytest.raises(RejectedError, match="query vector"):
            await colors.search(NOTES)

    async def test_a_call_without_a_tenant_is_refused(self, store: VectorStore):
        await store.ensure_collection(NOTES, 2, tenants=True)
        with pytest.raises(RejectedError, match="divided by tenants, and the call names none"):
            await store.search(NOTES, [1.0, 0.0])
        with pytest.raises(RejectedError, match="divided by tenants"):
            await store.delete(NOTES, AllOf())

    async def test_a_tenant_in_a_collection_without_is_refused(self, colors: VectorStore):
        with pytest.raises(RejectedError, match="not divided by tenants"):
            await colors.tenant("acme").count(NOTES)

    async def test_an_empty_tenant_is_refused(self, manager: VectorStore):
        with pytest.raises(RejectedError, match="tenant is empty"):
            manager.tenant("")

    async def test_a_collection_made_without_takes_none(self, colors: VectorStore):
        with pytest.raises(RejectedError, match="made without"):
            await colors.search(NOTES, sparse=THREE)
        with pytest.raises(RejectedError, match="record '5' has a sparse vector"):
            await colors.upsert(NOTES, [Record("5", [1.0, 0.0, 0.0], sparse=THREE)])
