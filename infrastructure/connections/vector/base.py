"""The vector store port and its registry."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import Any, ClassVar, TypeVar

from infrastructure.config.models.vector import VectorSettings
from infrastructure.connections.base import VECTOR_STORES
from infrastructure.connections.vector.asking import (
    AnyFilter,
    Capabilities,
    Query,
    Target,
    TextEmbedder,
)
from infrastructure.connections.vector.filters import Filter
from infrastructure.connections.vector.records import Match, Metric, Place, Record, Shape
from infrastructure.connections.vector.shapes import VectorCollections
from infrastructure.connections.vector.sparse import SparseVector
from infrastructure.connections.vector.tenants import TenantView
from infrastructure.connections.vector.upserts import Upsert, UpsertError
from infrastructure.connections.vector.values import checked_fields
from infrastructure.registry import Registry
from infrastructure.resilience import idempotent

__all__ = [
    "AnyFilter",
    "Capabilities",
    "Match",
    "Metric",
    "Place",
    "Query",
    "Record",
    "Shape",
    "SparseVector",
    "Target",
    "TextEmbedder",
    "UpsertError",
    "VectorRegistry",
    "VectorStore",
]

T = TypeVar("T")


class VectorStore(VectorCollections):
    """Collections of vectors, searched by likeness and filtered by fields.

    `timeout_seconds` bounds each call; in a call with many records, each batch or page of it.
    Making vectors of texts takes the embedder's own time, as its own settings bound it.
    Writes are seen by the next call, and are safe to repeat. An empty sequence of records or ids
    is nothing to do. Records with equal scores come in no promised order. A filter is an
    expression (`where("year") >= 2020`) or its plain form, a mapping.

    A collection made with `tenants=True` is divided: each call names a tenant, or is made on its
    `tenant(...)` view, and meets that tenant's records only. Others take no tenant.

    A kind writes the methods of `VectorBackend`; what a call asks for is checked here, once for
    all kinds.

    Raises (every call):
        NotFoundError: There is no such collection.
        RejectedError: A vector has the wrong length, or a name, a limit or a filter is not one.
        UnsupportedError: The store cannot do this; `capabilities` says what it can.
        UnavailableError: No answer in time; a write may have been done.

    Attributes:
        capabilities: What not every store can do, and this one can.
        embedder: Makes vectors of texts; None: texts are refused where a vector is needed.
    """

    Settings: ClassVar[type[VectorSettings]]
    embedder: TextEmbedder | None = None
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
            "shape",
            "update",
            "upsert",
        }
    )

    @property
    def batch_size(self) -> int:
        """The most records that go in one round trip."""
        return self.settings.batch_size

    def tenant(self, tenant: str) -> TenantView:
        """The same store for one tenant, who meets nobody else's records."""
        self._asking.tenant(tenant)
        return TenantView(self, tenant)

    async def upsert(self, collection: str, records: Sequence[Record], *, tenant: str = "") -> None:
        """Store the records, replacing those with the same ids; in batches the store can take.

        Of two records with one id the last is stored. Those without a vector get the embedder's.
        A record that does not fit the collection's shape lets none of the call's in.

        Raises:
            UpsertError: The store took some and not others; it says which, and why.
        """
        place = await self._place(collection, tenant)
        latest = list({record.id: record for record in records}.values())
        with self._doubting(collection):
            whole = await self._asking.records(latest, place.shape, self.embedder)
        write = self._within(place, self._write)
        await Upsert(write, self.name).run(whole, self.batch_size)

    async def update(
        self, collection: str, target: Target, fields: Mapping[str, Any], *, tenant: str = ""
    ) -> int:
        """Set these fields of the records with the ids, or that pass the filter; say how many.

        Other fields, vectors and texts stay. A field that is set to None is taken away.
        """
        asked, new = self._asking.target(target), checked_fields(fields)
        is_filter = isinstance(asked, Filter)
        place = await self._place(collection, tenant, is_looked_up=is_filter)
        merge = self._within(place, self._merge)
        if isinstance(asked, Filter):
            return await merge(asked, new)
        return sum([await merge(batch, new) for batch in self._batches(asked)])

    @idempotent
    async def get(self, collection: str, ids: Sequence[str], *, tenant: str = "") -> list[Record]:
        """The records there are, in the order of `ids`."""
        asked = self._asking.ids(ids)
        place = await self._place(collection, tenant)
        read = self._within(place, self._read)
        found: dict[str, Record] = {}
        for batch in self._batches(asked):
            found.update((record.id, record) for record in await read(batch))
        return [found[one] for one in ids if one in found]

    async def delete(self, collection: str, target: Target, *, tenant: str = "") -> None:
        """Remove by ids or by filter; what is not there is no error."""
        asked = self._asking.target(target)
        is_filter = isinstance(asked, Filter)
        place = await self._place(collection, tenant, is_looked_up=is_filter)
        remove = self._within(place, self._remove)
        for batch in [asked] if isinstance(asked, Filter) else self._batches(asked):
            await remove(batch)

    @idempotent
    async def count(
        self, collection: str, filter: AnyFilter | None = None, *, tenant: str = ""
    ) -> int:
        """How many records there are, or pass the filter; exact."""
        asked = self._asking.filter(filter)
        place = await self._place(collection, tenant)
        return await self._within(place, self._count)(asked)

    @idempotent
    async def search(
        self,
        collection: str,
        vector: Sequence[float] | None = None,
        *,
        text: str | None = None,
        sparse: SparseVector | None = None,
        limit: int = 10,
        offset: int = 0,
        filter: AnyFilter | None = None,
        min_score: float | None = None,
        tenant: str = "",
    ) -> list[Match]:
        """The most alike first, at most `limit`; the filter is applied before the limit.

        Args:
            collection: Where to search.
            vector: What the records are compared with.
            text: Instead of the vector: the embedder makes one of it.
            sparse: Compared by the dot product with the records' sparse vectors; those that
                share no index with it are not found. Beside a vector or a text, both rankings
                are fused: a score is then the sum of 1 / (60 + rank) over them.
            limit: At least 1.
            offset: How many of the best are left out.
            filter: Only records that pass.
            min_score: Only records with this score or a higher one.
            tenant: Whose records.
        """
        asked = self._asking.filter(filter)
        self._asking.window(limit, offset, min_score)
        place = await self._place(collection, tenant)
        with self._doubting(collection):
            dense = await self._asking.query(vector, text, sparse, place.shape, self.embedder)
        if dense is None or sparse is None:
            nearest = self._within(place, self._nearest)
            return await nearest(
                dense or sparse, limit=limit, offset=offset, filter=asked, min_score=min_score
            )
        hybrid = self._within(place, self._hybrid)
        found = await hybrid(dense, sparse, limit + offset, asked)
        passing = [one for one in found if min_score is None or one.score >= min_score]
        return passing[offset : offset + limit]

    async def scroll(
        self,
        collection: str,
        filter: AnyFilter | None = None,
        *,
        after: str = "",
        limit: int | None = None,
        tenant: str = "",
    ) -> AsyncIterator[Record]:
        """Every record, or every one that passes, in an order that does not change.

        Args:
            collection: Where.
            filter: Only records that pass.
            after: Go on behind the record with this id, whether it is still there or not.
            limit: At most so many.
            tenant: Whose records.
        """
        asked = self._asking.filter(filter)
        left = self._asking.scroll_limit(limit)
        self._asking.after(after)
        place = await self._place(collection, tenant)
        page = self._within(place, self._page)
        while left > 0:
            size = int(min(left, self.batch_size))
            records = await page(asked, after, size)
            for record in records:
                yield record
            if len(records) < size:
                return
            left, after = left - size, records[-1].id

    def _within(
        self, place: Place, work: Callable[..., Awaitable[T]]
    ) -> Callable[..., Awaitable[T]]:
        async def call(*args: Any, **named: Any) -> T:
            with self._doubting(place.collection):
                return await self._call(work, place, *args, **named)

        return call

    def _batches(self, ids: Sequence[str]) -> list[Sequence[str]]:
        distinct = list(dict.fromkeys(ids))
        size = self.batch_size
        return [distinct[start : start + size] for start in range(0, len(distinct), size)]


VectorRegistry: Registry[VectorStore] = Registry(
    "vector",
    port=VectorStore,
    package="infrastructure.connections.vector",
    kinds=VECTOR_STORES,
)
