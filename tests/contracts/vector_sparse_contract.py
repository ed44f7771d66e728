"""What every vector store promises of sparse vectors, alone and beside dense ones."""

import pytest

from infrastructure.connections.vector.base import Record, SparseVector, VectorStore
from infrastructure.connections.vector.filters import where
from infrastructure.connections.vector.fusion import fused
from infrastructure.errors import UnsupportedError
from tests.contracts.vector_fixtures import NOTES, VectorFixtures

WORDS = [
    Record("1", [1.0, 0.0], "both", {"n": 1}, SparseVector.of({3: 1.0, 9: 0.5})),
    Record("2", [0.9, 0.1], "dense", {"n": 2}),
    Record("3", [0.0, 1.0], "sparse", {"n": 3}, SparseVector.of({3: 2.0})),
    Record("4", [0.1, 0.9], "other", {"n": 4}, SparseVector.of({999_999_999: 4.0})),
]
THREE = SparseVector([3], [1.5])


class VectorSparseContract(VectorFixtures):
    @pytest.fixture
    async def words(self, store: VectorStore):
        if not store.capabilities.sparse:
            with pytest.raises(UnsupportedError, match="has no sparse vectors"):
                await store.ensure_collection(NOTES, 2, sparse=True)
            pytest.skip("it has no sparse vectors, and says so")
        await store.ensure_collection(NOTES, 2, sparse=True)
        await store.upsert(NOTES, WORDS)
        return store

    async def test_a_sparse_vector_comes_back_as_it_was(self, words: VectorStore):
        found = await words.get(NOTES, ["1", "2", "4"])
        assert [record.sparse for record in found] == [
            WORDS[0].sparse,
            None,
            WORDS[3].sparse,
        ]
        assert found[0].vector == pytest.approx(WORDS[0].vector)

    async def test_the_largest_product_comes_first_and_what_shares_nothing_is_not_found(
        self, words: VectorStore
    ):
        found = await words.search(NOTES, sparse=THREE)
        assert [(match.id, match.score) for match in found] == [("3", 3.0), ("1", 1.5)]

    async def test_a_sparse_search_has_a_filter_a_window_and_a_minimum(self, words: VectorStore):
        async def ids(**options) -> list[str]:
            return [match.id for match in await words.search(NOTES, sparse=THREE, **options)]

        assert await ids(filter=where("n") < 3) == ["1"]
        assert await ids(limit=1, offset=1) == ["1"]
        assert await ids(min_score=1.5) == ["3", "1"]
        assert await ids(min_score=1.6) == ["3"]

    async def test_both_rankings_are_fused_by_rank(self, words: VectorStore):
        dense = await words.search(NOTES, [1.0, 0.0])
        sparse = await words.search(NOTES, sparse=THREE)
        found = await words.search(NOTES, [1.0, 0.0], sparse=THREE)
        expected = fused([dense, sparse])
        assert [match.id for match in found] == [match.id for match in expected]
        assert [m.score for m in found] == pytest.approx([m.score for m in expected])
        assert found[0].score == pytest.approx(1 / 61 + 1 / 62)
        assert (found[0].text, found[0].fields) == ("both", {"n": 1})

    async def test_a_fused_search_has_a_filter_a_window_and_a_minimum(self, words: VectorStore):
        whole = await words.search(NOTES, [1.0, 0.0], sparse=THREE)
        page = await words.search(NOTES, [1.0, 0.0], sparse=THREE, limit=2, offset=1)
        assert page == whole[1:3]
        few = await words.search(NOTES, [1.0, 0.0], sparse=THREE, filter=where("n") > 3)
        assert [match.id for match in few] == ["4"]
        best = await words.search(NOTES, [1.0, 0.0], sparse=THREE, min_score=0.03)
        assert [match.id for match in best] == [one.id for one in whole if one.score >= 0.03]

    async def test_pages_of_a_fused_search_fit_together(self, words: VectorStore):
        await words.delete(NOTES, [record.id for record in WORDS])
        records = [
            Record(f"{i:03}", [1.0, i / 100], "", {}, SparseVector([3], [1.0 + i * 37 % 120]))
            for i in range(120)
        ]
        await words.upsert(NOTES, records)
        whole = await words.search(NOTES, [1.0, 0.0], sparse=THREE, limit=50)
        pages = [
            await words.search(NOTES, [1.0, 0.0], sparse=THREE, limit=10, offset=start)
            for start in range(0, 50, 10)
        ]
        assert [match.id for page in pages for match in page] == [match.id for match in whole]

    async def test_replacing_a_record_replaces_its_sparse_vector(self, words: VectorStore):
        await words.upsert(NOTES, [Record("3", [0.0, 1.0])])
        assert [match.id for match in await words.search(NOTES, sparse=THREE)] == ["1"]

    async def test_updating_fields_keeps_the_sparse_vector(self, words: VectorStore):
        await words.update(NOTES, ["3"], {"n": 5})
        (found,) = await words.get(NOTES, ["3"])
        assert found.sparse == WORDS[2].sparse
