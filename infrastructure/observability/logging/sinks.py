"""A sink: redacted entry to line, line to destination; and what if that fails."""

import threading
from collections import deque
from typing import Protocol, TypeAlias

from infrastructure.config.models.logging import LogFormat
from infrastructure.errors import UnavailableError
from infrastructure.forks import remember
from infrastructure.observability.logging.audit import ChainedFile
from infrastructure.observability.logging.destinations import Destination
from infrastructure.observability.logging.entries import Entry
from infrastructure.observability.logging.fallback import Fallback
from infrastructure.observability.logging.formats import FORMATS, json_line

#: How many lines that came up while a line was written are written behind it.
MAX_NESTED = 100
#: Where a sink leaves what the caller must be told.
Failures: TypeAlias = list[UnavailableError]


class Sink(Protocol):
    """Takes entries, which are free of secrets; raises nothing into the application."""

    fallback: Fallback

    @property
    def dropped(self) -> int:
        """Lines that waited for the destination too long."""
        ...

    def take(self, entry: Entry, failures: Failures | None) -> None:
        """Write the entry."""
        ...

    def close(self) -> None:
        """Close the destination; later entries are dropped."""
        ...


class LineSink:
    """Writes lines to one destination; a failure is counted and told by the fallback."""

    def __init__(
        self, destination: Destination, line_format: LogFormat, fallback: Fallback
    ) -> None:
        self.fallback = fallback
        fallback.name = str(destination)
        self._destination = destination
        self._line = FORMATS[line_format]
        self._waiting: deque[bytes] = deque()
        self._closed = False
        self.after_fork()
        remember(self.after_fork)

    def after_fork(self) -> None:
        """Let go of the lock that another thread of the parent may have held."""
        self._is_busy = False
        self._waiting.clear()
        # Reentrant: a signal handler may log in the middle of a line.
        self._lock = threading.RLock()

    @property
    def dropped(self) -> int:
        """Lines that waited for the destination too long."""
        return getattr(self._destination, "dropped", 0)

    def take(self, entry: Entry, failures: Failures | None) -> None:  # noqa: ARG002 - the audit's
        """Write the entry; one that comes in the middle of another is written behind it."""
        try:
            line = self._line(entry)
        except Exception as error:  # noqa: BLE001  # what no line can be made of stops no caller
            self.fallback.lost(error)
            return
        with self._lock:
            if self._is_busy:
                self._waiting.append(line)
            elif not self._closed:
                self._is_busy = True
                try:
                    self._deliver(line)
                    if self._waiting:
                        self._deliver_waiting()
                finally:
                    self._is_busy = False

    def close(self) -> None:
        """Close the destination; later entries are dropped."""
        with self._lock:
            self._closed = True
            self._destination.close()

    def _deliver_waiting(self) -> None:
        """Write what came meanwhile: a signal handler logs once, a destination may at each line."""
        for _ in range(MAX_NESTED):
            if not self._waiting:
                return
            self._deliver(self._waiting.popleft())
        error = RecursionError("it logs while it writes")
        self.fallback.lost(error, self._waiting[-1], len(self._waiting))
        self._waiting.clear()

    def _deliver(self, line: bytes) -> None:
        try:
            self._destination.write(line)
        except Exception as error:  # noqa: BLE001  # a full disk must not stop the caller
            self.fallback.lost(error, line)


class AuditSink:
    """Writes entries to the chain; a failure reaches the caller, unless the settings say no."""

    dropped = 0

    def __init__(self, file: ChainedFile, fallback: Fallback) -> None:
        self.fallback = fallback
        fallback.name = str(file)
        self._file = file
        self._waiting: deque[tuple[Entry, Failures | None]] = deque()
        self.after_fork()
        remember(self.after_fork)

    def after_fork(self) -> None:
        """Let go of the lock that another thread of the parent may have held."""
        self._is_busy = False
        self._waiting.clear()
        self._lock = threading.RLock()

    def take(self, entry: Entry, failures: Failures | None) -> None:
        """Write the entry; one that comes in the middle of another is written behind it."""
        with self._lock:
            self._waiting.append((entry, failures))
            if self._is_busy:
                return
            self._is_busy = True
            try:
                while self._waiting:
                    self._append(*self._waiting.popleft())
            finally:
                self._is_busy = False

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._file.close()

    def _append(self, entry: Entry, failures: Failures | None) -> None:
        try:
            self._file.append(entry)
        except Exception as error:  # noqa: BLE001  # told to the caller, with the cause
            self.fallback.lost(error, b"" if isinstance(error, ValueError) else json_line(entry))
            if failures is not None and self._file.raises:
                failures.append(unwritten(error))


def unwritten(error: Exception) -> UnavailableError:
    """What the caller is told of an audit line that nobody can account for."""
    told = UnavailableError(
        f"the audit line was not written ({type(error).__name__}: {error})",
        where="logging.streams.audit",
        hint="Do not do what it was about, or set `on_failure: count`.",
    )
    told.__cause__ = error
    return told
