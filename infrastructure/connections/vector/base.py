"""The vector store port and its registry."""

import re
from abc import abstractmethod
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, ClassVar

from infrastructure.config.models.vector import VectorSettings
from infrastructure.connections.base import VECTOR_STORES, AsyncBaseConnectionManager
from infrastructure.connections.vector.filters import Filter
from infrastructure.connections.vector.values import (
    checked_fields,
    checked_text,
    checked_vector,
    shown,
)
from infrastructure.errors import RejectedError
from infrastructure.registry import Registry
from infrastructure.resilience import idempotent

_COLLECTION = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,127}", re.ASCII)


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
        vector: As many floats as the collection has dimensions. Stores keep single precision,
            and under `Metric.COSINE` the vector at unit length.
        text: What the vector stands for.
        fields: Values a filter can ask about, by name: text, numbers, booleans, None, and lists
            of text, numbers and booleans.

    Raises:
        RejectedError: A part is not of this kind; the message says what was found.
    """

    id: str
    vector: Sequence[float]
    text: str = ""
    fields: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.id:
            raise RejectedError("the id of a record is empty")
        checked_text(self.id, "the id of a record")
        checked_text(self.text, f"the text of record '{self.id}'")
        vector = checked_vector(self.vector, f"the vector of record '{self.id}'")
        object.__setattr__(self, "vector", vector)
        object.__setattr__(self, "fields", checked_fields(self.fields))


@dataclass(frozen=True, slots=True)
class Match:
    """A record found, without its vector, and how alike it is."""

    id: str
    score: float
    text: str
    fields: Mapping[str, Any]


class VectorStore(AsyncBaseConnectionManager):
    """Collections of vectors, searched by likeness and filtered by fields.

    `timeout_seconds` bounds each call; in a call with many records, each batch or page of it.
    Writes are seen by the next call, and are safe to repeat. An empty sequence of records or ids
    is nothing to do. Records with equal scores come in no promised order.

    Raises (every call):
        NotFoundError: There is no such collection.
        RejectedError: A vector has the wrong length, or a name, a limit or a filter is not one.
        UnavailableError: No answer in time; a write may have been done.
    """

    Settings: ClassVar[type[VectorSettings]]
    settings: VectorSettings
    operations = frozenset(
        {
            "count",
            "delete",
            "drop_collection",
            "ensure_collection",
            "get",
            "list_collections",
            "scroll",
            "search",
            "upsert",
        }
    )

    @abstractmethod
    async def ensure_collection(
        self, collection: str, dimensions: int, metric: Metric = Metric.COSINE
    ) -> bool:
        """Create the collection unless it is there; say whether it was created.

        Args:
            collection: Up to 128 ASCII letters, digits, `_`, `-` and `.`, not a leading dot.
            dimensions: Length of every vector in it.
            metric: How likeness is measured in it.

        Raises:
            ConflictError: It is there with other dimensions or another metric.
        """

    @abstractmethod
    async def drop_collection(self, collection: str) -> bool:
        """Remove the collection with all in it; say whether it was there."""

    @idempotent
    @abstractmethod
    async def list_collections(self) -> list[str]:
        """The names, sorted."""

    @abstractmethod
    async def upsert(self, collection: str, records: Sequence[Record]) -> None:
        """Store the records, replacing those with the same ids; in batches the store can take.

        A record that is refused for its length lets none of the call's records in. When a call
        fails in another way, the batches before it are stored; repeating the call is safe.
        """

    @idempotent
    @abstractmethod
    async def get(self, collection: str, ids: Sequence[str]) -> list[Record]:
        """The records there are, in the order of `ids`."""

    @abstractmethod
    async def delete(self, collection: str, target: Sequence[str] | Filter) -> None:
        """Remove by ids or by filter; what is not there is no error."""

    @idempotent
    @abstractmethod
    async def count(self, collection: str, filter: Filter | None = None) -> int:
        """How many records there are, or pass the filter."""

    @idempotent
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
        """The most alike first, at most `limit`; the filter is applied before the limit.

        Args:
            collection: Where to search.
            vector: What the records are compared with.
            limit: At least 1.
            filter: Only records that pass.
            min_score: Only records with this score or a higher one.
        """

    @abstractmethod
    def scroll(self, collection: str, filter: Filter | None = None) -> AsyncIterator[Record]:
        """Every record, or every one that passes, in an order that does not change."""

    def checked_name(self, collection: str) -> str:
        """Return the name of a collection, or say what a name is."""
        if _COLLECTION.fullmatch(collection):
            return collection
        raise RejectedError(
            f"{shown(collection)} cannot name a collection",
            where=self.name,
            hint="Use up to 128 ASCII letters, digits, '_', '-' and '.', without a leading dot.",
        )

    def checked_ids(self, ids: Sequence[str]) -> Sequence[str]:
        """Return the ids; one text alone is refused, for it would be read letter by letter."""
        if isinstance(ids, str) or not all(isinstance(one, str) for one in ids):
            raise RejectedError(f"ids are a sequence of text, found {shown(ids)}", where=self.name)
        return ids

    def checked_query(self, vector: Sequence[float], limit: int) -> list[float]:
        """Return the query vector; refuse a limit below 1."""
        if limit < 1:
            raise RejectedError(f"a limit is at least 1, found {limit}", where=self.name)
        return checked_vector(vector, "the query vector")

    def check_lengths(self, records: Sequence[Record], dimensions: int | None = None) -> None:
        """Refuse records whose vectors have not all `dimensions`, or not all the same length."""
        expected = dimensions if dimensions is not None else len(records[0].vector)
        for record in records:
            if len(record.vector) != expected:
                raise RejectedError(
                    f"the vector of record '{record.id}' has {len(record.vector)} dimensions,"
                    f" expected {expected}",
                    where=self.name,
                )


VectorRegistry: Registry[VectorStore] = Registry(
    "vector",
    port=VectorStore,
    package="infrastructure.connections.vector",
    kinds=VECTOR_STORES,
)
