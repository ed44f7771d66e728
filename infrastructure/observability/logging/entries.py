"""What one line says, free of secrets: the only thing a format or a destination ever sees."""

from __future__ import annotations

from traceback import walk_tb
from types import TracebackType
from typing import TYPE_CHECKING, Any

import msgspec

from infrastructure.observability.logging.context import current_correlation_id
from infrastructure.observability.logging.redaction import Redactor

if TYPE_CHECKING:
    from loguru import Record

MAX_FRAMES = 40
MAX_CAUSES = 5


class ErrorEntry(msgspec.Struct, omit_defaults=True):
    """An exception: frames are `file:line function`, the innermost last, without locals."""

    type: str
    message: str
    frames: list[str] = []
    cause: ErrorEntry | None = None
    errors: list[ErrorEntry] = []


class Entry(msgspec.Struct, omit_defaults=True):
    """One line, in the order of its keys."""

    ts: str
    level: str
    logger: str
    event: str
    caller: str
    correlation_id: str | None = None
    fields: dict[str, Any] = {}
    error: ErrorEntry | None = None


def entry_of(record: Record, redactor: Redactor) -> Entry:
    """Read the record, redacting every part of it that anybody but us has chosen."""
    extra = record["extra"]
    label = redactor.label
    correlation = current_correlation_id()
    return Entry(
        ts=record["time"].isoformat(),
        level=record["level"].name,
        logger=label(str(extra.get("logger") or record["name"])),
        event=label(record["message"]),
        caller=label(f"{record['name']}:{record['function']}:{record['line']}"),
        correlation_id=None if correlation is None else redactor.text(correlation),
        fields=redactor.fields(_fields(extra)),
        error=_error(record["exception"], redactor),
    )


def _fields(extra: dict[str, Any]) -> dict[str, Any]:
    """The fields of our logger, or what plain loguru's `bind` and keywords left."""
    fields = extra.get("fields")
    if not isinstance(fields, dict):
        return {name: value for name, value in extra.items() if name != "logger"}
    if len(extra) == 2:  # noqa: PLR2004  # the name and the fields: nothing was added
        return fields
    rest = {name: value for name, value in extra.items() if name not in {"logger", "fields"}}
    return {**rest, **fields}


def _error(raised: Any, redactor: Redactor) -> ErrorEntry | None:
    if raised is None or raised.value is None:
        return None
    return _described(raised.value, raised.traceback, redactor, MAX_CAUSES)


def _described(
    error: BaseException, trace: TracebackType | None, redactor: Redactor, left: int
) -> ErrorEntry:
    kind = type(error)
    group = error.exceptions[:MAX_CAUSES] if isinstance(error, BaseExceptionGroup) else ()
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if not left:
        group, cause = (), None
    return ErrorEntry(
        type=f"{kind.__module__}.{kind.__qualname__}".removeprefix("builtins."),
        message=_message(error, redactor),
        frames=_frames(trace, redactor),
        cause=_described(cause, cause.__traceback__, redactor, left - 1)
        if cause and left
        else None,
        errors=[_described(one, one.__traceback__, redactor, left - 1) for one in group if left],
    )


def _message(error: BaseException, redactor: Redactor) -> str:
    try:
        notes = getattr(error, "__notes__", ())
        return redactor.text("\n".join([str(error), *map(str, notes)]))
    except Exception as failure:  # noqa: BLE001  # the exception's own code failed: say so instead
        return f"<its text raised {type(failure).__qualname__}>"


def _frames(trace: TracebackType | None, redactor: Redactor) -> list[str]:
    frames = [
        redactor.text(f"{frame.f_code.co_filename}:{line} {frame.f_code.co_name}")
        for frame, line in walk_tb(trace)
    ]
    return frames[-MAX_FRAMES:]
