"""A sink: record to redacted entry, entry to line, line to destination; and what if that fails."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

from infrastructure.config.models.logging import LogFormat
from infrastructure.observability.logging.destinations import Destination
from infrastructure.observability.logging.entries import Entry, entry_of
from infrastructure.observability.logging.formats import FORMATS
from infrastructure.observability.logging.redaction import Redactor

if TYPE_CHECKING:
    from loguru import Record

#: How often a failing sink speaks on standard error.
FALLBACK_SECONDS = 10.0


class Sink:
    """Writes records to one destination; redaction is part of it, so none can go without.

    Nothing here raises into the application: a failure is counted and told on standard error, at
    most once in `FALLBACK_SECONDS`.

    Attributes:
        failures: Lines that did not reach the destination.
    """

    def __init__(
        self,
        destination: Destination,
        line_format: LogFormat,
        redactor: Redactor,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.failures = 0
        self._destination = destination
        self._line = FORMATS[line_format]
        self._redactor = redactor
        self._clock = clock
        self._quiet_until = float("-inf")
        self._closed = False
        # Reentrant: a signal handler may log in the middle of a line.
        self._lock = threading.RLock()

    def take(self, record: Record) -> bool:
        """Write the record, and answer False: given to loguru as its filter, it is all that runs.

        As a loguru sink it would come after loguru's own formatting of the exception, under a
        lock that forbids a field's `__repr__` to log, and inside an error handler that prints the
        record with its secrets.
        """
        line = self._rendered(record)
        with self._lock:
            if not self._closed:
                self._deliver(line)
        return False

    def close(self) -> None:
        """Close the destination; later records are dropped."""
        with self._lock:
            self._closed = True
            self._destination.close()

    def _rendered(self, record: Record) -> bytes:
        try:
            return self._line(entry_of(record, self._redactor))
        except Exception as error:  # noqa: BLE001  # whatever was logged must not stop the caller
            self.failures += 1
            return self._line(_unreadable(record, error))

    def _deliver(self, line: bytes) -> None:
        try:
            self._destination.write(line)
        except Exception as error:  # noqa: BLE001  # a full disk must not stop the caller
            self.failures += 1
            self._fall_back(line, error)

    def _fall_back(self, line: bytes, error: Exception) -> None:
        now = self._clock()
        if now < self._quiet_until:
            return
        self._quiet_until = now + FALLBACK_SECONDS
        text = self._redactor.text(f"{type(error).__name__}: {error}")
        notice = f"logging to {self._destination} failed {self.failures} times, last with {text}\n"
        # Standard error may be closed, or may be what failed; then the count is all there is.
        with suppress(OSError, ValueError, AttributeError):
            sys.stderr.write(notice + line.decode())


def _unreadable(record: Record, error: Exception) -> Entry:
    """What can be said about a record without looking at what it holds."""
    return Entry(
        ts=record["time"].isoformat(),
        level=record["level"].name,
        logger=__name__,
        event="a log record could not be read",
        caller=f"{record['name']}:{record['function']}:{record['line']}",
        fields={"raised": type(error).__qualname__},
    )
