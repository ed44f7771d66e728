"""What a kind of vector store supplies: one round trip each, on what was checked already."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

from infrastructure.connections.base import AsyncBaseConnectionManager
from infrastructure.connections.vector.asking import Query
from infrastructure.connections.vector.filters import Filter
from infrastructure.connections.vector.fusion import depth, fused
from infrastructure.connections.vector.records import Match, Place, Record, Shape
from infrastructure.connections.vector.sparse import SparseVector


class VectorBackend(AsyncBaseConnectionManager):
    """The half of a `VectorStore` that its backend writes.

    Each method is called within `calling()`, by `VectorStore` alone. An error of the driver that
    leaves it is translated then, so it catches for itself what its own answer depends on.

    A method that is handed a `Place` raises `NotFoundError` where the collection is gone, and
    meets the records of the place's tenant only.
    """

    @abstractmethod
    async def _create(self, collection: str, shape: Shape) -> bool:
        """Make the collection; False where it is there already, of whatever shape."""

    async def _complete(self, collection: str, shape: Shape) -> None:
        """Add what a creation that was cut left out; asked of each collection that is ensured."""

    @abstractmethod
    async def _shape_of(self, collection: str) -> Shape:
        """Its shape as the store has it.

        Raises:
            NotFoundError: There is no such collection.
        """

    @abstractmethod
    async def _drop(self, collection: str) -> bool:
        """Remove it; say whether it was there."""

    @abstractmethod
    async def _names(self) -> Sequence[str]:
        """The names of all collections, in any order."""

    @abstractmethod
    async def _write(self, place: Place, records: Sequence[Record]) -> None:
        """Store these, at most `batch_size` with ids of their own; all, or none when it raises.

        A `RejectedError` says that a record is to blame, and the batch is tried in halves.
        """

    @abstractmethod
    async def _merge(self, place: Place, target: Sequence[str] | Filter, fields: Any) -> int:
        """Set the fields, take away those that are None, leave others; say of how many records."""

    @abstractmethod
    async def _read(self, place: Place, ids: Sequence[str]) -> Sequence[Record]:
        """Those there are, in any order."""

    @abstractmethod
    async def _remove(self, place: Place, target: Sequence[str] | Filter) -> None:
        """Remove them."""

    @abstractmethod
    async def _count(self, place: Place, filter: Filter | None) -> int:
        """Count them."""

    @abstractmethod
    async def _nearest(
        self,
        place: Place,
        query: Query,
        *,
        limit: int,
        offset: int,
        filter: Filter | None,
        min_score: float | None,
    ) -> list[Match]:
        """The most alike first, by a vector of the right length or a sparse one."""

    @abstractmethod
    async def _page(
        self, place: Place, filter: Filter | None, after: str, limit: int
    ) -> Sequence[Record]:
        """The next `limit` records behind the id `after`, or from the beginning where empty."""

    async def _hybrid(
        self,
        place: Place,
        vector: list[float],
        sparse: SparseVector,
        limit: int,
        filter: Filter | None,
    ) -> list[Match]:
        """The best `limit` or more of both rankings, fused; two searches unless one will do."""
        each = depth(limit)
        rankings = [
            await self._nearest(place, query, limit=each, offset=0, filter=filter, min_score=None)
            for query in (vector, sparse)
        ]
        return fused(rankings)
