"""One tenant's part of a vector store: what it hands out is all its holder can reach."""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from infrastructure.connections.vector.records import Match, Record
from infrastructure.connections.vector.sparse import SparseVector

if TYPE_CHECKING:
    from infrastructure.connections.vector.base import AnyFilter, VectorStore


class TenantView:
    """The calls of a `VectorStore` that work on records, in collections divided by tenants.

    Every call reads and writes the tenant's own records only; ids of other tenants are free.

    Args:
        store: Where they are; stays its owner's to close.
        tenant: Any non-empty text.
    """

    __slots__ = ("_store", "_tenant")

    def __init__(self, store: "VectorStore", tenant: str) -> None:
        self._store = store
        self._tenant = tenant

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self._store.name}>"

    async def upsert(self, collection: str, records: Sequence[Record]) -> None:
        """As `VectorStore.upsert`."""
        await self._store.upsert(collection, records, tenant=self._tenant)

    async def update(
        self, collection: str, target: "Sequence[str] | AnyFilter", fields: Mapping[str, Any]
    ) -> int:
        """As `VectorStore.update`."""
        return await self._store.update(collection, target, fields, tenant=self._tenant)

    async def get(self, collection: str, ids: Sequence[str]) -> list[Record]:
        """As `VectorStore.get`."""
        return await self._store.get(collection, ids, tenant=self._tenant)

    async def delete(self, collection: str, target: "Sequence[str] | AnyFilter") -> None:
        """As `VectorStore.delete`."""
        await self._store.delete(collection, target, tenant=self._tenant)

    async def count(self, collection: str, filter: "AnyFilter | None" = None) -> int:
        """As `VectorStore.count`."""
        return await self._store.count(collection, filter, tenant=self._tenant)

    async def search(
        self,
        collection: str,
        vector: Sequence[float] | None = None,
        *,
        text: str | None = None,
        sparse: SparseVector | None = None,
        limit: int = 10,
        offset: int = 0,
        filter: "AnyFilter | None" = None,
        min_score: float | None = None,
    ) -> list[Match]:
        """As `VectorStore.search`."""
        return await self._store.search(
            collection,
            vector,
            text=text,
            sparse=sparse,
            limit=limit,
            offset=offset,
            filter=filter,
            min_score=min_score,
            tenant=self._tenant,
        )

    def scroll(
        self,
        collection: str,
        filter: "AnyFilter | None" = None,
        *,
        after: str = "",
        limit: int | None = None,
    ) -> AsyncIterator[Record]:
        """As `VectorStore.scroll`."""
        return self._store.scroll(collection, filter, after=after, limit=limit, tenant=self._tenant)
