"""A vector store as Haystack has them."""

from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from typing import Any, Self

from haystack import default_from_dict, default_to_dict
from haystack.dataclasses import Document
from haystack.document_stores.errors import DuplicateDocumentError
from haystack.document_stores.types import DuplicatePolicy

from infrastructure import ambient
from infrastructure.connections.vector.adapters.base import CollectionAdapter, both
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
from infrastructure.connections.vector.base import Metric, SparseVector, VectorStore
from infrastructure.connections.vector.filters import AllOf, Filter, where
from infrastructure.errors import NotFoundError, RejectedError

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

    async def _count(self, filters: Filters = None) -> int:
        """How many there are, or pass."""
        counting = self._store.count(self._collection, filter_of(filters), tenant=self._tenant)
        return await self._unless_missing(counting, 0)

    count_documents, count_documents_async = both(_count)

    async def _filter(self, filters: Filters = None) -> list[Document]:
        """Every document that passes, or every one."""
        return [document async for document in self._passing(filters)]

    filter_documents, filter_documents_async = both(_filter)

    async def _write(
        self, documents: Sequence[Document], policy: DuplicatePolicy = DuplicatePolicy.NONE
    ) -> int:
        """Store them; how many were written.

        `NONE` is `FAIL`. Whether a document is there already is asked before writing: of two
        writers at once, the later one wins.

        Raises:
            ValueError: It is no list of documents.
            DuplicateDocumentError: (Haystack) One is there, and the policy is to fail; none is
                written then.
        """
        if not isinstance(documents, list) or not all(
            isinstance(one, Document) for one in documents
        ):
            msg = "documents are a list of haystack Documents"
            raise ValueError(msg)
        if not documents:
            return 0
        await self._ensure(self._dimensions, sparse=self._sparse)
        new = documents
        if policy is not DuplicatePolicy.OVERWRITE:
            new = await self._absent(documents)
            if len(new) < len(documents) and policy is not DuplicatePolicy.SKIP:
                absent = {document.id for document in new}
                there = ", ".join(one.id for one in documents if one.id not in absent)
                raise DuplicateDocumentError(f"there already, or twice in the list: {there}")
        records = [record_of(document, self._dimensions) for document in new]
        await self._store.upsert(self._collection, records, tenant=self._tenant)
        return len(new)

    write_documents, write_documents_async = both(_write)

    async def _delete(self, document_ids: list[str]) -> None:
        """Remove by ids; what is not there is no error."""
        await self._remove(document_ids)

    delete_documents, delete_documents_async = both(_delete)

    # what stores of Haystack have beside it

    async def _delete_all(self, recreate_index: bool = False) -> None:
        """Remove every document; with `recreate_index` the collection with them.

        Raises:
            RejectedError: The collection is to be made anew, and is shared with other tenants.
        """
        if not recreate_index:
            await self._remove(AllOf())
            return
        if self._tenant:
            raise RejectedError(
                f"'{self._collection}' holds the documents of other tenants, too",
                where=self._store.name,
                hint="Leave out recreate_index.",
            )
        await self._store.drop_collection(self._collection)
        await self._ensure(self._dimensions, sparse=self._sparse)

    delete_all_documents, delete_all_documents_async = both(_delete_all)

    async def _delete_passing(self, filters: dict[str, Any]) -> int:
        """Remove what passes; how many passed when it was asked just before."""
        count = await self._count(filters)
        await self._remove(_everything_or(filter_of(filters)))
        return count

    delete_by_filter, delete_by_filter_async = both(_delete_passing)

    async def _update(self, filters: dict[str, Any], meta: dict[str, Any]) -> int:
        """Set metadata of what passes; how many it was. Values are those a filter can ask about."""
        asked = _everything_or(filter_of(filters))
        refuse_taken(meta, BARE)
        updating = self._store.update(self._collection, asked, meta, tenant=self._tenant)
        return await self._unless_missing(updating, 0)

    update_by_filter, update_by_filter_async = both(_update)

    count_documents_by_filter, count_documents_by_filter_async = both(_count)

    async def _count_unique(
        self, filters: dict[str, Any], metadata_fields: list[str]
    ) -> dict[str, int]:
        """How many different values each field has in what passes."""
        return await counts_of(self._passing(filters), metadata_fields)

    count_unique_metadata_by_filter, count_unique_metadata_by_filter_async = both(_count_unique)

    async def _types(self) -> dict[str, dict[str, str]]:
        """The type of each field: keyword, int, float or boolean."""
        return await types_of(self._passing(None))

    get_metadata_fields_info, get_metadata_fields_info_async = both(_types)

    async def _extremes(self, metadata_field: str) -> dict[str, Any]:
        """The least and the greatest value; None where there is none, or they do not compare."""
        return await extremes_of(self._passing(None), metadata_field)

    get_metadata_field_min_max, get_metadata_field_min_max_async = both(_extremes)

    async def _unique(
        self,
        metadata_field: str,
        search_term: str | None = None,
        from_: int = 0,
        size: int = 10,
        filters: Filters = None,
    ) -> tuple[list[Any], int]:
        """A page of the different values, in the order of their text, and how many there are."""
        if from_ < 0 or size < 0:
            raise RejectedError("from_ and size are 0 or more", where=self._store.name)
        found = await values_of(self._passing(filters), metadata_field, search_term)
        return found[from_ : from_ + size], len(found)

    get_metadata_field_unique_values, get_metadata_field_unique_values_async = both(_unique)

    async def _search(
        self,
        embedding: Sequence[float] | None,
        *,
        sparse: SparseVector | None = None,
        filters: Filters = None,
        top_k: int = 10,
        min_score: float | None = None,
    ) -> list[Document]:
        """The documents most like the embedding, with scores; the retriever's way in."""
        asked = _everything_or(filter_of(filters)) & (where(BARE) != True)  # noqa: E712 - a condition
        found = await self._matches(
            embedding, sparse=sparse, limit=top_k, filter=asked, min_score=min_score
        )
        return [document_of(match) for match in found]

    search, search_async = both(_search)

    # what they have in common

    async def _passing(self, filters: Filters) -> AsyncIterator[Document]:
        asked = filter_of(filters)
        with suppress(NotFoundError):  # of a collection that is not made yet
            async for record in self._store.scroll(self._collection, asked, tenant=self._tenant):
                yield document_of(record)

    async def _absent(self, documents: Sequence[Document]) -> list[Document]:
        distinct = {document.id: document for document in reversed(documents)}
        for record in await self._records(list(distinct)):
            del distinct[record.id]
        return list(reversed(distinct.values()))


def _everything_or(asked: Filter | None) -> Filter:
    return AllOf() if asked is None else asked
