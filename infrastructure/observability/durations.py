"""Durations of many calls in little space."""

import math
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

#: Steps of one power of ten; neighbors differ by a tenth, so a percentile is right to 5 %.
_STEPS = 24
#: Buckets reach from a microsecond to a quarter of a day; what is beyond falls into the last.
_LOWEST, _HIGHEST = -6 * _STEPS, int(4.35 * _STEPS)
#: The bounds that are shown: three for each power of ten from 100 microseconds to 100 seconds.
_SHOWN = tuple(range(-4 * _STEPS, 2 * _STEPS + 1, _STEPS // 3))


@dataclass(frozen=True, slots=True)
class DurationStatistics:
    """What is known of the durations so far, in seconds; percentiles are right to 5 %."""

    count: int = 0
    total_seconds: float = 0.0
    max_seconds: float = 0.0
    p50_seconds: float = 0.0
    p95_seconds: float = 0.0
    p99_seconds: float = 0.0


class Durations:
    """Counts durations in buckets that grow by a tenth; safe in threads.

    It holds some 250 numbers at most, however many durations come.
    """

    __slots__ = ("_counts", "_lock", "_max", "_total")

    def __init__(self) -> None:
        self._counts: Counter[int] = Counter()
        self._total = 0.0
        self._max = 0.0
        self._lock = threading.Lock()

    def record(self, seconds: float) -> None:
        """Count one more; what is not above 0 counts as the shortest."""
        step = math.ceil(math.log10(seconds) * _STEPS) if seconds > 0 else _LOWEST
        with self._lock:
            self._counts[min(max(step, _LOWEST), _HIGHEST)] += 1
            self._total += max(seconds, 0.0)
            self._max = max(self._max, seconds)

    def statistics(self) -> DurationStatistics:
        """Count, sum, maximum and percentiles."""
        with self._lock:
            steps, total, longest = sorted(self._counts.items()), self._total, self._max
        count = sum(amount for _, amount in steps)
        quantiles = (_quantile(steps, count, share, longest) for share in (0.5, 0.95, 0.99))
        return DurationStatistics(count, total, longest, *quantiles)

    def buckets(self) -> tuple[tuple[float, int], ...]:
        """Rising upper bounds in seconds, the last infinite, and how many were at most so long."""
        with self._lock:
            steps = sorted(self._counts.items())
        return tuple(_cumulated(steps))


def _cumulated(steps: list[tuple[int, int]]) -> Iterator[tuple[float, int]]:
    for bound in _SHOWN:
        # ten digits, so that 0.001 is 0.001
        upper = float(f"{10 ** (bound / _STEPS):.3g}")
        yield upper, sum(amount for step, amount in steps if step <= bound)
    yield math.inf, sum(amount for _, amount in steps)


def _quantile(steps: list[tuple[int, int]], count: int, share: float, longest: float) -> float:
    """The middle of the bucket that holds the duration of this rank."""
    rank, passed = math.ceil(share * count), 0
    for step, amount in steps:
        passed += amount
        if passed >= rank:
            return min(float(10 ** ((step - 0.5) / _STEPS)), longest)
    return 0.0
