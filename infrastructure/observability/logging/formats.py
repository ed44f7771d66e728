"""How an entry looks as a line: JSON for machines, text for people."""

import re
from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from infrastructure.config.models.logging import LogFormat
from infrastructure.observability.logging.entries import Entry, ErrorEntry

_encode = msgspec.json.Encoder().encode
_BARE = re.compile(r"[^\s\"=\\]+")


def json_line(entry: Entry) -> bytes:
    """One JSON object and a newline."""
    return _encode(entry) + b"\n"


def text_line(entry: Entry) -> bytes:
    r"""One line to read; an exception follows on indented lines.

    Control characters are escaped, so that a newline in the data cannot forge a line, nor an
    escape sequence paint the terminal.
    """
    lines = [_head(entry)]
    if entry.error is not None:
        lines.extend(f"    {line}" for line in _trace(entry.error))
    return "".join(f"{_escaped(line)}\n" for line in lines).encode()


FORMATS: dict[LogFormat, Callable[[Entry], bytes]] = {
    LogFormat.JSON: json_line,
    LogFormat.TEXT: text_line,
}


def _head(entry: Entry) -> str:
    parts = [entry.ts, f"{entry.level:<8}", entry.logger, "|", entry.event]
    parts.extend(f"{name}={_value(value)}" for name, value in entry.fields.items())
    if entry.correlation_id:
        parts.append(f"correlation_id={_value(entry.correlation_id)}")
    return " ".join(parts)


def _value(value: Any) -> str:
    if isinstance(value, str) and _BARE.fullmatch(value):
        return value
    return _encode(value).decode()


def _trace(error: ErrorEntry) -> Iterator[str]:
    yield from (f"at {frame}" for frame in error.frames)
    yield f"{error.type}: {error.message}"
    for member in error.errors:
        yield from (f"    {line}" for line in _trace(member))
    if error.cause is not None:
        yield "caused by"
        yield from _trace(error.cause)


def _escaped(line: str) -> str:
    if line.isprintable():
        return line
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode() for char in line
    )
