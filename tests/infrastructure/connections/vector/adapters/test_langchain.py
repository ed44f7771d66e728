"""LangChain's own tests of vector stores, on each of ours; and what they do not ask."""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from langchain_core.documents import Document
from langchain_core.embeddings import DeterministicFakeEmbedding
from langchain_core.indexing import InMemoryRecordManager, index
from langchain_tests.integration_tests.vectorstores import VectorStoreIntegrationTests

from infrastructure.connections.vector.adapters.langchain import LangChainVectorStore
from infrastructure.connections.vector.base import Metric, VectorStore
from infrastructure.connections.vector.filters import where
from infrastructure.errors import ConfigurationError, DataError, RejectedError
from tests.infrastructure.connections.vector.adapters.stores import (
    chromadb,
    memory,
    pgvector,
    qdrant,
)

EMBEDDING = DeterministicFakeEmbedding(size=6)


@pytest.fixture
def store() -> VectorStore:
    return memory()


@pytest.fixture
def adapter(store: VectorStore) -> Iterator[LangChainVectorStore]:
    adapter = LangChainVectorStore(store, "animals", EMBEDDING)
    yield adapter
    adapter.close()


class Standard(VectorStoreIntegrationTests):
    @pytest.fixture
    async def vectorstore(self, store: VectorStore) -> AsyncIterator[LangChainVectorStore]:
        adapter = LangChainVectorStore(store, "standard", self.get_embeddings())
        yield adapter
        adapter.close()
        await store.disconnect()


class TestMemory(Standard):
    pass


class TestQdrant(Standard):
    @pytest.fixture
    def store(self, tmp_path: Path) -> VectorStore:
        return qdrant(tmp_path)


class TestPgvector(Standard):
    @pytest.fixture
    def store(self, database: str) -> VectorStore:
        return pgvector(database)


class TestChromadb(Standard):
    @pytest.fixture
    def store(self) -> VectorStore:
        return chromadb()


ANIMALS = [
    Document("cats sleep", id="cat", metadata={"legs": 4, "loc": {"lines": {"from": 1}}}),
    Document("birds fly", id="bird", metadata={"legs": 2}),
    Document("snakes crawl", id="snake", metadata={"legs": 0, "tags": ["long"], "note": None}),
]


def test_metadata_of_any_depth_comes_back(adapter: LangChainVectorStore):
    adapter.add_documents(ANIMALS)
    assert adapter.get_by_ids(["cat", "bird", "snake"]) == ANIMALS


def test_an_empty_page_is_kept(adapter: LangChainVectorStore):
    adapter.add_documents([Document("", id="1"), ANIMALS[0]])
    assert adapter.get_by_ids(["1"]) == [Document("", id="1")]


def test_metadata_that_is_no_json_is_refused_by_name(adapter: LangChainVectorStore):
    with pytest.raises(RejectedError, match="metadata when holds what is no JSON"):
        adapter.add_documents([Document("now", metadata={"when": object()})])


@pytest.mark.parametrize("metadata", [{1: "a"}, {"deep": {"er": [{1: "a"}]}}])
def test_metadata_whose_names_are_no_text_is_refused_and_not_changed(
    adapter: LangChainVectorStore, metadata: dict[Any, Any]
):
    with pytest.raises(RejectedError, match="holds what is no JSON: names are text, found 1"):
        adapter.add_documents([Document("a", metadata=metadata)])


def test_metadata_with_any_text_comes_back(adapter: LangChainVectorStore):
    given = Document("a", id="1", metadata={"odd": "\ud800", "deep": {"nul": "\x00", "\ud800": 1}})
    adapter.add_documents([given])
    assert adapter.get_by_ids(["1"]) == [given]


async def test_a_record_of_somebody_else_that_cannot_be_read_is_told(store: VectorStore):
    adapter = LangChainVectorStore(store, "animals", EMBEDDING)
    await adapter.aadd_documents(ANIMALS[:1])
    await store.update("animals", ["cat"], {"_rest": "{"})
    with pytest.raises(DataError, match="'_rest'"):
        await adapter.aget_by_ids(["cat"])
    await store.disconnect()


class Counting(DeterministicFakeEmbedding):
    calls: int = 0

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        self.calls += 1
        return super().embed_documents(texts)


def test_what_cannot_be_stored_is_refused_before_it_is_embedded(store: VectorStore):
    embedding = Counting(size=6)
    adapter = LangChainVectorStore(store, "animals", embedding)
    with pytest.raises(RejectedError, match="2 texts, 1 metadatas, 2 ids do not go together"):
        adapter.add_texts(["a", "b"], [{}])
    with pytest.raises(RejectedError, match="no JSON"):
        adapter.add_texts(["a"], [{"when": object()}])
    assert embedding.calls == 0


def test_one_that_could_not_be_made_with_its_texts_leaves_no_thread(store: VectorStore):
    before = threading.enumerate()
    with pytest.raises(RejectedError):
        LangChainVectorStore.from_texts(
            ["one", "two"], Short(size=6), store=store, collection="texts"
        )
    assert threading.enumerate() == before


class Short(DeterministicFakeEmbedding):
    """Gives the second vector in another length."""

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        first, *others = super().embed_documents(texts)
        return [first, *(other[:2] for other in others)]


def test_a_filter_is_of_this_project_or_its_plain_form(adapter: LangChainVectorStore):
    adapter.add_documents(ANIMALS)
    plain = {"field": "legs", "operator": "<=", "value": 2}
    for asked in (where("legs") <= 2, plain):
        found = adapter.similarity_search("anything", k=10, filter=asked)
        assert {document.id for document in found} == {"bird", "snake"}


def test_an_option_that_is_not_known_is_refused_and_not_left_out(adapter: LangChainVectorStore):
    with pytest.raises(RejectedError, match="unknown options: filters"):
        adapter.similarity_search("cats", filters={})


def test_a_collection_that_is_not_made_yet_is_empty(adapter: LangChainVectorStore):
    assert adapter.similarity_search("cats") == []
    assert adapter.get_by_ids(["cat"]) == []
    assert adapter.delete(["cat"])


def test_langchains_index_writes_skips_and_removes(adapter: LangChainVectorStore):
    known = InMemoryRecordManager("animals")
    known.create_schema()
    how: Any = {"cleanup": "full", "key_encoder": "sha256"}
    assert index(ANIMALS, known, adapter, **how)["num_added"] == 3
    again = index(ANIMALS[1:], known, adapter, **how)
    assert (again["num_skipped"], again["num_deleted"]) == (2, 1)
    found = adapter.similarity_search("anything", k=10)
    assert {document.page_content for document in found} == {"birds fly", "snakes crawl"}


def test_removing_everything_by_leaving_out_the_ids_is_refused(adapter: LangChainVectorStore):
    with pytest.raises(RejectedError, match="no ids to remove"):
        adapter.delete()


@pytest.mark.parametrize("metric", Metric)
def test_relevance_is_between_nothing_and_one_and_best_for_the_same_text(metric: Metric):
    adapter = LangChainVectorStore(memory(), "animals", EMBEDDING, metric=metric)
    adapter.add_documents(ANIMALS)
    found = adapter.similarity_search_with_relevance_scores("birds fly", k=3)
    adapter.close()
    assert all(0 <= score <= 1 for _, score in found)
    if metric is not Metric.DOT:  # by it, a longer vector may be more alike than the same
        assert found[0][0].id == "bird"
        assert found[0][1] == pytest.approx(1, abs=1e-3)


def test_the_most_alike_that_are_unlike_each_other_begin_with_the_most_alike(
    adapter: LangChainVectorStore,
):
    twins = [Document("cats sleep", id="twin", metadata={})]
    adapter.add_documents([*ANIMALS, *twins])
    found = adapter.max_marginal_relevance_search("cats sleep", k=2, lambda_mult=0.1)
    assert {found[0].id} <= {"cat", "twin"}
    assert found[1].id not in {"cat", "twin"}


def test_a_retriever_takes_filters_and_thresholds(adapter: LangChainVectorStore):
    adapter.add_documents(ANIMALS)
    retriever = adapter.as_retriever(search_kwargs={"k": 1, "filter": where("legs") == 4})
    assert [document.id for document in retriever.invoke("birds fly")] == ["cat"]


def test_one_is_made_with_its_texts(store: VectorStore):
    adapter = LangChainVectorStore.from_texts(
        ["one"], EMBEDDING, [{"n": 1}], ids=["1"], store=store, collection="texts"
    )
    assert adapter.get_by_ids(["1"]) == [Document("one", id="1", metadata={"n": 1})]
    adapter.close()


async def test_sync_and_async_callers_share_one_store(adapter: LangChainVectorStore):
    await adapter.aadd_documents(ANIMALS)
    found = await asyncio.to_thread(adapter.similarity_search, "birds fly", 1)
    assert [document.id for document in found] == ["bird"]


async def test_an_async_caller_reaches_what_a_sync_one_has_opened(adapter: LangChainVectorStore):
    await asyncio.to_thread(adapter.add_documents, ANIMALS)
    found = await adapter.asimilarity_search("birds fly", k=1)
    assert [document.id for document in found] == ["bird"]


async def test_a_sync_call_that_would_stop_the_loop_it_needs_is_refused(
    adapter: LangChainVectorStore,
):
    await adapter.aadd_documents(ANIMALS)
    with pytest.raises(ConfigurationError, match="Await the async method of the same name"):
        adapter.similarity_search("birds fly")


async def test_two_tenants_of_one_collection_do_not_meet(store: VectorStore):
    acme, other = (
        LangChainVectorStore(store, "shared", EMBEDDING, tenant=name) for name in ("acme", "other")
    )
    await acme.aadd_documents(ANIMALS)
    await other.aadd_documents(ANIMALS[:1])
    assert len(await other.asimilarity_search("birds fly", k=10)) == 1


def test_closing_ends_the_thread_and_twice_is_harmless(store: VectorStore, request: Any):
    adapter = LangChainVectorStore(store, "animals", EMBEDDING)
    adapter.add_documents(ANIMALS)
    adapter.close()
    adapter.close()
    assert store.loop is None
    adapter.add_documents(ANIMALS)  # and is begun again when it is needed
    adapter.close()
