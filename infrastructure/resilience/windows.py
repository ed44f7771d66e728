"""Outcomes of the latest calls, by their number or by their age; constant work and memory a call.

A window has no lock and no clock: its owner brings both.
"""

from abc import ABC, abstractmethod

_FAILED = 1
_SLOW = 2


class Window(ABC):
    """How the latest calls went.

    Attributes:
        calls: How many it knows of.
        failures: How many of them failed.
        slow_calls: How many of them were slow, failed or not.
    """

    calls: int = 0
    failures: int = 0
    slow_calls: int = 0

    @property
    def failure_rate(self) -> float:
        """Failed calls among all, 0 to 1; 0 without calls."""
        return self.failures / self.calls if self.calls else 0.0

    @property
    def slow_call_rate(self) -> float:
        """Slow calls among all, 0 to 1; 0 without calls."""
        return self.slow_calls / self.calls if self.calls else 0.0

    @abstractmethod
    def record(self, failed: bool, slow: bool, now: float) -> None:
        """Add the outcome of a call that ended `now`, and forget what is too old by then."""

    def record_successes(self, count: int, now: float) -> None:
        """Add so many calls that neither failed nor were slow."""
        for _ in range(count):
            self.record(failed=False, slow=False, now=now)

    @abstractmethod
    def advance(self, now: float) -> None:
        """Forget what is too old `now`."""

    def clear(self) -> None:
        """Forget everything."""
        self.calls = self.failures = self.slow_calls = 0


class CountWindow(Window):
    """The last `size` calls, however long ago they were.

    Args:
        size: One byte of memory each.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._ring = bytearray(size)
        self._next = 0

    def record(self, failed: bool, slow: bool, now: float) -> None:  # noqa: ARG002 - age is nothing here
        """Add an outcome in the place of the oldest."""
        at = self._next
        if failed or slow or self._ring[at]:
            self._replace(at, failed, slow)
        at += 1
        self._next = at if at < self._size else 0
        if self.calls < self._size:
            self.calls += 1

    def record_successes(self, count: int, now: float) -> None:
        """Add so many; those that would be forgotten again are not added first."""
        super().record_successes(min(count, self._size), now)

    def advance(self, now: float) -> None:
        """Nothing grows old here."""

    def clear(self) -> None:
        """Forget everything."""
        super().clear()
        self._ring = bytearray(self._size)
        self._next = 0

    def _replace(self, at: int, failed: bool, slow: bool) -> None:
        old = self._ring[at]
        self._ring[at] = (_FAILED if failed else 0) | (_SLOW if slow else 0)
        self.failures += failed - (old & _FAILED)
        self.slow_calls += slow - (old >> 1)


class TimeWindow(Window):
    """The calls of the last `seconds`, kept in buckets that are forgotten whole.

    The newest bucket is still filling, so the window covers between `seconds` less one bucket
    and `seconds`.

    Args:
        seconds: How long a call counts.
        buckets: Into how many steps that time is cut.
    """

    def __init__(self, seconds: float, buckets: int = 10) -> None:
        self._bucket_seconds = seconds / buckets
        self._ring = [_Bucket() for _ in range(buckets)]
        self._newest = 0

    def record(self, failed: bool, slow: bool, now: float) -> None:
        """Add an outcome to the bucket of `now`; a clock read a little earlier goes there too."""
        self.advance(now)
        bucket = self._ring[self._newest % len(self._ring)]
        bucket.calls += 1
        self.calls += 1
        if failed:
            bucket.failures += 1
            self.failures += 1
        if slow:
            bucket.slow_calls += 1
            self.slow_calls += 1

    def advance(self, now: float) -> None:
        """Forget the buckets that are too old `now`."""
        index = int(now / self._bucket_seconds)
        if index <= self._newest:
            return
        first = max(self._newest + 1, index - len(self._ring) + 1)
        for outdated in range(first, index + 1):
            self._forget(self._ring[outdated % len(self._ring)])
        self._newest = index

    def clear(self) -> None:
        """Forget everything."""
        for bucket in self._ring:
            self._forget(bucket)

    def _forget(self, bucket: "_Bucket") -> None:
        self.calls -= bucket.calls
        self.failures -= bucket.failures
        self.slow_calls -= bucket.slow_calls
        bucket.calls = bucket.failures = bucket.slow_calls = 0


class _Bucket:
    __slots__ = ("calls", "failures", "slow_calls")

    def __init__(self) -> None:
        self.calls = self.failures = self.slow_calls = 0
