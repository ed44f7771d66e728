"""What Haystack's own tests do not ask of a document store."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from haystack import Pipeline
from haystack.dataclasses import ByteStream, Document, SparseEmbedding
from haystack.document_stores.errors import DuplicateDocumentError
from haystack.document_stores.types import DuplicatePolicy
from haystack.errors import FilterError

from containers import Container, set_default
from infrastructure.connections.vector.adapters.haystack import HaystackDocumentStore
from infrastructure.connections.vector.adapters.haystack.retriever import (
    HaystackEmbeddingRetriever,
)
from infrastructure.connections.vector.base import SparseVector
from infrastructure.errors import RejectedError
from tests.infrastructure.connections.vector.adapters.stores import memory

EAST, NORTH = [1.0, 0.0], [0.0, 1.0]


@pytest.fixture
def documents() -> Iterator[HaystackDocumentStore]:
    adapter = HaystackDocumentStore(memory(), dimensions=2, sparse=True)
    yield adapter
    adapter.close()


def test_all_of_a_document_comes_back(documents: HaystackDocumentStore):
    given = Document(
        id="1",
        content=None,
        blob=ByteStream(b"\x00\xff", meta={"name": "a.bin"}, mime_type="application/x-a"),
        meta={"deep": {"list": [{"a": None}]}, "flat": 1, "none": None},
        embedding=NORTH,
        sparse_embedding=SparseEmbedding([1, 7], [0.5, 0.25]),
    )
    documents.write_documents([given])
    assert documents.filter_documents() == [given]


def test_a_document_without_an_embedding_is_in_no_search(documents: HaystackDocumentStore):
    documents.write_documents([Document(id="bare", content="a"), Document(id="b", embedding=EAST)])
    assert [found.id for found in documents.search(EAST)] == ["b"]
    assert documents.count_documents() == 2


def test_of_a_list_with_a_duplicate_that_may_not_be_nothing_is_written(
    documents: HaystackDocumentStore,
):
    documents.write_documents([Document(id="1", content="a")])
    more = [Document(id="2", content="b"), Document(id="1", content="c")]
    with pytest.raises(DuplicateDocumentError, match="there already, or twice in the list: 1"):
        documents.write_documents(more, policy=DuplicatePolicy.FAIL)
    assert documents.count_documents() == 1


def test_a_sparse_embedding_finds_too(documents: HaystackDocumentStore):
    sparse = SparseEmbedding([3], [1.0])
    documents.write_documents(
        [
            Document(id="a", embedding=EAST),
            Document(id="b", embedding=NORTH, sparse_embedding=sparse),
        ]
    )
    found = documents.search(None, sparse=SparseVector([3], [2.0]))
    assert [document.id for document in found] == ["b"]


@pytest.mark.parametrize("field", ["content", "id", "score"])
def test_a_filter_about_an_attribute_is_refused(documents: HaystackDocumentStore, field: str):
    with pytest.raises(FilterError, match="is no metadata"):
        documents.filter_documents({"field": field, "operator": "==", "value": "x"})


@pytest.mark.parametrize("name", ["_bare", "_rest"])
def test_a_name_that_the_adapter_needs_is_refused(documents: HaystackDocumentStore, name: str):
    with pytest.raises(RejectedError, match=f"cannot be named '{name}'"):
        documents.write_documents([Document(content="a", meta={name: 1})])


def test_metadata_set_by_a_filter_covers_what_was_deep(documents: HaystackDocumentStore):
    documents.write_documents([Document(id="1", content="a", meta={"place": {"page": 1}, "n": 1})])
    assert documents.update_by_filter(
        {"field": "meta.n", "operator": "==", "value": 1}, {"place": "cover"}
    )
    assert documents.filter_documents()[0].meta == {"place": "cover", "n": 1}


def test_one_tenant_cannot_recreate_what_others_have_documents_in():
    store = memory()
    acme, other = (HaystackDocumentStore(store, dimensions=2, tenant=one) for one in ("a", "b"))
    for documents in (acme, other):
        documents.write_documents([Document(id="1", content="a")])
    with pytest.raises(RejectedError, match="other tenants"):
        acme.delete_all_documents(recreate_index=True)
    acme.delete_all_documents()
    assert (acme.count_documents(), other.count_documents()) == (0, 1)
    for documents in (other, acme):
        documents.close()


@pytest.mark.parametrize("name", ["_bare", "_rest"])
def test_an_update_cannot_set_what_the_adapter_needs(documents: HaystackDocumentStore, name: str):
    documents.write_documents([Document(id="1", content="a", meta={"n": 1})])
    with pytest.raises(RejectedError, match=f"cannot be named '{name}'"):
        documents.update_by_filter({}, {name: "x"})
    assert documents.filter_documents()[0].meta == {"n": 1}


@pytest.mark.parametrize(
    "asked",
    [
        {"operator": "AND", "conditions": None},
        {"operator": "AND", "conditions": {"field": "meta.n"}},
        {"operator": ["AND"], "conditions": []},
        {"field": "meta.n", "operator": ["=="], "value": 1},
        {"field": 5, "operator": "==", "value": 1},
        {"field": "meta.", "operator": "==", "value": 1},
    ],
)
def test_a_filter_of_another_shape_is_told_as_haystack_tells_it(
    documents: HaystackDocumentStore, asked: dict[str, Any]
):
    with pytest.raises(FilterError):
        documents.filter_documents(asked)


def test_a_filter_that_is_too_deep_is_told(documents: HaystackDocumentStore):
    asked: dict[str, Any] = {"field": "meta.n", "operator": "==", "value": 1}
    for _ in range(2000):
        asked = {"operator": "NOT", "conditions": [asked]}
    with pytest.raises(FilterError, match="deep"):
        documents.filter_documents(asked)


@pytest.mark.parametrize(("from_", "size"), [(-1, 10), (0, -1)])
def test_a_page_that_is_none_is_refused(documents: HaystackDocumentStore, from_: int, size: int):
    with pytest.raises(RejectedError, match="from_ and size"):
        documents.get_metadata_field_unique_values("n", from_=from_, size=size)


def test_extremes_of_text_beside_numbers_are_none(documents: HaystackDocumentStore):
    documents.write_documents([Document(content=str(n), meta={"n": n}) for n in (1, "one")])
    assert documents.get_metadata_field_min_max("n") == {"min": None, "max": None}


def test_a_pipeline_retrieves_by_its_embedding_and_filters(documents: HaystackDocumentStore):
    documents.write_documents(
        [
            Document(id="east", content="a", embedding=EAST, meta={"year": 2020}),
            Document(id="north", content="b", embedding=NORTH, meta={"year": 2026}),
        ]
    )
    pipeline = Pipeline()
    pipeline.add_component("retriever", HaystackEmbeddingRetriever(documents, top_k=1))
    newer = {"field": "meta.year", "operator": ">", "value": 2021}
    for filters, expected in ((None, "east"), (newer, "north")):
        asked = {"query_embedding": EAST, "filters": filters}
        found = pipeline.run({"retriever": asked})["retriever"]["documents"]
        assert [document.id for document in found] == [expected]
        assert found[0].score == pytest.approx(1 if expected == "east" else 0)


async def test_a_retriever_runs_in_an_event_loop(documents: HaystackDocumentStore):
    await documents.write_documents_async([Document(id="a", embedding=EAST)])
    retriever = HaystackEmbeddingRetriever(documents, min_score=0.5)
    assert [one.id for one in (await retriever.run_async(EAST))["documents"]] == ["a"]
    assert (await retriever.run_async(NORTH))["documents"] == []


def test_a_retriever_of_another_store_is_refused():
    other: Any = object()
    with pytest.raises(RejectedError, match="is a HaystackDocumentStore, found object"):
        HaystackEmbeddingRetriever(other)


def test_a_pipeline_is_written_down_by_paths_and_read_again(tmp_path: Path, monkeypatch: Any):
    monkeypatch.chdir(tmp_path)
    container = Container(profile="test")
    set_default(container)
    try:
        pipeline = Pipeline()
        store = HaystackDocumentStore("vector.default", "notes", dimensions=2)
        pipeline.add_component("retriever", HaystackEmbeddingRetriever(store))
        written = pipeline.dumps()
        assert "vector.default" in written
        again: Any = Pipeline.loads(written, allowed_modules=["infrastructure"]).get_component(
            "retriever"
        )
        assert again.document_store.to_dict() == store.to_dict()
        assert again.document_store._store is container.vector.default()
    finally:
        set_default(None)
