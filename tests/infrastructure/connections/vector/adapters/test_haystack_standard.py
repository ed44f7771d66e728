"""Haystack's own tests of document stores, on each of ours."""

from collections.abc import AsyncIterator, Iterator
from typing import Any

import numpy as np
import pytest
from haystack.dataclasses import Document
from haystack.document_stores.errors import DuplicateDocumentError
from haystack.testing import document_store as sync_tests
from haystack.testing import document_store_async as async_tests

from infrastructure.connections.vector.adapters.haystack import HaystackDocumentStore
from infrastructure.connections.vector.base import VectorStore
from tests.infrastructure.connections.vector.adapters.stores import (
    chromadb,
    memory,
    pgvector,
    qdrant,
)


@pytest.fixture(scope="class")
def store() -> VectorStore:
    return memory()


@pytest.fixture(scope="class")
def adapter(store: VectorStore) -> Iterator[HaystackDocumentStore]:
    """Open for all tests of a class: to open it for each would cost more than they do."""
    # by the dot product vectors are kept as they are given
    adapter = HaystackDocumentStore(store, "standard", metric="dot")
    yield adapter
    adapter.close()


@pytest.fixture
def document_store(adapter: HaystackDocumentStore) -> Iterator[HaystackDocumentStore]:
    yield adapter
    adapter._bridge.run(adapter._store.drop_collection("standard"))


class SameDocuments:
    """Stores promise no order, and keep vectors in single precision."""

    @staticmethod
    def assert_documents_are_equal(received: list[Document], expected: list[Document]) -> None:
        def in_order(documents: list[Document]) -> list[Document]:
            return sorted(documents, key=lambda document: document.id)

        assert len(received) == len(expected)
        for got, wanted in zip(in_order(received), in_order(expected), strict=True):
            assert (got.id, got.content, got.meta) == (wanted.id, wanted.content, wanted.meta)
            assert (got.embedding is None) is (wanted.embedding is None)
            if wanted.embedding is not None:
                pair = np.array(got.embedding), np.array(wanted.embedding)
                np.testing.assert_allclose(*pair, rtol=0, atol=1e-6)


class Standard(
    SameDocuments,
    sync_tests.DocumentStoreBaseExtendedTests,
    sync_tests.CountDocumentsByFilterTest,
    sync_tests.CountUniqueMetadataByFilterTest,
    sync_tests.GetMetadataFieldsInfoTest,
    sync_tests.GetMetadataFieldMinMaxTest,
    sync_tests.GetMetadataFieldUniqueValuesTest,
):
    @pytest.fixture
    def document_store(self, document_store: Any) -> Any:
        return document_store

    def test_write_documents(self, document_store: Any) -> None:
        document = Document(content="test doc")
        assert document_store.write_documents([document]) == 1
        with pytest.raises(DuplicateDocumentError):
            document_store.write_documents([document])


class StandardAsync(
    SameDocuments,
    async_tests.DeleteAllAsyncTest,
    async_tests.CountDocumentsAsyncTest,
    async_tests.CountDocumentsByFilterAsyncTest,
    async_tests.CountUniqueMetadataByFilterAsyncTest,
    async_tests.DeleteByFilterAsyncTest,
    async_tests.UpdateByFilterAsyncTest,
    async_tests.WriteDocumentsAsyncTest,
    async_tests.DeleteDocumentsAsyncTest,
    async_tests.GetMetadataFieldsInfoAsyncTest,
    async_tests.GetMetadataFieldMinMaxAsyncTest,
    async_tests.GetMetadataFieldUniqueValuesAsyncTest,
    async_tests.FilterDocumentsAsyncTest,
):
    @pytest.fixture
    async def document_store(self, store: VectorStore) -> AsyncIterator[HaystackDocumentStore]:
        async with store:
            adapter = HaystackDocumentStore(store, "standard", metric="dot")
            yield adapter
            await store.drop_collection("standard")
            adapter.close()

    async def test_write_documents_async(self, document_store: Any) -> None:
        document = Document(content="test doc")
        assert await document_store.write_documents_async([document]) == 1
        with pytest.raises(DuplicateDocumentError):
            await document_store.write_documents_async([document])


class TestMemory(Standard):
    pass


class TestMemoryAsync(StandardAsync):
    pass


class OnQdrant:
    @pytest.fixture(scope="class")
    @classmethod
    def store(cls, tmp_path_factory: pytest.TempPathFactory) -> VectorStore:
        return qdrant(tmp_path_factory.mktemp("qdrant"))


class OnPgvector:
    @pytest.fixture(scope="class")
    @classmethod
    def store(cls, database: str) -> VectorStore:
        return pgvector(database)


class OnChromadb:
    @pytest.fixture(scope="class")
    @classmethod
    def store(cls) -> VectorStore:
        return chromadb()


class TestQdrant(OnQdrant, Standard):
    pass


class TestQdrantAsync(OnQdrant, StandardAsync):
    pass


class TestPgvector(OnPgvector, Standard):
    pass


class TestPgvectorAsync(OnPgvector, StandardAsync):
    pass


class TestChromadb(OnChromadb, Standard):
    pass


class TestChromadbAsync(OnChromadb, StandardAsync):
    pass
