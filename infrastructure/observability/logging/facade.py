"""The logger the application holds: a constant event, and the data beside it."""

from typing import Any

from loguru import logger as _loguru


class Logger:
    """Writes events with fields; nothing in either is ever taken for a template.

    `log.info("order accepted", order=order.id)`: the event is a constant that can be searched
    for, whatever varies is a field.

    Attributes:
        name: What the lines say under `logger`.
    """

    __slots__ = ("_fields", "_loguru", "name")

    def __init__(self, name: str, fields: dict[str, Any] | None = None) -> None:
        self.name = name
        self._fields = fields or {}
        # Two frames up from `_write` stands the caller.
        self._loguru = _loguru.opt(depth=2).bind(logger=name, fields=self._fields)

    def bind(self, **fields: Any) -> "Logger":
        """A logger that adds these fields to every event."""
        return Logger(self.name, {**self._fields, **fields})

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


def get_logger(name: str) -> Logger:
    """The logger of this name, usually `__name__`; it works before and after `setup_logging`."""
    return Logger(name)
