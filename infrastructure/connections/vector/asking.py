"""What a call of a vector store asks for, checked before anything is sent; the same for each."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol, TypeAlias

from infrastructure.connections.vector.filters import Filter, Operator, operators
from infrastructure.connections.vector.filters.parsing import parse
from infrastructure.connections.vector.records import (
    Metric,
    Place,
    Record,
    Shape,
    checked_collection,
    checked_ids,
)
from infrastructure.connections.vector.sparse import SparseVector
from infrastructure.connections.vector.values import checked_text, checked_vector, shown
from infrastructure.errors import (
    ConfigurationError,
    DataError,
    RejectedError,
    UnsupportedError,
)

#: What Qdrant takes; others take less, and say so.
MAX_DIMENSIONS = 65_536

AnyFilter: TypeAlias = Filter | Mapping[str, Any]
Target: TypeAlias = Sequence[str] | AnyFilter
#: What records are compared with.
Query: TypeAlias = list[float] | SparseVector


class TextEmbedder(Protocol):
    """Makes vectors of texts; an `Embedder` is one."""

    async def embed_passages(self, texts: Sequence[str]) -> list[list[float]]:
        """Vectors of texts that will be searched."""

    async def embed_query(self, text: str) -> list[float]:
        """Vector of a question."""


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What not every store can do.

    Attributes:
        sparse: Keeps sparse vectors, and searches by them, alone or fused with the dense ones.
        tenants: Divides a collection by tenants.
        operators: What its filters can ask.
    """

    sparse: bool = True
    tenants: bool = True
    operators: frozenset[Operator] = frozenset(Operator)


class Asking:
    """Checks, for one store.

    Args:
        where: The store's name, for errors.
        kind: Its kind, for what it cannot do.
        capabilities: What it can.
    """

    def __init__(self, where: str, kind: str, capabilities: Capabilities) -> None:
        self._where = where
        self._kind = kind
        self._can = capabilities

    def collection(self, name: str) -> str:
        """A name that is one."""
        return checked_collection(name, self._where)

    def ids(self, ids: Sequence[str]) -> Sequence[str]:
        """Ids, and not one text alone."""
        return checked_ids(ids, self._where)

    def shape(self, shape: Shape) -> Shape:
        """A shape that the store can have."""
        if not 1 <= shape.dimensions <= MAX_DIMENSIONS:
            raise RejectedError(
                f"dimensions are at least 1 and at most {MAX_DIMENSIONS}, found {shape.dimensions}",
                where=self._where,
            )
        if shape.metric not in tuple(Metric):
            raise RejectedError(
                f"there is no metric {shown(shape.metric)}",
                where=self._where,
                hint=f"Known: {', '.join(Metric)}.",
            )
        for wish in ("sparse", "tenants"):
            if getattr(shape, wish) and not getattr(self._can, wish):
                what = "sparse vectors" if wish == "sparse" else "tenants"
                raise UnsupportedError(f"{self._kind} has no {what}", where=self._where)
        return replace(shape, metric=Metric(shape.metric))

    def tenant(self, tenant: str) -> str:
        """A tenant's name: any text but the empty one."""
        if not tenant:
            raise RejectedError("the name of a tenant is empty", where=self._where)
        return checked_text(tenant, "the name of a tenant")

    def place(self, place: Place) -> Place:
        """A tenant where the collection has tenants, and none where it has none."""
        if place.shape.tenants and not place.tenant:
            raise RejectedError(
                f"collection '{place.collection}' is divided by tenants, and the call names none",
                where=self._where,
                hint="Pass tenant=, or call a view: store.tenant('acme').",
            )
        if place.tenant and not place.shape.tenants:
            raise RejectedError(
                f"collection '{place.collection}' is not divided by tenants",
                where=self._where,
                hint="Make it with ensure_collection(..., tenants=True).",
            )
        if place.tenant:
            self.tenant(place.tenant)
        return place

    def filter(self, filter: AnyFilter | None) -> Filter | None:
        """A filter the store can answer, read from its plain form where it has that."""
        if filter is None:
            return None
        found = filter if isinstance(filter, Filter) else parse(filter)
        if lacking := operators(found) - self._can.operators:
            raise UnsupportedError(
                f"{self._kind} cannot filter by {', '.join(sorted(lacking))}", where=self._where
            )
        return found

    def target(self, target: Target) -> Sequence[str] | Filter:
        """Ids or a filter."""
        if isinstance(target, (Filter, Mapping)):
            found = self.filter(target)
            assert found is not None  # noqa: S101 - None came of None alone
            return found
        return self.ids(target)

    def window(self, limit: int, offset: int, min_score: float | None = None) -> None:
        """A limit of at least 1, an offset of at least 0 and a score that is a number."""
        if limit < 1:
            raise RejectedError(f"a limit is at least 1, found {limit}", where=self._where)
        if offset < 0:
            raise RejectedError(f"an offset is at least 0, found {offset}", where=self._where)
        if min_score is not None and not math.isfinite(min_score):
            raise RejectedError(f"a score is finite, found {min_score}", where=self._where)

    def scroll_limit(self, limit: int | None) -> float:
        """How many records a scroll gives at most."""
        if limit is None:
            return math.inf
        self.window(limit, 0)
        return limit

    def after(self, id: str) -> str:
        """An id to go on behind, or the empty text."""
        return checked_text(id, "the id to go on behind")

    async def records(
        self, records: Sequence[Record], shape: Shape, embedder: TextEmbedder | None
    ) -> Sequence[Record]:
        """Records that fit the shape, with vectors made for those without."""
        whole = list(records)
        bare = [i for i, record in enumerate(records) if not len(record.vector)]
        if bare:
            texts = [records[i].text for i in bare]
            vectors = await self._embedder(embedder).embed_passages(texts)
            if len(vectors) != len(texts):
                raise DataError(
                    f"the embedder made {len(vectors)} vectors of {len(texts)} texts",
                    where=self._where,
                )
            for i, vector in zip(bare, vectors, strict=True):
                whole[i] = replace(records[i], vector=vector)
        for record in whole:
            self._length(len(record.vector), shape, f"the vector of record '{record.id}'")
            if record.sparse is not None and not shape.sparse:
                raise self._no_sparse(f"record '{record.id}' has")
        return whole

    async def query(
        self,
        vector: Sequence[float] | None,
        text: str | None,
        sparse: SparseVector | None,
        shape: Shape,
        embedder: TextEmbedder | None,
    ) -> list[float] | None:
        """The dense vector to search by; None where it is the sparse one alone."""
        if sparse is not None and not shape.sparse:
            raise self._no_sparse("the query has")
        if vector is not None and text is not None:
            raise RejectedError("a search is by a vector or a text, not both", where=self._where)
        if text is not None:
            checked_text(text, "the text to search by")
            vector = await self._embedder(embedder).embed_query(text)
        if vector is None and sparse is not None:
            return None
        floats = checked_vector(vector, "the query vector")  # type: ignore[arg-type]  # None is refused
        self._length(len(floats), shape, "the query vector")
        return floats

    def _embedder(self, embedder: TextEmbedder | None) -> TextEmbedder:
        if embedder is None:
            raise ConfigurationError(
                "there is no embedder to make a vector of a text",
                where=self._where,
                hint="Set `embedder: embeddings.default` in its block, or pass vectors.",
            )
        return embedder

    def _length(self, found: int, shape: Shape, what: str) -> None:
        if found != shape.dimensions:
            raise RejectedError(
                f"{what} has {found} dimensions, expected {shape.dimensions}", where=self._where
            )

    def _no_sparse(self, what: str) -> RejectedError:
        return RejectedError(
            f"{what} a sparse vector, and the collection was made without",
            where=self._where,
            hint="Make it with ensure_collection(..., sparse=True).",
        )
