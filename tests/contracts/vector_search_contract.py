"""What every vector store promises of a search by likeness."""

import math

import pytest

from infrastructure.connections.vector.base import Metric, Record, VectorStore
from infrastructure.connections.vector.filters import where
from infrastructure.errors import RejectedError
from tests.contracts.vector_fixtures import COLORS, NOTES, Embedding, VectorFixtures


class VectorSearchContract(VectorFixtures):
    async def test_the_most_alike_come_first(self, colors: VectorStore):
        found = await colors.search(NOTES, [1.0, 0.0, 0.0], limit=2)
        assert [match.text for match in found] == ["red", "orange"]
        assert found[0].score == pytest.approx(1.0, abs=1e-6)

    async def test_a_match_has_text_and_fields(self, colors: VectorStore):
        (match,) = await colors.search(NOTES, [0.0, 0.0, 1.0], limit=1)
        assert (match.id, match.text) == ("4", "blue")
        assert match.fields == COLORS[3].fields

    async def test_a_limit_beyond_the_store_gives_all(self, colors: VectorStore):
        assert len(await colors.search(NOTES, [1.0, 1.0, 1.0], limit=1000)) == len(COLORS)

    async def test_an_empty_collection_gives_nothing(self, store: VectorStore):
        await store.ensure_collection(NOTES, 3)
        assert await store.search(NOTES, [1.0, 0.0, 0.0]) == []
        assert [record async for record in store.scroll(NOTES)] == []

    async def test_the_filter_is_applied_before_the_limit(self, colors: VectorStore):
        asked = where("warm") == False  # noqa: E712 # builds a condition
        (match,) = await colors.search(NOTES, [1.0, 0.0, 0.0], limit=1, filter=asked)
        assert match.text == "green"

    async def test_a_minimum_score_is_included(self, colors: VectorStore):
        everything = await colors.search(NOTES, [0.6, 0.8, 0.0])
        bound = everything[1].score
        found = await colors.search(NOTES, [0.6, 0.8, 0.0], min_score=bound)
        assert [match.score for match in found] == [match.score for match in everything[:2]]
        assert await colors.search(NOTES, [1.0, 0.0, 0.0], min_score=1.5) == []

    async def test_dot_scores_by_length_too(self, store: VectorStore):
        await store.ensure_collection(NOTES, 2, Metric.DOT)
        await store.upsert(NOTES, [Record("short", [1.0, 0.0]), Record("long", [3.0, 3.0])])
        found = await store.search(NOTES, [1.0, 0.0])
        assert [(match.id, match.score) for match in found] == [("long", 3.0), ("short", 1.0)]

    async def test_euclid_scores_minus_the_distance(self, store: VectorStore):
        await store.ensure_collection(NOTES, 2, Metric.EUCLID)
        await store.upsert(NOTES, [Record("far", [3.0, 4.0]), Record("near", [0.0, 1.0])])
        found = await store.search(NOTES, [0.0, 0.0])
        assert [match.id for match in found] == ["near", "far"]
        assert [match.score for match in found] == pytest.approx([-1.0, -5.0])
        near = await store.search(NOTES, [0.0, 0.0], min_score=-1.0)
        assert [match.id for match in near] == ["near"]
        assert await store.search(NOTES, [0.0, 0.0], min_score=0.5) == []

    async def test_a_vector_of_zeros_is_like_nothing(self, colors: VectorStore):
        await colors.upsert(NOTES, [Record("0", [0.0, 0.0, 0.0])])
        found = await colors.search(NOTES, [1.0, 1.0, 1.0])
        assert {match.id: match.score for match in found}["0"] == 0.0
        asked_for_nothing = await colors.search(NOTES, [0.0, 0.0, 0.0])
        assert all(math.isclose(match.score, 0.0) for match in asked_for_nothing)

    async def test_an_offset_leaves_out_the_best(self, colors: VectorStore):
        everything = await colors.search(NOTES, [0.5, 0.4, 0.1])
        page = await colors.search(NOTES, [0.5, 0.4, 0.1], limit=2, offset=1)
        assert page == everything[1:3]
        assert await colors.search(NOTES, [0.5, 0.4, 0.1], limit=2, offset=9) == []

    async def test_an_offset_counts_those_above_the_minimum_score(self, colors: VectorStore):
        best = await colors.search(NOTES, [1.0, 0.0, 0.0], min_score=0.9)
        assert len(best) == 2
        assert await colors.search(NOTES, [1.0, 0.0, 0.0], min_score=0.9, offset=1) == best[1:]

    async def test_a_collection_made_anew_while_a_text_is_embedded_takes_no_other_shape(
        self, colors: VectorStore
    ):
        async def make_anew() -> None:
            await colors.drop_collection(NOTES)
            await colors.ensure_collection(NOTES, 2)

        colors.embedder = Embedding([[1.0, 0.0, 0.0]], meanwhile=make_anew)
        with pytest.raises(RejectedError):
            await colors.upsert(NOTES, [Record("5", text="violet")])
        await colors.upsert(NOTES, [Record("6", [1.0, 0.0])])
        assert [match.id for match in await colors.search(NOTES, [1.0, 0.0])] == ["6"]
