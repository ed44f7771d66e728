"""Vectors in this process: exact, and without a dependency."""

import asyncio
import heapq
import importlib
import math
from array import array
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from operator import itemgetter, mul
from typing import Any, ClassVar

from infrastructure.config.models.vector import VectorSettings
from infrastructure.connections.base import ConnectionType, PoolStats
from infrastructure.connections.vector.base import (
    Match,
    Metric,
    Record,
    VectorRegistry,
    VectorStore,
)
from infrastructure.connections.vector.filters import Filter, matches
from infrastructure.connections.vector.values import checked_fields
from infrastructure.errors import ConflictError, NotFoundError, RejectedError
from infrastructure.resilience import deadline

#: Records looked at before other tasks get a turn.
_SLICE = 1000


class MemorySettings(VectorSettings):
    """Vectors in this process, gone with `disconnect()`."""

    kind: str = "memory"


@dataclass(slots=True)
class _Row:
    id: str
    vector: "array[float]"
    text: str
    fields: dict[str, Any]


@dataclass(slots=True)
class _Collection:
    dimensions: int
    metric: Metric
    rows: dict[str, _Row] = field(default_factory=dict)
    matrix: Any = None
    """All vectors for numpy; None after a change."""


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

    async def ensure_collection(
        self, collection: str, dimensions: int, metric: Metric = Metric.COSINE
    ) -> bool:
        """Create the collection unless it is there with these dimensions and this metric."""
        await self.connect()
        self.checked_name(collection)
        if dimensions < 1:
            raise RejectedError(f"dimensions are at least 1, found {dimensions}", where=self.name)
        found = self._collections.setdefault(collection, new := _Collection(dimensions, metric))
        if (found.dimensions, found.metric) != (dimensions, metric):
            raise ConflictError(
                f"collection '{collection}' has {found.dimensions} dimensions and the metric"
                f" {found.metric}, asked for {dimensions} and {metric}",
                where=self.name,
                hint="Use another name, or drop the collection and embed its texts again.",
            )
        return found is new

    async def drop_collection(self, collection: str) -> bool:
        """Remove the collection; say whether it was there."""
        await self.connect()
        return self._collections.pop(self.checked_name(collection), None) is not None

    async def list_collections(self) -> list[str]:
        """The names, sorted."""
        await self.connect()
        return sorted(self._collections)

    async def upsert(self, collection: str, records: Sequence[Record]) -> None:
        """Store the records, replacing those with the same ids; all or none."""
        if not records:
            return
        found = await self._collection(collection)
        self.check_lengths(records, found.dimensions)
        found.rows.update((record.id, _row(record, found.metric)) for record in records)
        found.matrix = None

    async def get(self, collection: str, ids: Sequence[str]) -> list[Record]:
        """The records there are, in the order of `ids`."""
        if not self.checked_ids(ids):
            return []
        rows = (await self._collection(collection)).rows
        return [_record(rows[one]) for one in ids if one in rows]

    async def delete(self, collection: str, target: Sequence[str] | Filter) -> None:
        """Remove by ids or by filter; what is not there is no error."""
        if isinstance(target, Filter):
            found = await self._collection(collection)
            gone = await self._passing(found, target)
            ids = [row.id for row in gone if found.rows.get(row.id) is row]
        elif self.checked_ids(target):
            found, ids = await self._collection(collection), list(target)
        else:
            return
        for one in ids:
            found.rows.pop(one, None)
        found.matrix = None

    async def count(self, collection: str, filter: Filter | None = None) -> int:
        """How many records there are, or pass the filter."""
        return len(await self._passing(await self._collection(collection), filter))

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
        query = self.checked_query(vector, limit)
        found = await self._collection(collection)
        if len(query) != found.dimensions:
            raise RejectedError(
                f"the query vector has {len(query)} dimensions, expected {found.dimensions}",
                where=self.name,
            )
        rows = await self._passing(found, filter)
        best = await self._best(found, rows, query, limit, is_whole=filter is None)
        return [
            _match(rows[i], score) for i, score in best if min_score is None or score >= min_score
        ]

    async def scroll(self, collection: str, filter: Filter | None = None) -> AsyncIterator[Record]:
        """Every record there is at the beginning, or every one that passes."""
        for row in await self._passing(await self._collection(collection), filter):
            yield _record(row)

    def pool_stats(self) -> PoolStats:
        """There is nothing to connect to."""
        return PoolStats(size=0, in_use=0, limit=0)

    async def _open(self) -> None:
        self._numpy = await asyncio.to_thread(_find_numpy)

    async def _close(self) -> None:
        self._collections.clear()

    async def _ping(self) -> str:
        return f"memory: {len(self._collections)} collections"

    async def _collection(self, name: str) -> _Collection:
        await self.connect()
        found = self._collections.get(self.checked_name(name))
        if found is None:
            raise NotFoundError(f"there is no collection '{name}'", where=self.name)
        return found

    async def _passing(self, found: _Collection, filter: Filter | None) -> list[_Row]:
        rows = list(found.rows.values())
        if filter is None:
            return rows
        passing: list[_Row] = []
        async with deadline(self.settings.timeout_seconds, self.name):
            for start in range(0, len(rows), _SLICE):
                part = rows[start : start + _SLICE]
                passing += [row for row in part if matches(filter, row.fields)]
                await asyncio.sleep(0)
        return passing

    async def _best(
        self,
        found: _Collection,
        rows: list[_Row],
        query: list[float],
        limit: int,
        *,
        is_whole: bool,
    ) -> list[tuple[int, float]]:
        """Positions and scores of the most alike rows, best first."""
        asked = _kept(query, found.metric)
        if self._numpy is not None and rows:
            matrix = self._matrix(found, rows, is_whole=is_whole)
            return _numpy_best(self._numpy, found.metric, asked, matrix, limit)
        scores: list[float] = []
        async with deadline(self.settings.timeout_seconds, self.name):
            for start in range(0, len(rows), _SLICE):
                part = rows[start : start + _SLICE]
                scores += [_score(found.metric, asked, row.vector) for row in part]
                await asyncio.sleep(0)
        return heapq.nlargest(limit, enumerate(scores), key=itemgetter(1))

    def _matrix(self, found: _Collection, rows: list[_Row], *, is_whole: bool) -> Any:
        if is_whole and found.matrix is not None:
            return found.matrix
        joined = b"".join(row.vector for row in rows)
        matrix = self._numpy.frombuffer(joined, dtype="f4").reshape(-1, found.dimensions)
        if is_whole:
            found.matrix = matrix
        return matrix


def _find_numpy() -> Any:
    try:
        return importlib.import_module("numpy")
    except ModuleNotFoundError:
        return None


def _kept(vector: Sequence[float], metric: Metric) -> "array[float]":
    """The vector in single precision; of unit length under cosine."""
    length = math.sqrt(sum(map(mul, vector, vector))) if metric is Metric.COSINE else 1.0
    return array("f", [value / length for value in vector] if length else vector)


def _numpy_best(
    numpy: Any, metric: Metric, query: "array[float]", matrix: Any, limit: int
) -> list[tuple[int, float]]:
    asked = numpy.frombuffer(query, dtype="f4")
    if metric is Metric.EUCLID:
        scores = -numpy.linalg.norm(matrix - asked, axis=1)
    else:
        scores = matrix @ asked
    some = numpy.argpartition(-scores, min(limit, len(scores)) - 1)[:limit]
    best = some[numpy.argsort(-scores[some])]
    return list(zip(best.tolist(), scores[best].tolist(), strict=True))


def _score(metric: Metric, query: "array[float]", vector: "array[float]") -> float:
    if metric is Metric.EUCLID:
        return -math.dist(query, vector)
    return math.fsum(map(mul, query, vector))


def _row(record: Record, metric: Metric) -> _Row:
    fields = checked_fields(record.fields)
    return _Row(record.id, _kept(record.vector, metric), record.text, fields)


def _record(row: _Row) -> Record:
    return Record(row.id, row.vector, row.text, row.fields)


def _match(row: _Row, score: float) -> Match:
    return Match(row.id, score, row.text, checked_fields(row.fields))
