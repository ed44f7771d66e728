"""How a connection is closed under the threads that use it."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Condition, RLock

from infrastructure.connections.sync_calls import seconds_left
from infrastructure.errors import DeadlineExceededError, UnavailableError


class SyncDrain:
    """Counts the calls in flight, and holds new ones back while the connection is changed.

    Args:
        name: The connection manager's, for errors.

    Attributes:
        in_flight: How many calls are going on.
        is_paused: Whether they wait.
    """

    __slots__ = ("_changed", "_closers", "_lock", "_name", "in_flight", "is_paused")

    def __init__(self, name: str) -> None:
        self._name = name
        self._lock = RLock()  # a signal's handler may close what its thread is calling
        self._changed = Condition(self._lock)
        self.is_paused = False
        self.in_flight = 0
        self._closers = 0

    @property
    def is_closing(self) -> bool:
        """Whether somebody is closing it, so that new calls are refused."""
        return self._closers > 0

    def begin(self, seconds: float) -> None:
        """Count a call, once new ones may begin.

        Args:
            seconds: The longest wait for that; less where the running call has less left.

        Raises:
            UnavailableError: The connection is being closed, or is being changed for longer.
        """
        with self._lock:
            if self.is_paused and not self._changed.wait_for(self._goes_on, seconds_left(seconds)):
                raise DeadlineExceededError(seconds, where=self._name)
            if self._closers:
                raise UnavailableError("is being closed", where=self._name)
            self.in_flight += 1

    def end(self) -> None:
        """A call is over."""
        with self._lock:
            self.in_flight -= 1
            if not self.in_flight:
                self._changed.notify_all()

    @contextmanager
    def closing(self, seconds: float) -> Iterator[None]:
        """Refuse new calls until the body ends; it begins when those in flight are over.

        Args:
            seconds: The longest wait for them.
        """
        with self._lock:
            self._closers += 1
        try:
            with self._lock:
                self._changed.wait_for(self._is_empty, seconds)
            yield
        finally:
            with self._lock:
                self._closers -= 1

    @contextmanager
    def pausing(self, seconds: float) -> Iterator[None]:
        """As `closing`, and new calls wait instead."""
        with self._lock:
            self._changed.wait_for(self._goes_on)
            self.is_paused = True
        try:
            with self._lock:
                self._changed.wait_for(self._is_empty, seconds)
            yield
        finally:
            with self._lock:
                self.is_paused = False
                self._changed.notify_all()

    def _goes_on(self) -> bool:
        return not self.is_paused

    def _is_empty(self) -> bool:
        return not self.in_flight
