"""The rows of one collection, or of one tenant in it, and how the nearest of them are found."""

import asyncio
import heapq
import math
from array import array
from bisect import bisect_right
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from operator import itemgetter, mul
from typing import Any

from infrastructure.connections.vector.filters import Filter, matches
from infrastructure.connections.vector.memory.matrix import Matrix
from infrastructure.connections.vector.records import Match, Metric, Record, Shape
from infrastructure.connections.vector.sparse import SparseVector
from infrastructure.connections.vector.values import checked_fields

#: Rows looked at before other tasks get a turn.
_SLICE = 1000


@dataclass(slots=True, eq=False)
class Row:
    """A record as it is kept.

    Attributes:
        at: Its place among the rows and in the matrix; negative once it is replaced or removed.
    """

    id: str
    vector: "array[float]"
    text: str
    fields: dict[str, Any]
    sparse: dict[int, float]
    at: int = -1

    def record(self) -> Record:
        """A record of its own for the caller."""
        sparse = SparseVector.of(self.sparse) if self.sparse else None
        return Record(self.id, self.vector, self.text, self.fields, sparse)

    def match(self, score: float) -> Match:
        """What a search gives."""
        return Match(self.id, score, self.text, checked_fields(self.fields))

    def merge(self, fields: dict[str, Any]) -> None:
        """Set these fields, take away those that are None and leave the others."""
        merged = {**self.fields, **checked_fields(fields)}
        gone = {name for name, value in fields.items() if value is None}
        self.fields = {name: value for name, value in merged.items() if name not in gone}


class Rows:
    """Rows by id, with their vectors also in a matrix where numpy is installed.

    Args:
        shape: The collection's.
        numpy: The module; None to do without.
    """

    def __init__(self, shape: Shape, numpy: Any) -> None:
        self._metric = shape.metric
        self._matrix = Matrix(numpy, shape) if numpy is not None else None
        self._by_id: dict[str, Row] = {}
        self._order: list[Row] = []
        self._ids: list[str] | None = []

    def __len__(self) -> int:
        return len(self._order)

    def put(self, records: Sequence[Record]) -> None:
        """Keep these, in place of those with the same ids."""
        for record in records:
            row = _row(record, self._metric)
            old = self._by_id.get(row.id)
            if old is None:
                row.at = len(self._order)
                self._order.append(row)
                self._ids = None
            else:
                row.at, old.at = old.at, -1
                self._order[row.at] = row
            self._by_id[row.id] = row
            if self._matrix is not None:
                self._matrix.put(row.at, row.vector)

    def remove(self, row: Row) -> None:
        """Forget it, unless it was replaced or removed meanwhile; the last row takes its place."""
        if row.at < 0:
            return
        del self._by_id[row.id]
        self._ids = None
        last = self._order.pop()
        if last is not row:
            self._order[row.at] = last
            if self._matrix is not None:
                self._matrix.put(row.at, last.vector)
            last.at = row.at
        row.at = -1

    async def passing(self, target: Sequence[str] | Filter | None) -> list[Row]:
        """Those with the ids, or that pass the filter."""
        if target is None:
            return list(self._order)
        if not isinstance(target, Filter):
            return [self._by_id[one] for one in target if one in self._by_id]
        passing: list[Row] = []
        async for part in _slices(self._order):
            passing += [row for row in part if matches(target, row.fields)]
        found = (row if row.at >= 0 else self._anew(row, target) for row in passing)
        return [row for row in found if row is not None]

    def _anew(self, gone: Row, target: Filter) -> Row | None:
        """What stands in the place of a row that was replaced meanwhile, if that passes too."""
        row = self._by_id.get(gone.id)
        return row if row is not None and matches(target, row.fields) else None

    async def page(self, filter: Filter | None, after: str, limit: int) -> list[Row]:
        """The next rows by id."""
        if self._ids is None:
            self._ids = sorted(self._by_id)
        ids, found = self._ids, []
        start = bisect_right(ids, after)
        async for part in _slices(ids[start:]):
            rows = (self._by_id.get(one) for one in part)
            found += [
                row
                for row in rows
                if row is not None and (filter is None or matches(filter, row.fields))
            ]
            if len(found) >= limit:
                break
        return found[:limit]

    async def nearest(
        self, query: Sequence[float], limit: int, filter: Filter | None
    ) -> list[tuple[Row, float]]:
        """The most alike by their vectors, best first, with their scores."""
        asked = _kept(query, self._metric)
        rows = self._order if filter is None else await self.passing(filter)
        if self._matrix is not None:
            places = None if filter is None else [row.at for row in rows]
            best = self._matrix.best(asked, places, len(self._order), limit)
            return [(rows[i], score) for i, score in best]
        return await _best(rows, lambda row: _score(self._metric, asked, row.vector), limit)

    async def nearest_sparse(
        self, query: SparseVector, limit: int, filter: Filter | None
    ) -> list[tuple[Row, float]]:
        """The most alike by their sparse vectors; those that share no index are not there."""
        asked = list(zip(query.indices, query.values, strict=True))
        rows = [row for row in await self.passing(filter) if row.sparse]
        best = await _best(
            rows, lambda row: sum(row.sparse.get(i, 0.0) * value for i, value in asked), limit
        )
        return [(row, score) for row, score in best if score > 0]


async def _best(
    rows: Sequence[Row], score: Callable[[Row], float], limit: int
) -> list[tuple[Row, float]]:
    found: list[tuple[Row, float]] = []
    async for part in _slices(rows):
        found = heapq.nlargest(
            limit, [*found, *((row, score(row)) for row in part)], key=itemgetter(1)
        )
    return found


async def _slices(items: Sequence[Any]) -> AsyncIterator[Sequence[Any]]:
    """Pieces of what is there now; between two of them other tasks have their turn."""
    whole = list(items)
    for start in range(0, len(whole), _SLICE):
        if start:
            await asyncio.sleep(0)
        yield whole[start : start + _SLICE]


def _row(record: Record, metric: Metric) -> Row:
    sparse = record.sparse
    weights = dict(zip(sparse.indices, sparse.values, strict=True)) if sparse else {}
    return Row(
        record.id,
        _kept(record.vector, metric),
        record.text,
        checked_fields(record.fields),
        weights,
    )


def _kept(vector: Sequence[float], metric: Metric) -> "array[float]":
    """The vector in single precision; of unit length under cosine."""
    length = math.sqrt(sum(map(mul, vector, vector))) if metric is Metric.COSINE else 1.0
    return array("f", [value / length for value in vector] if length else vector)


def _score(metric: Metric, query: "array[float]", vector: "array[float]") -> float:
    if metric is Metric.EUCLID:
        return -math.dist(query, vector)
    return math.fsum(map(mul, query, vector))
