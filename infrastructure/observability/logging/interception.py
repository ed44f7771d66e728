"""Brings what is logged through the standard library to the same sinks."""

import logging
import re
from collections.abc import Mapping
from typing import Any

from loguru import logger as _loguru

from infrastructure.observability.logging.origin import Origin

_NAMES = {10: "DEBUG", 20: "INFO", 30: "WARNING", 40: "ERROR", 50: "CRITICAL"}
_STANDARD = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}


class Interception(logging.Handler):
    """A handler of the root logger that passes every record on, with its own caller and level.

    The other handlers of the root logger stay; its level is lowered where that is needed, that of
    a named logger is set, and all come back with `uninstall`.
    """

    def __init__(self) -> None:
        super().__init__()
        self._level_before: int | None = None
        self._named_before: dict[str, int] = {}

    def install(self, level: int, named: Mapping[str, int]) -> None:
        """Intercept from this level on, and named loggers from theirs; may be called again."""
        root = logging.getLogger()
        if self._level_before is None:
            self._level_before = root.level
            root.addHandler(self)
        root.setLevel(min(level, self._level_before))
        self._restore_named()
        for name, least in named.items():
            logger = logging.getLogger(name)
            self._named_before[name] = logger.level
            logger.setLevel(least)

    def uninstall(self) -> None:
        """Give the loggers back as they were; harmless when not installed."""
        root = logging.getLogger()
        root.removeHandler(self)
        self._restore_named()
        if self._level_before is not None:
            root.setLevel(self._level_before)
        self._level_before = None

    def emit(self, record: logging.LogRecord) -> None:
        """Pass the record on; `%` is applied here, braces stay as they are."""

        def set_caller(passed: Any) -> None:
            passed.update(name=record.name, function=record.funcName, line=record.lineno)

        writer = _loguru.opt(exception=record.exc_info).patch(set_caller)
        level = _NAMES.get(record.levelno, max(record.levelno, 0))
        origin = Origin(record.name, is_vendor=True)
        writer.bind(origin=origin, fields=_extra(record)).log(level, _message(record))

    def _restore_named(self) -> None:
        for name, level in self._named_before.items():
            logging.getLogger(name).setLevel(level)
        self._named_before.clear()


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except Exception:  # noqa: BLE001  # stdlib would print the arguments as they are
        return _apart(record)


def _apart(record: logging.LogRecord) -> str:
    """The template and the arguments, where one does not fit the other."""
    try:
        return f"{record.msg} {record.args!r}"
    except Exception as error:  # noqa: BLE001  # an argument's own code failed: say so instead
        return f"<the message raised {type(error).__qualname__}>"


def _extra(record: logging.LogRecord) -> dict[str, Any]:
    fields = {key: value for key, value in record.__dict__.items() if key not in _STANDARD}
    if record.stack_info:
        # The lines between are source code, and whatever is written there.
        fields["stack"] = re.findall(r'(?m)^  File "(.*)", line (.*)$', record.stack_info)
    return fields
