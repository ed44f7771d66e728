"""Vectors in this process: exact, and without a dependency."""

import asyncio
import importlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from infrastructure.config.models.vector import VectorSettings
from infrastructure.connections.base import ConnectionType, PoolStats
from infrastructure.connections.vector.asking import Query
from infrastructure.connections.vector.base import VectorRegistry, VectorStore
from infrastructure.connections.vector.filters import Filter
from infrastructure.connections.vector.memory.rows import Rows
from infrastructure.connections.vector.records import Match, Place, Record, Shape
from infrastructure.connections.vector.sparse import SparseVector
from infrastructure.errors import NotFoundError, RejectedError


class MemorySettings(VectorSettings):
    """Vectors in this process, gone with `disconnect()`."""

    kind: str = "memory"


@dataclass(frozen=True, slots=True)
class _Collection:
    shape: Shape
    tenants: dict[str, Rows] = field(default_factory=dict)


@VectorRegistry.register(ConnectionType.MEMORY)
class MemoryVectorStore(VectorStore):
    """Every search looks at every vector, so it is exact; meant for up to some 10,000 of them.

    Uses numpy when it is installed (10,000 x 384 in milliseconds) and plain Python otherwise
    (in tenths of a second). Other tasks get their turn during a long search.
    """

    Settings: ClassVar[type[VectorSettings]] = MemorySettings

    def __init__(self, settings: MemorySettings, *, name: str = "") -> None:
        super().__init__(settings, name=name)
        self._collections: dict[str, _Collection] = {}
        self._numpy: Any = None

    def pool_stats(self) -> PoolStats:
        """There is nothing to connect to."""
        return PoolStats(size=0, in_use=0, limit=0)

    async def _open(self) -> None:
        self._numpy = await asyncio.to_thread(_find_numpy)

    async def _close(self) -> None:
        self._collections.clear()

    async def _ping(self) -> str:
        return f"memory: {len(self._collections)} collections"

    async def _create(self, collection: str, shape: Shape) -> bool:
        new = _Collection(shape)
        return self._collections.setdefault(collection, new) is new

    async def _shape_of(self, collection: str) -> Shape:
        return self._found(collection).shape

    async def _drop(self, collection: str) -> bool:
        return self._collections.pop(collection, None) is not None

    async def _names(self) -> Sequence[str]:
        return list(self._collections)

    async def _write(self, place: Place, records: Sequence[Record]) -> None:
        tenants = self._at(place).tenants
        if place.tenant not in tenants:
            tenants[place.tenant] = Rows(place.shape, self._numpy)
        tenants[place.tenant].put(records)

    async def _merge(
        self, place: Place, target: Sequence[str] | Filter, fields: dict[str, Any]
    ) -> int:
        found = await self._rows(place).passing(target)
        for row in found:
            row.merge(fields)
        return len(found)

    async def _read(self, place: Place, ids: Sequence[str]) -> Sequence[Record]:
        return [row.record() for row in await self._rows(place).passing(ids)]

    async def _remove(self, place: Place, target: Sequence[str] | Filter) -> None:
        rows = self._rows(place)
        for row in await rows.passing(target):
            rows.remove(row)
        tenants = self._at(place).tenants
        if not rows and tenants.get(place.tenant) is rows:
            del tenants[place.tenant]

    async def _count(self, place: Place, filter: Filter | None) -> int:
        return len(await self._rows(place).passing(filter))

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
        rows = self._rows(place)
        if isinstance(query, SparseVector):
            best = await rows.nearest_sparse(query, limit + offset, filter)
        else:
            best = await rows.nearest(query, limit + offset, filter)
        passing = [one for one in best if min_score is None or one[1] >= min_score]
        return [row.match(score) for row, score in passing[offset:]]

    async def _page(
        self, place: Place, filter: Filter | None, after: str, limit: int
    ) -> Sequence[Record]:
        return [row.record() for row in await self._rows(place).page(filter, after, limit)]

    def _rows(self, place: Place) -> Rows:
        """Those of the place; for a tenant that stored nothing none, and none are kept."""
        return self._at(place).tenants.get(place.tenant) or Rows(place.shape, None)

    def _at(self, place: Place) -> _Collection:
        found = self._found(place.collection)
        if found.shape != place.shape:
            raise RejectedError(
                f"collection '{place.collection}' was made anew meanwhile, with {found.shape}",
                where=self.name,
            )
        return found

    def _found(self, collection: str) -> _Collection:
        found = self._collections.get(collection)
        if found is None:
            raise NotFoundError(f"there is no collection '{collection}'", where=self.name)
        return found


def _find_numpy() -> Any:
    try:
        return importlib.import_module("numpy")
    except ModuleNotFoundError:
        return None
