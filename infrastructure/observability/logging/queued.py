"""A destination behind a queue, so that a slow one holds nobody up."""

from infrastructure.config.models.logging import LogQueue
from infrastructure.observability.logging.destinations import Destination
from infrastructure.observability.logging.fallback import Fallback
from infrastructure.observability.logging.line_queue import LineQueue


class Queued:
    """Hands lines to another destination on a thread of its own.

    A process that ends without closing, such as by `os._exit`, loses what was waiting.
    """

    def __init__(self, destination: Destination, settings: LogQueue, fallback: Fallback) -> None:
        self._destination = destination
        self._seconds = settings.close_seconds
        self._fallback = fallback
        self._queue = LineQueue(self._deliver, settings.max_lines, overflowed=fallback.overflowed)

    def __str__(self) -> str:
        return str(self._destination)

    @property
    def dropped(self) -> int:
        """Lines that never reached it."""
        return self._queue.dropped

    def write(self, line: bytes) -> None:
        """Leave the line to the thread."""
        self._queue.put(line)

    def close(self) -> None:
        """Wait a bounded time for what is left, then close the destination."""
        self._queue.close(self._seconds)
        self._destination.close()

    def _deliver(self, lines: list[bytes]) -> None:
        for line in lines:
            try:
                self._destination.write(line)
            except Exception as error:  # noqa: BLE001  # a full disk must not end the thread
                self._fallback.lost(error, line)
