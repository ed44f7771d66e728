"""What is done when a destination fails: it is counted, and told on standard error."""

import sys
import time
from collections.abc import Callable
from contextlib import suppress

from infrastructure.errors import OverloadedError
from infrastructure.observability.logging.formats import escaped
from infrastructure.observability.logging.redaction import Redactor

#: How often a failing destination speaks on standard error.
FALLBACK_SECONDS = 10.0


class Fallback:
    """Counts the failures of one destination, and tells them at most once in `FALLBACK_SECONDS`.

    Attributes:
        name: What failed, for people.
        failures: Lines that did not reach the destination.
        clock: Seconds, from anywhere.
    """

    def __init__(
        self, redactor: Redactor, name: str = "", *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.name = name
        self.failures = 0
        self.clock = clock
        self._redactor = redactor
        self._quiet_until = float("-inf")

    def lost(self, error: Exception, line: bytes = b"", lines: int = 1) -> None:
        """Count lines that could not be written, and tell the error with the first of them."""
        self.failures += lines
        self._tell(f"failed {self.failures} times, last with", error, line)

    def troubled(self, error: Exception) -> None:
        """Tell an error that has cost no line yet."""
        self._tell("has trouble:", error, b"")

    def overflowed(self, lines: int) -> None:
        """Tell how many lines a full queue has dropped so far."""
        self._tell("has trouble:", OverloadedError(f"{lines} lines did not fit the queue"), b"")

    def _tell(self, what: str, error: Exception, line: bytes) -> None:
        now = self.clock()
        if now < self._quiet_until:
            return
        self._quiet_until = now + FALLBACK_SECONDS
        text = self._redactor.text(f"{type(error).__name__}: {error}")
        notice = f"{escaped(f'logging to {self.name} {what} {text}')}\n"
        # Standard error may be closed, or may be what failed; then the count is all there is.
        with suppress(OSError, ValueError, AttributeError):
            sys.stderr.write(notice + line.decode())
