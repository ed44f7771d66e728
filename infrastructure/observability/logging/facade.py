"""The logger the application holds: a constant event, and the data beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from loguru import logger as _loguru

from infrastructure.config.models.logging import Stream
from infrastructure.observability.logging.origin import Origin, stream_named
from infrastructure.observability.logging.sinks import Failures, unwritten

if TYPE_CHECKING:
    from infrastructure.observability.logging.handle import LoggingHandle


class Logger:
    """Writes events with fields; nothing in either is ever taken for a template.

    `log.info("order accepted", order=order.id)`: the event is a constant that can be searched
    for, whatever varies is a field.
    """

    __slots__ = ("_fields", "_loguru", "_origin")

    def __init__(self, origin: Origin, fields: dict[str, Any] | None = None) -> None:
        self._origin = origin
        self._fields = fields or {}
        # Two frames up from `_write` stands the caller.
        self._loguru = _loguru.opt(depth=2).bind(origin=origin, fields=self._fields)

    @property
    def name(self) -> str:
        """What the lines say under `logger`."""
        return self._origin.name

    @property
    def stream(self) -> Stream:
        """The stream the lines go to."""
        return self._origin.stream

    def bind(self, **fields: Any) -> Self:
        """A logger that adds these fields to every event."""
        return type(self)(self._origin, {**self._fields, **fields})

    def trace(self, event: str, /, **fields: Any) -> None:
        """Write what only a hunt for one fault needs."""
        self._write("TRACE", event, fields)

    def debug(self, event: str, /, **fields: Any) -> None:
        """Write what a developer needs."""
        self._write("DEBUG", event, fields)

    def info(self, event: str, /, **fields: Any) -> None:
        """Write what an operator wants to know."""
        self._write("INFO", event, fields)

    def warning(self, event: str, /, **fields: Any) -> None:
        """Write what went wrong and was coped with."""
        self._write("WARNING", event, fields)

    def error(self, event: str, /, **fields: Any) -> None:
        """Write what went wrong for a caller."""
        self._write("ERROR", event, fields)

    def critical(self, event: str, /, **fields: Any) -> None:
        """Write what ends the program."""
        self._write("CRITICAL", event, fields)

    def exception(self, event: str, /, **fields: Any) -> None:
        """Write an error together with the exception that is being handled."""
        self._write("ERROR", event, fields, exception=True)

    def _write(
        self, level: str, event: str, fields: dict[str, Any], *, exception: bool = False
    ) -> None:
        writer = self._loguru
        if exception:
            writer = writer.opt(depth=2, exception=True)
        if fields:
            writer = writer.bind(fields={**self._fields, **fields} if self._fields else fields)
        writer.log(level, event)


class AuditLogger(Logger):
    """Writes to the audit stream; every level counts as at least INFO.

    Raises:
        UnavailableError: From each method: the line could not be written, and the settings say that
            the caller is to know.
    """

    __slots__ = ()

    def _write(
        self, level: str, event: str, fields: dict[str, Any], *, exception: bool = False
    ) -> None:
        failures: Failures = []
        ours = self._origin
        if ours.handle is not None and ours.handle.loses_audit_lines:
            raise unwritten(OSError("the logs it belongs to are closed"))
        origin = Origin(ours.name, ours.stream, ours.handle, failures=failures)
        writer = self._loguru.bind(origin=origin, fields={**self._fields, **fields})
        if exception:
            writer = writer.opt(depth=2, exception=True)
        writer.log("INFO" if level in _BELOW_INFO else level, event)
        if failures:
            raise failures[0]


_BELOW_INFO = frozenset({"TRACE", "DEBUG"})


def get_logger(
    name: str, *, stream: Stream | str = Stream.APP, handle: LoggingHandle | None = None
) -> Logger:
    """The logger of this name, usually `__name__`; it works before and after `setup_logging`.

    Args:
        name: What the lines say under `logger`, and what `levels:` goes by.
        stream: app, conversation, api, audit or performance.
        handle: The only set-up whose sinks the lines reach; by default see `docs/logging.md`.

    Raises:
        ConfigurationError: There is no such stream.
    """
    chosen = stream_named(stream)
    kind = AuditLogger if chosen is Stream.AUDIT else Logger
    return kind(Origin(name, chosen, handle))
