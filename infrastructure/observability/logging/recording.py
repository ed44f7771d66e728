"""A logger for tests: it keeps what it is given."""

import sys
from typing import Any, NamedTuple, Self

from infrastructure.observability.logging.context import current_correlation_id


class Recorded(NamedTuple):
    """One event, as the code under test gave it: nothing is redacted."""

    level: str
    event: str
    fields: dict[str, Any]
    error: BaseException | None = None
    correlation_id: str | None = None


class RecordingLogger:
    """A `LoggerPort` whose events can be read back.

    Attributes:
        lines: All events, in order; those of bound loggers too.
    """

    def __init__(
        self, lines: list[Recorded] | None = None, fields: dict[str, Any] | None = None
    ) -> None:
        self.lines = [] if lines is None else lines
        self._fields = fields or {}

    def bind(self, **fields: Any) -> Self:
        """A logger that adds these fields, and keeps its events in the same list."""
        return type(self)(self.lines, {**self._fields, **fields})

    def trace(self, event: str, /, **fields: Any) -> None:
        """Keep an event of level TRACE."""
        self._keep("TRACE", event, fields)

    def debug(self, event: str, /, **fields: Any) -> None:
        """Keep an event of level DEBUG."""
        self._keep("DEBUG", event, fields)

    def info(self, event: str, /, **fields: Any) -> None:
        """Keep an event of level INFO."""
        self._keep("INFO", event, fields)

    def warning(self, event: str, /, **fields: Any) -> None:
        """Keep an event of level WARNING."""
        self._keep("WARNING", event, fields)

    def error(self, event: str, /, **fields: Any) -> None:
        """Keep an event of level ERROR."""
        self._keep("ERROR", event, fields)

    def critical(self, event: str, /, **fields: Any) -> None:
        """Keep an event of level CRITICAL."""
        self._keep("CRITICAL", event, fields)

    def exception(self, event: str, /, **fields: Any) -> None:
        """Keep an error with the exception that is being handled."""
        self._keep("ERROR", event, fields, sys.exc_info()[1])

    def _keep(
        self, level: str, event: str, fields: dict[str, Any], error: BaseException | None = None
    ) -> None:
        self.lines.append(
            Recorded(level, event, {**self._fields, **fields}, error, current_correlation_id())
        )
