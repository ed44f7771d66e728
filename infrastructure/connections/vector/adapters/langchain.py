"""A vector store as LangChain has them."""

import math
import uuid
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Self

import numpy as np
from langchain_core.documents import Document
from langchain_core.embeddings import Embeddings
from langchain_core.vectorstores import VectorStore as Base
from langchain_core.vectorstores.utils import maximal_marginal_relevance

from infrastructure.connections.vector.adapters.base import CollectionAdapter, both
from infrastructure.connections.vector.adapters.metadata import packed, unpacked
from infrastructure.connections.vector.base import AnyFilter, Match, Metric, Record, VectorStore
from infrastructure.errors import RejectedError

#: A score between 0 and 1, of the score that this project gives; single precision may exceed 1.
_RELEVANCE: Mapping[Metric, Callable[[float], float]] = {
    Metric.COSINE: lambda score: min(1.0, max(0.0, (score + 1) / 2)),
    Metric.DOT: lambda score: (1 + math.tanh(score / 2)) / 2,
    Metric.EUCLID: lambda score: 1 / (1 - min(0.0, score)),
}
_TO_BE_MADE = [0.0]
#: LangChain's `index` sends it with documents; the store has batches of its own.
_OF_INDEX = "batch_size"


class LangChainVectorStore(CollectionAdapter, Base):
    """One collection of a vector store, for LangChain's chains and retrievers.

    The collection is made by the first `add_*`, as long as its vectors. `filter=` of every search
    is a filter of this project, or its plain form. Metadata may be any JSON; filters ask about
    text, numbers, booleans and lists of them.

    Args:
        store: Where the vectors are; stays its owner's to close.
        collection: Which of its collections.
        embedding: Makes the vectors.
        metric: How likeness is measured in a collection made here.
        tenant: Whose part, in a collection that is divided.
    """

    def __init__(
        self,
        store: VectorStore,
        collection: str,
        embedding: Embeddings,
        *,
        metric: Metric = Metric.COSINE,
        tenant: str = "",
    ) -> None:
        super().__init__(store, collection, metric, tenant)
        self._embedding = embedding

    @property
    def embeddings(self) -> Embeddings:
        """What makes the vectors."""
        return self._embedding

    # writing

    def add_texts(
        self,
        texts: Iterable[str],
        metadatas: list[dict[str, Any]] | None = None,
        *,
        ids: Sequence[str | None] | None = None,
        **options: Any,
    ) -> list[str]:
        """Embed and store; the ids in the order of the texts, made up where there are none."""
        parts = self._parted(texts, metadatas, ids, options)
        vectors = self._embedding.embed_documents([part.text for part in parts]) if parts else []
        return self._bridge.run(self._add(parts, vectors))

    async def aadd_texts(
        self,
        texts: Iterable[str],
        metadatas: list[dict[str, Any]] | None = None,
        *,
        ids: Sequence[str | None] | None = None,
        **options: Any,
    ) -> list[str]:
        """As `add_texts`."""
        parts = self._parted(texts, metadatas, ids, options)
        texts = [part.text for part in parts]
        vectors = await self._embedding.aembed_documents(texts) if parts else []
        return await self._bridge.arun(self._add(parts, vectors))

    async def _delete(self, /, ids: list[str] | None = None, **unknown: Any) -> bool | None:
        """Remove by ids; what is not there is no error."""
        self._refuse(unknown)
        if ids is None:
            raise RejectedError(
                "no ids to remove were given",
                where=self._store.name,
                hint="Pass ids, or drop the collection on the store itself.",
            )
        await self._remove(ids)
        return True

    delete, adelete = both(_delete)

    # reading

    async def _get(self, ids: Sequence[str], /) -> list[Document]:
        """The documents there are."""
        return [_document(record) for record in await self._records(ids)]

    get_by_ids, aget_by_ids = both(_get)

    def similarity_search(self, query: str, k: int = 4, **options: Any) -> list[Document]:
        """The documents most like the text."""
        return _documents(self.similarity_search_with_score(query, k, **options))

    async def asimilarity_search(self, query: str, k: int = 4, **options: Any) -> list[Document]:
        """As `similarity_search`."""
        return _documents(await self.asimilarity_search_with_score(query, k, **options))

    def similarity_search_with_score(
        self, query: str, k: int = 4, **options: Any
    ) -> list[tuple[Document, float]]:
        """The same with scores, higher for the more alike."""
        return self._bridge.run(self._search(self._embedding.embed_query(query), k, **options))

    async def asimilarity_search_with_score(
        self, query: str, k: int = 4, **options: Any
    ) -> list[tuple[Document, float]]:
        """As `similarity_search_with_score`."""
        vector = await self._embedding.aembed_query(query)
        return await self._bridge.arun(self._search(vector, k, **options))

    async def _like(self, /, embedding: list[float], k: int = 4, **options: Any) -> list[Document]:
        """The documents most like the vector."""
        return _documents(await self._search(embedding, k, **options))

    similarity_search_by_vector, asimilarity_search_by_vector = both(_like)

    def max_marginal_relevance_search(
        self, query: str, k: int = 4, fetch_k: int = 20, lambda_mult: float = 0.5, **options: Any
    ) -> list[Document]:
        """Of the `fetch_k` most alike, `k` that are unlike each other."""
        vector = self._embedding.embed_query(query)
        return self._bridge.run(self._diverse(vector, k, fetch_k, lambda_mult, **options))

    async def amax_marginal_relevance_search(
        self, query: str, k: int = 4, fetch_k: int = 20, lambda_mult: float = 0.5, **options: Any
    ) -> list[Document]:
        """As `max_marginal_relevance_search`."""
        vector = await self._embedding.aembed_query(query)
        return await self._bridge.arun(self._diverse(vector, k, fetch_k, lambda_mult, **options))

    async def _diverse(
        self,
        /,
        embedding: list[float],
        k: int = 4,
        fetch_k: int = 20,
        lambda_mult: float = 0.5,
        **options: Any,
    ) -> list[Document]:
        """As `max_marginal_relevance_search`, by a vector."""
        found = _documents(await self._search(embedding, fetch_k, **options))
        records = await self._records([str(document.id) for document in found])
        vectors = {record.id: list(record.vector) for record in records}
        there = [document for document in found if document.id in vectors]
        chosen = maximal_marginal_relevance(
            np.array(embedding, dtype=np.float32),
            [vectors[str(document.id)] for document in there],
            lambda_mult=lambda_mult,
            k=k,
        )
        return [there[position] for position in chosen]

    max_marginal_relevance_search_by_vector, amax_marginal_relevance_search_by_vector = both(
        _diverse
    )

    @classmethod
    def from_texts(
        cls,
        texts: list[str],
        embedding: Embeddings,
        metadatas: list[dict[str, Any]] | None = None,
        *,
        ids: list[str] | None = None,
        **options: Any,
    ) -> Self:
        """A store with the texts in it; `store=` and `collection=` are needed."""
        made = cls(embedding=embedding, **options)
        try:
            made.add_texts(texts, metadatas, ids=ids)
        except BaseException:
            made.close()
            raise
        return made

    @classmethod
    async def afrom_texts(
        cls,
        texts: list[str],
        embedding: Embeddings,
        metadatas: list[dict[str, Any]] | None = None,
        *,
        ids: list[str] | None = None,
        **options: Any,
    ) -> Self:
        """As `from_texts`."""
        made = cls(embedding=embedding, **options)
        await made.aadd_texts(texts, metadatas, ids=ids)
        return made

    # what they have in common

    def _parted(
        self,
        texts: Iterable[str],
        metadatas: Sequence[Mapping[str, Any]] | None,
        ids: Sequence[str | None] | None,
        options: Mapping[str, Any],
    ) -> list[Record]:
        """Records that are to be embedded; what is wrong is told before that costs something."""
        self._refuse([name for name in options if name != _OF_INDEX])
        all_texts = list(texts)
        count = len(all_texts)
        named = [None] * count if ids is None else ids
        given = [{}] * count if metadatas is None else metadatas
        if not count == len(named) == len(given):
            raise RejectedError(
                f"{count} texts, {len(given)} metadatas, {len(named)} ids do not go together",
                where=self._store.name,
            )
        return [
            Record(one or str(uuid.uuid4()), _TO_BE_MADE, text, packed(metadata))
            for one, text, metadata in zip(named, all_texts, given, strict=True)
        ]

    async def _add(self, parts: list[Record], vectors: Sequence[Sequence[float]]) -> list[str]:
        if len(vectors) != len(parts):
            raise RejectedError(
                f"{len(vectors)} vectors came of {len(parts)} texts", where=self._store.name
            )
        records = [
            replace(part, vector=vector) for part, vector in zip(parts, vectors, strict=True)
        ]
        if records:
            await self._ensure(len(records[0].vector))
            await self._store.upsert(self._collection, records, tenant=self._tenant)
        return [record.id for record in records]

    async def _search(
        self,
        vector: Sequence[float],
        k: int,
        *,
        filter: AnyFilter | None = None,
        score_threshold: float | None = None,
        offset: int = 0,
        **unknown: Any,
    ) -> list[tuple[Document, float]]:
        self._refuse(unknown)
        found = await self._matches(
            vector, limit=k, offset=offset, filter=filter, min_score=score_threshold
        )
        return [(_document(match), match.score) for match in found]

    def _refuse(self, unknown: Collection[str]) -> None:
        """Refuse options that this store has not, rather than leave them out."""
        if unknown:
            raise RejectedError(f"unknown options: {', '.join(unknown)}", where=self._store.name)

    def _select_relevance_score_fn(self) -> Callable[[float], float]:
        return _RELEVANCE[self._metric]


def _document(found: Record | Match) -> Document:
    metadata, _ = unpacked(found.fields)
    return Document(id=found.id, page_content=found.text, metadata=metadata)


def _documents(found: Iterable[tuple[Document, float]]) -> list[Document]:
    return [document for document, _ in found]
