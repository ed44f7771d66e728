"""Brings what is logged through the standard library to the same sinks."""

import logging
from typing import Any

from loguru import logger as _loguru

_NAMES = {10: "DEBUG", 20: "INFO", 30: "WARNING", 40: "ERROR", 50: "CRITICAL"}
_STANDARD = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}


class Interception(logging.Handler):
    """A handler of the root logger that passes every record on, with its own caller and level.

    The other handlers of the root logger stay; its level is lowered where that is needed, and
    comes back with `uninstall`.
    """

    def __init__(self) -> None:
        super().__init__()
        self._level_before: int | None = None

    def install(self, level: int) -> None:
        """Intercept from this level on; calling again changes the level."""
        root = logging.getLogger()
        if self._level_before is None:
            self._level_before = root.level
            root.addHandler(self)
        root.setLevel(min(level, self._level_before))

    def uninstall(self) -> None:
        """Give the root logger back as it was; harmless when not installed."""
        root = logging.getLogger()
        root.removeHandler(self)
        if self._level_before is not None:
            root.setLevel(self._level_before)
        self._level_before = None

    def emit(self, record: logging.LogRecord) -> None:
        """Pass the record on; `%` is applied here, braces stay as they are."""

        def set_caller(passed: Any) -> None:
            passed.update(name=record.name, function=record.funcName, line=record.lineno)

        writer = _loguru.opt(exception=record.exc_info).patch(set_caller)
        level = _NAMES.get(record.levelno, max(record.levelno, 0))
        writer.bind(logger=record.name, fields=_extra(record)).log(level, _message(record))


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except Exception:  # noqa: BLE001  # stdlib would print the arguments as they are
        return f"{record.msg} {record.args!r}"


def _extra(record: logging.LogRecord) -> dict[str, Any]:
    fields = {key: value for key, value in record.__dict__.items() if key not in _STANDARD}
    if record.stack_info:
        fields["stack"] = record.stack_info
    return fields
