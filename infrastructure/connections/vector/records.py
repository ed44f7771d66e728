"""What a vector store keeps and gives: shapes of collections, records, matches."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from infrastructure.connections.vector.sparse import SparseVector
from infrastructure.connections.vector.values import (
    checked_fields,
    checked_text,
    checked_vector,
    is_encodable,
    shown,
)
from infrastructure.errors import RejectedError

_COLLECTION = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,127}", re.ASCII)


class Metric(StrEnum):
    """How likeness is measured; every score is higher for the more alike."""

    COSINE = "cosine"
    DOT = "dot"
    EUCLID = "euclid"
    """Scored as minus the distance."""


@dataclass(frozen=True, slots=True)
class Shape:
    """What was agreed when a collection was made.

    Attributes:
        dimensions: Length of every vector in it, at least 1.
        metric: How likeness is measured in it.
        sparse: Whether its records may have sparse vectors too.
        tenants: Whether it is divided by tenants: every call names one, and sees no other's.
    """

    dimensions: int
    metric: Metric = Metric.COSINE
    sparse: bool = False
    tenants: bool = False

    def __str__(self) -> str:
        extras = [word for word in ("sparse", "tenants") if getattr(self, word)]
        return ", ".join([f"{self.dimensions} dimensions", str(self.metric), *extras])


@dataclass(frozen=True, slots=True)
class Place:
    """Where a call works: a collection that exists, and the tenant in it.

    Attributes:
        collection: Its name, checked.
        shape: What was agreed of it.
        tenant: Not empty just where the shape has tenants.
    """

    collection: str
    shape: Shape
    tenant: str = ""


@dataclass(frozen=True, slots=True)
class Record:
    """One vector with its text and fields.

    Attributes:
        id: Any non-empty text; unique in its collection, or among its tenant's.
        vector: As many floats as the collection has dimensions. Stores keep single precision,
            and under `Metric.COSINE` the vector at unit length. Empty: the store's embedder
            makes it of the text.
        text: What the vector stands for.
        fields: Values a filter can ask about, by name: text, numbers, booleans, None, and lists
            of text, numbers and booleans.
        sparse: Weights of words or features, in a collection that was made for them.

    Raises:
        RejectedError: A part is not of this kind; the message says what was found.
    """

    id: str
    vector: Sequence[float] = ()
    text: str = ""
    fields: Mapping[str, Any] = field(default_factory=dict)
    sparse: SparseVector | None = None

    def __post_init__(self) -> None:
        if not self.id:
            raise RejectedError("the id of a record is empty")
        checked_text(self.id, "the id of a record")
        checked_text(self.text, f"the text of record '{self.id}'")
        if not (self.text and isinstance(self.vector, tuple) and not self.vector):
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


def checked_collection(name: str, where: str) -> str:
    """Return the name of a collection, or say what a name is."""
    if _COLLECTION.fullmatch(name):
        return name
    raise RejectedError(
        f"{shown(name)} cannot name a collection",
        where=where,
        hint="Use up to 128 ASCII letters, digits, '_', '-' and '.', without a leading dot.",
    )


def checked_ids(ids: Sequence[str], where: str) -> Sequence[str]:
    """Return the ids; one text alone is refused, for it would be read letter by letter."""
    if isinstance(ids, str) or not all(isinstance(one, str) for one in ids):
        raise RejectedError(f"ids are a sequence of text, found {shown(ids)}", where=where)
    if not is_encodable("".join(ids)):
        raise RejectedError(f"an id has lone surrogates, found {shown(ids)}", where=where)
    return ids
