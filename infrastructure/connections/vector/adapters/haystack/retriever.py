"""The retriever of a Haystack pipeline, on a store of ours."""

from typing import Any, Self

from haystack import component, default_from_dict, default_to_dict
from haystack.dataclasses import Document

from infrastructure.connections.vector.adapters.haystack.store import Filters, HaystackDocumentStore
from infrastructure.errors import RejectedError


@component
class HaystackEmbeddingRetriever:
    """The documents of a store that are most like an embedding, in a pipeline.

    Args:
        document_store: Where to search.
        filters: Of every run that has none of its own.
        top_k: How many at most.
        min_score: Only documents with this score or a higher one.
    """

    def __init__(
        self,
        document_store: HaystackDocumentStore,
        filters: Filters = None,
        top_k: int = 10,
        min_score: float | None = None,
    ) -> None:
        if not isinstance(document_store, HaystackDocumentStore):
            raise RejectedError(
                f"document_store is a HaystackDocumentStore, found {type(document_store).__name__}"
            )
        self.document_store = document_store
        self.filters = filters
        self.top_k = top_k
        self.min_score = min_score

    def to_dict(self) -> dict[str, Any]:
        """What it is made of."""
        made: dict[str, Any] = default_to_dict(
            self,
            document_store=self.document_store.to_dict(),
            filters=self.filters,
            top_k=self.top_k,
            min_score=self.min_score,
        )
        return made

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        """One on the store it was made with."""
        given = {**data["init_parameters"]}
        given["document_store"] = HaystackDocumentStore.from_dict(given["document_store"])
        made: Self = default_from_dict(cls, {**data, "init_parameters": given})
        return made

    @component.output_types(documents=list[Document])
    def run(
        self, query_embedding: list[float], filters: Filters = None, top_k: int | None = None
    ) -> dict[str, list[Document]]:
        """The documents, the most alike first."""
        found = self.document_store.search(query_embedding, **self._asked(filters, top_k))
        return {"documents": found}

    @component.output_types(documents=list[Document])
    async def run_async(
        self, query_embedding: list[float], filters: Filters = None, top_k: int | None = None
    ) -> dict[str, list[Document]]:
        """As `run`."""
        asked = self._asked(filters, top_k)
        return {"documents": await self.document_store.search_async(query_embedding, **asked)}

    def _asked(self, filters: Filters, top_k: int | None) -> dict[str, Any]:
        return {
            "filters": self.filters if filters is None else filters,
            "top_k": self.top_k if top_k is None else top_k,
            "min_score": self.min_score,
        }
