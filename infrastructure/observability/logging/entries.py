"""What one line says, free of secrets: the only thing a format or a destination ever sees."""

from __future__ import annotations

import datetime as dt
from collections import deque
from traceback import walk_tb
from types import TracebackType
from typing import TYPE_CHECKING, Any

import msgspec

from infrastructure.observability.logging.context import current_correlation_id, trace_ids
from infrastructure.observability.logging.origin import Origin
from infrastructure.observability.logging.redaction import Redactor

if TYPE_CHECKING:
    from loguru import Record

MAX_FRAMES = 40
MAX_CAUSES = 5
#: All that one line tells, with causes and the members of groups.
MAX_ERRORS = 25


class ErrorEntry(msgspec.Struct, omit_defaults=True):
    """An exception: frames are `file:line function`, the innermost last, without locals."""

    type: str
    message: str
    frames: list[str] = []
    cause: ErrorEntry | None = None
    errors: list[ErrorEntry] = []


class Entry(msgspec.Struct, omit_defaults=True):
    """One line, in the order of its keys.

    Attributes:
        seq: The number of an audit line.
        prev: The hash of the audit line before it.
        key: The id of the secret that an audit line is sealed with.
    """

    ts: str
    level: str
    stream: str
    logger: str
    event: str
    caller: str
    correlation_id: str | None = None
    trace_id: str | None = None
    span_id: str | None = None
    fields: dict[str, Any] = {}
    error: ErrorEntry | None = None
    seq: int | None = None
    prev: str | None = None
    key: str | None = None


def entry_of(record: Record, origin: Origin, redactor: Redactor) -> Entry:
    """Read the record, redacting every part of it that anybody but us has chosen."""
    label = redactor.label
    correlation = current_correlation_id()
    trace, span = trace_ids()
    return Entry(
        _stamp(record["time"]),
        record["level"].name,
        origin.stream_name,
        label(origin.name),
        label(record["message"]),
        label(f"{record['name']}:{record['function']}:{record['line']}"),
        None if correlation is None else label(correlation),
        trace,
        span,
        redactor.fields(_fields(record["extra"])),
        _error(record["exception"], redactor),
    )


class _Second:
    """The second that was written last: lines come many a second, and a date costs half a line."""

    def __init__(self) -> None:
        self.known = (-1.0, "", "")


_second = _Second()


def _stamp(time: dt.datetime) -> str:
    """The time in ISO 8601, with microseconds."""
    number, (known, head, tail) = time.timestamp() // 1, _second.known
    if number != known:
        text = time.isoformat(timespec="microseconds")
        head, tail = text[:20], text[26:]
        _second.known = (number, head, tail)
    return "%s%06d%s" % (head, time.microsecond, tail)  # noqa: UP031 - a third faster, for each line


def _fields(extra: dict[str, Any]) -> dict[str, Any]:
    """The fields of our logger, or what plain loguru's `bind` and keywords left."""
    fields = extra.get("fields")
    if not isinstance(fields, dict):
        return {name: value for name, value in extra.items() if name != "logger"}
    if len(extra) == 2:  # noqa: PLR2004  # the origin and the fields: nothing was added
        return fields
    rest = {name: value for name, value in extra.items() if name not in _OURS}
    return {**rest, **fields}


_OURS = frozenset({"origin", "logger", "fields"})


def _error(raised: Any, redactor: Redactor) -> ErrorEntry | None:
    if raised is None or raised.value is None:
        return None
    return _Telling(redactor).told(raised.value, raised.traceback, MAX_CAUSES)


class _Telling:
    """One pass over an exception, what caused it, and the members of groups."""

    def __init__(self, redactor: Redactor) -> None:
        self._redactor = redactor
        self._left = MAX_ERRORS

    def told(self, error: BaseException, trace: TracebackType | None, depth: int) -> ErrorEntry:
        """The exception, and as deep below it what it came from."""
        self._left -= 1
        kind = type(error)
        name = f"{kind.__module__}.{kind.__qualname__}".removeprefix("builtins.")
        entry = ErrorEntry(self._redactor.label(name), self._message(error), self._frames(trace))
        cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
        group = error.exceptions[:MAX_CAUSES] if isinstance(error, BaseExceptionGroup) else ()
        if cause and depth and self._left > 0:
            entry.cause = self.told(cause, cause.__traceback__, depth - 1)
        for one in group:
            if depth and self._left > 0:
                entry.errors.append(self.told(one, one.__traceback__, depth - 1))
        return entry

    def _message(self, error: BaseException) -> str:
        try:
            notes = getattr(error, "__notes__", ())
            return self._redactor.text("\n".join([str(error), *map(str, notes)]))
        except Exception as failure:  # noqa: BLE001  # the exception's own code failed: say so instead
            return self._redactor.label(f"<its text raised {type(failure).__qualname__}>")

    def _frames(self, trace: TracebackType | None) -> list[str]:
        innermost = deque(walk_tb(trace), maxlen=MAX_FRAMES)
        return [
            self._redactor.label(f"{frame.f_code.co_filename}:{line} {frame.f_code.co_name}")
            for frame, line in innermost
        ]
