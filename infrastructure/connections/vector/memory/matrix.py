"""The vectors of many rows as one matrix of numpy's, which finds the nearest in one product."""

from array import array
from collections.abc import Sequence
from typing import Any

from infrastructure.connections.vector.records import Metric, Shape

_FIRST_ROOM = 64


class Matrix:
    """One row a vector, in single precision; it grows by doubling.

    Args:
        numpy: The module.
        shape: The collection's.
    """

    def __init__(self, numpy: Any, shape: Shape) -> None:
        self._numpy = numpy
        self._metric = shape.metric
        self._values = numpy.empty((_FIRST_ROOM, shape.dimensions), dtype="f4")

    def put(self, at: int, vector: "array[float]") -> None:
        """Set the vector of a row; `at` is at most one behind the last that was set."""
        if at == len(self._values):
            grown = self._numpy.empty((2 * at, self._values.shape[1]), dtype="f4")
            grown[:at] = self._values
            self._values = grown
        self._values[at] = self._numpy.frombuffer(vector, dtype="f4")

    def best(
        self, query: "array[float]", places: Sequence[int] | None, count: int, limit: int
    ) -> list[tuple[int, float]]:
        """The most alike, best first: positions in `places`, or in the first `count` rows."""
        values = self._values[:count] if places is None else self._values[list(places)]
        if not len(values):
            return []
        numpy, asked = self._numpy, self._numpy.frombuffer(query, dtype="f4")
        if self._metric is Metric.EUCLID:
            scores = -numpy.linalg.norm(values - asked, axis=1)
        else:
            scores = values @ asked
        rest = max(len(scores) - limit, 0)
        some = numpy.argpartition(scores, rest)[rest:]
        best = some[numpy.argsort(-scores[some])]
        return list(zip(best.tolist(), scores[best].tolist(), strict=True))
