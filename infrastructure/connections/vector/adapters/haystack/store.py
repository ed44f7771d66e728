"""A vector store as Haystack has them."""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, Self

from haystack import default_from_dict, default_to_dict
from haystack.dataclasses import Document
from haystack.document_stores.errors import DuplicateDocumentError
from haystack.document_stores.types import DuplicatePolicy

from infrastructure import ambient
from infrastructure.connections.vector.adapters.base import CollectionAdapter
from infrastructure.connections.vector.adapters.haystack.documents import (
    BARE,
    document_of,
    filter_of,
    record_of,
)
from infrastructure.connections.vector.adapters.haystack.metadata import (
    counts_of,
    extremes_of,
    types_of,
    values_of,
)
from infrastructure.connections.vector.adapters.metadata import refuse_taken
from infrastructure.connections.vector.base import Metric, Record, SparseVector, VectorStore
from infrastructure.connections.vector.filters import AllOf, Filter, where
from infrastructure.errors import RejectedError

Filters = dict[str, Any] | None


class HaystackDocumentStore(CollectionAdapter):
    """One collection of a vector store, for Haystack's pipelines.

    Documents without an embedding are kept, and found by filters alone. Metadata may be any
    JSON; filters ask about text, numbers, booleans and lists of them. What no store can answer
    by itself (fields, unique values, extremes) reads the documents that pass, page by page.

    Args:
        store: The store, or its path in the default container, such as `vector.default`.
        collection: Which of its collections; made by the first write.
        dimensions: Length of the embeddings.
        metric: How likeness is measured in a collection made here.
        sparse: Whether a collection made here takes sparse embeddings.
        tenant: Whose part, in a collection that is divided.
    """

    def __init__(
        self,
        store: VectorStore | str = "vector.default",
        collection: str = "documents",
        *,
        dimensions: int = 768,
        metric: Metric | str = Metric.COSINE,
        sparse: bool = False,
        tenant: str = "",
    ) -> None:
        found = ambient.resolve(store) if isinstance(store, str) else store
        super().__init__(found, collection, Metric(metric), tenant)
        self._dimensions = dimensions
        self._sparse = sparse

    def to_dict(self) -> dict[str, Any]:
        """What it is made of: the store by its path in the container, and no secret."""
        made: dict[str, Any] = default_to_dict(
            self,
            store=self._store.name,
            collection=self._collection,
            dimensions=self._dimensions,
            metric=str(self._metric),
            sparse=self._sparse,
            tenant=self._tenant,
        )
        return made

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        """One on the store of that path in the default container."""
        made: Self = default_from_dict(cls, data)
        return made

    # the protocol

    def count_documents(self) -> int:
        """How many there are."""
        return self._run(self._count(None))

    async def count_documents_async(self) -> int:
        """As `count_documents`."""
        return await self._arun(self._count(None))

    def filter_documents(self, filters: Filters = None) -> list[Document]:
        """Every document that passes, or every one."""
        return self._run(self._filtered(filters))

    async def filter_documents_async(self, filters: Filters = None) -> list[Document]:
        """As `filter_documents`."""
        return await self._arun(self._filtered(filters))

    def write_documents(
        self, documents: list[Document], policy: DuplicatePolicy = DuplicatePolicy.NONE
    ) -> int:
        """Store them; how many were written.

        `NONE` is `FAIL`. Whether a document is there already is asked before writing: of two
        writers at once, the later one wins.

        Raises:
            ValueError: It is no list of documents.
            DuplicateDocumentError: (Haystack) One is there, and the policy is to fail; none is
                written then.
        """
        return self._run(self._write(documents, policy))

    async def write_documents_async(
        self, documents: list[Document], policy: DuplicatePolicy = DuplicatePolicy.NONE
    ) -> int:
        """As `write_documents`."""
        return await self._arun(self._write(documents, policy))

    def delete_documents(self, document_ids: list[str]) -> None:
        """Remove by ids; what is not there is no error."""
        self._run(self._delete(document_ids))

    async def delete_documents_async(self, document_ids: list[str]) -> None:
        """As `delete_documents`."""
        await self._arun(self._delete(document_ids))

    # what stores of Haystack have beside it

    def delete_all_documents(self, recreate_index: bool = False) -> None:
        """Remove every document; with `recreate_index` the collection with them.

        Raises:
            RejectedError: The collection is to be made anew, and is shared with other tenants.
        """
        self._run(self._delete_all(recreate=recreate_index))

    async def delete_all_documents_async(self, recreate_index: bool = False) -> None:
        """As `delete_all_documents`."""
        await self._arun(self._delete_all(recreate=recreate_index))

    def delete_by_filter(self, filters: dict[str, Any]) -> int:
        """Remove what passes; how many passed when it was asked just before."""
        return self._run(self._delete_passing(filters))

    async def delete_by_filter_async(self, filters: dict[str, Any]) -> int:
        """As `delete_by_filter`."""
        return await self._arun(self._delete_passing(filters))

    def update_by_filter(self, filters: dict[str, Any], meta: dict[str, Any]) -> int:
        """Set metadata of what passes; how many it was. Values are those a filter can ask about."""
        return self._run(self._update(filters, meta))

    async def update_by_filter_async(self, filters: dict[str, Any], meta: dict[str, Any]) -> int:
        """As `update_by_filter`."""
        return await self._arun(self._update(filters, meta))

    def count_documents_by_filter(self, filters: dict[str, Any]) -> int:
        """How many pass."""
        return self._run(self._count(filters))

    async def count_documents_by_filter_async(self, filters: dict[str, Any]) -> int:
        """As `count_documents_by_filter`."""
        return await self._arun(self._count(filters))

    def count_unique_metadata_by_filter(
        self, filters: dict[str, Any], metadata_fields: list[str]
    ) -> dict[str, int]:
        """How many different values each field has in what passes."""
        return self._run(counts_of(self._passing(filters), metadata_fields))

    async def count_unique_metadata_by_filter_async(
        self, filters: dict[str, Any], metadata_fields: list[str]
    ) -> dict[str, int]:
        """As `count_unique_metadata_by_filter`."""
        return await self._arun(counts_of(self._passing(filters), metadata_fields))

    def get_metadata_fields_info(self) -> dict[str, dict[str, str]]:
        """The type of each field: keyword, int, float or boolean."""
        return self._run(types_of(self._passing(None)))

    async def get_metadata_fields_info_async(self) -> dict[str, dict[str, str]]:
        """As `get_metadata_fields_info`."""
        return await self._arun(types_of(self._passing(None)))

    def get_metadata_field_min_max(self, metadata_field: str) -> dict[str, Any]:
        """The least and the greatest value; None where there is none, or they do not compare."""
        return self._run(extremes_of(self._passing(None), metadata_field))

    async def get_metadata_field_min_max_async(self, metadata_field: str) -> dict[str, Any]:
        """As `get_metadata_field_min_max`."""
        return await self._arun(extremes_of(self._passing(None), metadata_field))

    def get_metadata_field_unique_values(
        self,
        metadata_field: str,
        search_term: str | None = None,
        from_: int = 0,
        size: int = 10,
        filters: Filters = None,
    ) -> tuple[list[Any], int]:
        """A page of the different values, in the order of their text, and how many there are."""
        return self._run(
            self._unique(metadata_field, search_term, slice(from_, from_ + size), filters)
        )

    async def get_metadata_field_unique_values_async(
        self,
        metadata_field: str,
        search_term: str | None = None,
        from_: int = 0,
        size: int = 10,
        filters: Filters = None,
    ) -> tuple[list[Any], int]:
        """As `get_metadata_field_unique_values`."""
        return await self._arun(
            self._unique(metadata_field, search_term, slice(from_, from_ + size), filters)
        )

    def search(
        self,
        embedding: Sequence[float] | None,
        *,
        sparse: SparseVector | None = None,
        filters: Filters = None,
        top_k: int = 10,
        min_score: float | None = None,
    ) -> list[Document]:
        """The documents most like the embedding, with scores; the retriever's way in."""
        return self._run(self._search(embedding, sparse, filters, top_k, min_score))

    async def search_async(
        self,
        embedding: Sequence[float] | None,
        *,
        sparse: SparseVector | None = None,
        filters: Filters = None,
        top_k: int = 10,
        min_score: float | None = None,
    ) -> list[Document]:
        """As `search`."""
        return await self._arun(self._search(embedding, sparse, filters, top_k, min_score))

    # the one way of each, for sync and async callers

    async def _count(self, filters: Filters) -> int:
        asked = filter_of(filters)
        counting = self._store.count(self._collection, asked, tenant=self._tenant)
        return await self._unless_missing(counting, 0)

    async def _filtered(self, filters: Filters) -> list[Document]:
        return [document async for document in self._passing(filters)]

    async def _passing(self, filters: Filters) -> AsyncIterator[Document]:
        asked = filter_of(filters)
        if await self._is_there():
            async for record in self._store.scroll(self._collection, asked, tenant=self._tenant):
                yield document_of(record)

    async def _write(self, documents: Sequence[Document], policy: DuplicatePolicy) -> int:
        if not isinstance(documents, list) or not all(
            isinstance(one, Document) for one in documents
        ):
            msg = "documents are a list of haystack Documents"
            raise ValueError(msg)
        if not documents:
            return 0
        await self._ensure()
        new = documents
        if policy is not DuplicatePolicy.OVERWRITE:
            new = await self._absent(documents)
            if len(new) < len(documents) and policy is not DuplicatePolicy.SKIP:
                absent = {document.id for document in new}
                there = ", ".join(one.id for one in documents if one.id not in absent)
                raise DuplicateDocumentError(f"there already, or twice in the list: {there}")
        records: list[Record] = [record_of(document, self._dimensions) for document in new]
        await self._store.upsert(self._collection, records, tenant=self._tenant)
        return len(new)

    async def _absent(self, documents: Sequence[Document]) -> list[Document]:
        distinct = {document.id: document for document in reversed(documents)}
        found = await self._store.get(self._collection, list(distinct), tenant=self._tenant)
        for record in found:
            del distinct[record.id]
        return list(reversed(distinct.values()))

    async def _delete(self, target: Sequence[str] | Filter) -> None:
        deleting = self._store.delete(self._collection, target, tenant=self._tenant)
        await self._unless_missing(deleting, None)

    async def _delete_all(self, *, recreate: bool) -> None:
        if recreate:
            if self._tenant:
                raise RejectedError(
                    f"'{self._collection}' holds the documents of other tenants, too",
                    where=self._store.name,
                    hint="Leave out recreate_index.",
                )
            await self._store.drop_collection(self._collection)
            await self._ensure()
        else:
            await self._delete(AllOf())

    async def _delete_passing(self, filters: Filters) -> int:
        count = await self._count(filters)
        await self._delete(_everything_or(filter_of(filters)))
        return count

    async def _update(self, filters: Filters, meta: Mapping[str, Any]) -> int:
        asked = _everything_or(filter_of(filters))
        refuse_taken(meta, BARE)
        updating = self._store.update(self._collection, asked, meta, tenant=self._tenant)
        return await self._unless_missing(updating, 0)

    async def _unique(
        self, name: str, term: str | None, page: slice, filters: Filters
    ) -> tuple[list[Any], int]:
        if not 0 <= page.start <= page.stop:
            raise RejectedError("from_ and size are 0 or more", where=self._store.name)
        found = await values_of(self._passing(filters), name, term)
        return found[page], len(found)

    async def _search(
        self,
        embedding: Sequence[float] | None,
        sparse: SparseVector | None,
        filters: Filters,
        top_k: int,
        min_score: float | None,
    ) -> list[Document]:
        asked = filter_of(filters)
        has_embedding = where(BARE) != True  # noqa: E712 - builds a condition
        searching = self._store.search(
            self._collection,
            embedding,
            sparse=sparse,
            limit=top_k,
            filter=has_embedding if asked is None else has_embedding & asked,
            min_score=min_score,
            tenant=self._tenant,
        )
        return [document_of(match) for match in await self._unless_missing(searching, [])]

    async def _ensure(self) -> None:
        await self._store.ensure_collection(
            self._collection,
            self._dimensions,
            self._metric,
            sparse=self._sparse,
            tenants=bool(self._tenant),
        )

    async def _is_there(self) -> bool:
        return await self._unless_missing(self._exists(), otherwise=False)

    async def _exists(self) -> bool:
        await self._store.shape(self._collection)
        return True


def _everything_or(asked: Filter | None) -> Filter:
    return AllOf() if asked is None else asked
