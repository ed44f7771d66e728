"""The vector store port and its registry."""

from abc import abstractmethod
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, ClassVar

from infrastructure.config.models.vector import VectorSettings
from infrastructure.connections.base import VECTOR_STORES, AsyncBaseConnectionManager
from infrastructure.connections.vector.filters import Filter
from infrastructure.registry import Registry


class Metric(StrEnum):
    """How likeness is measured; every score is higher for the more alike."""

    COSINE = "cosine"
    DOT = "dot"
    EUCLID = "euclid"
    """Scored as minus the distance."""


@dataclass(frozen=True, slots=True)
class Record:
    """One vector with its text and fields.

    Attributes:
        id: Any non-empty text; unique in its collection.
        vector: As many floats as the collection has dimensions.
        text: What the vector stands for.
        fields: Values a filter can ask about: text, numbers, booleans, None, lists of them.
    """

    id: str
    vector: Sequence[float]
    text: str = ""
    fields: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Match:
    """A record found, without its vector, and how alike it is."""

    id: str
    score: float
    text: str
    fields: Mapping[str, Any]


class VectorStore(AsyncBaseConnectionManager):
    """Collections of vectors, searched by likeness and filtered by fields.

    Raises (every call):
        NotFoundError: There is no such collection.
        RejectedError: A vector has the wrong length, or an id is empty.
        UnavailableError: No answer in time.
    """

    Settings: ClassVar[type[VectorSettings]]
    settings: VectorSettings

    @abstractmethod
    async def ensure_collection(
        self, collection: str, dimensions: int, metric: Metric = Metric.COSINE
    ) -> bool:
        """Create the collection unless it is there; say whether it was created.

        Raises:
            ConflictError: It is there with other dimensions or another metric.
        """

    @abstractmethod
    async def drop_collection(self, collection: str) -> bool:
        """Remove the collection with all in it; say whether it was there."""

    @abstractmethod
    async def list_collections(self) -> list[str]:
        """The names, sorted."""

    @abstractmethod
    async def upsert(self, collection: str, records: Sequence[Record]) -> None:
        """Store the records, replacing those with the same ids; in batches the store can take."""

    @abstractmethod
    async def get(self, collection: str, ids: Sequence[str]) -> list[Record]:
        """The records there are, in the order of `ids`."""

    @abstractmethod
    async def delete(self, collection: str, target: Sequence[str] | Filter) -> None:
        """Remove by ids or by filter; what is not there is no error."""

    @abstractmethod
    async def count(self, collection: str, filter: Filter | None = None) -> int:
        """How many records there are, or pass the filter."""

    @abstractmethod
    async def search(
        self,
        collection: str,
        vector: Sequence[float],
        *,
        limit: int = 10,
        filter: Filter | None = None,
        min_score: float | None = None,
    ) -> list[Match]:
        """The most alike first, at most `limit`; the filter is applied before the limit."""

    @abstractmethod
    def scroll(self, collection: str, filter: Filter | None = None) -> AsyncIterator[Record]:
        """Every record, or every one that passes, in an order that does not change."""


VectorRegistry: Registry[VectorStore] = Registry(
    "vector",
    port=VectorStore,
    package="infrastructure.connections.vector",
    kinds=VECTOR_STORES,
)
