"""The remote destination: JSON lines, posted in batches by a thread of its own."""

import http.client
import random
from urllib.parse import urlsplit

from infrastructure.config.models.base import mask_url
from infrastructure.config.models.logging import LogRemote
from infrastructure.errors import ConfigurationError, RejectedError, UnavailableError
from infrastructure.forks import remember
from infrastructure.observability.logging.fallback import Fallback
from infrastructure.observability.logging.line_queue import LineQueue

FIRST_BACKOFF_SECONDS = 0.5
_TRY_AGAIN = frozenset({408, 425, 429})
_SERVER_ERRORS = 500
_MAX_ANSWER_BYTES = 65_536


class Remote:
    """Posts lines; while the server is away they wait in a bounded queue, the oldest dropped.

    A batch whose answer was lost is sent again, so a line may arrive twice.
    """

    def __init__(self, settings: LogRemote, fallback: Fallback) -> None:
        self._settings = settings
        self._fallback = fallback
        self._endpoint = Endpoint(settings)
        self._queue = LineQueue(
            self._deliver,
            settings.queue.max_lines,
            batch_lines=settings.batch_lines,
            linger_seconds=settings.linger_seconds,
            overflowed=fallback.overflowed,
        )

    def __str__(self) -> str:
        return str(self._endpoint)

    @property
    def dropped(self) -> int:
        """Lines that never reached it."""
        return self._queue.dropped

    def write(self, line: bytes) -> None:
        """Leave the line to the thread."""
        self._queue.put(line)

    def close(self) -> None:
        """Wait a bounded time for what is left."""
        self._queue.close(self._settings.queue.close_seconds)
        self._endpoint.close()

    def _deliver(self, lines: list[bytes]) -> None:
        backoff = FIRST_BACKOFF_SECONDS
        while not self._queue.is_over:
            try:
                self._endpoint.post(b"".join(lines))
            except RejectedError as error:
                self._fallback.lost(error, lines[0], len(lines))
            except UnavailableError as error:
                self._fallback.troubled(error)
                self._queue.pause(backoff * random.uniform(0.5, 1.0))  # noqa: S311 - no secret
                backoff = min(2 * backoff, self._settings.max_backoff_seconds)
                continue
            except Exception as error:  # noqa: BLE001 - nothing may end the thread
                self._fallback.lost(error, lines[0], len(lines))
            return


class Endpoint:
    """One connection to an HTTP server, opened when it is needed."""

    def __init__(self, settings: LogRemote) -> None:
        url = settings.url.get_secret_value()
        parts = urlsplit(url)
        if parts.username is not None or not parts.hostname:
            raise ConfigurationError(
                f"cannot post logs to {mask_url(url)}",
                where="logging.remote.url",
                hint="Name a host, and put credentials into `headers:`.",
            )
        secure = parts.scheme == "https"
        kind = http.client.HTTPSConnection if secure else http.client.HTTPConnection
        self._name = mask_url(url)
        self._target = f"{parts.path or '/'}{'?' + parts.query if parts.query else ''}"
        self._headers = {
            "Content-Type": "application/x-ndjson",
            **{name: value.get_secret_value() for name, value in settings.headers.items()},
        }
        self._connection = kind(parts.hostname, parts.port, timeout=settings.timeout_seconds)
        remember(self.after_fork)

    def __str__(self) -> str:
        return f"the server {self._name}"

    def post(self, body: bytes) -> None:
        """Send it once.

        Raises:
            UnavailableError: No answer, or one that asks for another attempt.
            RejectedError: The server does not want it.
        """
        try:
            self._connection.request("POST", self._target, body, self._headers)
            answer = self._connection.getresponse()
            answer.read(_MAX_ANSWER_BYTES)
            is_read = answer.isclosed()
        except (OSError, http.client.HTTPException) as error:
            self.close()
            # Its text may hold what the server has said.
            raise UnavailableError(f"no answer ({type(error).__name__})") from error
        if not is_read:
            self.close()
        _check(answer.status)

    def close(self) -> None:
        """Close the connection; the next post opens another."""
        self._connection.close()

    def after_fork(self) -> None:
        """Leave the parent's connection to the parent."""
        self.close()


def _check(status: int) -> None:
    if status in _TRY_AGAIN or status >= _SERVER_ERRORS:
        raise UnavailableError(f"the answer was {status}")
    if not http.client.OK <= status < http.client.MULTIPLE_CHOICES:
        raise RejectedError(f"the answer was {status}")
