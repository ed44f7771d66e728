"""How an entry looks as a line: JSON for machines, text for people."""

import re
from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from infrastructure.config.models.logging import LogFormat, Stream
from infrastructure.observability.logging.entries import Entry, ErrorEntry

_encode = msgspec.json.Encoder().encode
#: Control characters beyond ASCII, ends of lines and paragraphs, and changes of direction.
_UNPRINTED = re.compile(r"[\x7f-\x9f\u2028-\u202e\u2066-\u2069\ufeff]")
_BARE = re.compile(r"[^\s\"=\\]+")


def json_line(entry: Entry) -> bytes:
    """One JSON object and a newline; what readers may take for an end of line is escaped."""
    line = _encode(entry)
    if not line.isascii():
        line = _UNPRINTED.sub(_as_escape, line.decode()).encode()
    return line + b"\n"


def text_line(entry: Entry) -> bytes:
    r"""One line to read; an exception follows on indented lines.

    Control characters are escaped, so that a newline in the data cannot forge a line, nor an
    escape sequence paint the terminal.
    """
    lines = [_head(entry)]
    if entry.error is not None:
        lines.extend(f"    {line}" for line in _trace(entry.error))
    return "".join(f"{escaped(line)}\n" for line in lines).encode()


FORMATS: dict[LogFormat, Callable[[Entry], bytes]] = {
    LogFormat.JSON: json_line,
    LogFormat.TEXT: text_line,
}


def _as_escape(found: re.Match[str]) -> str:
    return f"\\u{ord(found[0]):04x}"


def _head(entry: Entry) -> str:
    parts = [entry.ts, f"{entry.level:<8}", entry.logger, "|", entry.event]
    parts.extend(f"{_value(name)}={_value(value)}" for name, value in entry.fields.items())
    if entry.stream != Stream.APP:
        parts.append(f"stream={entry.stream}")
    parts.extend(
        f"{name}={_value(value)}"
        for name in ("correlation_id", "trace_id")
        if (value := getattr(entry, name))
    )
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


def escaped(line: str) -> str:
    """The line with its control characters spelled out, so that it is one."""
    if line.isprintable():
        return line
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode() for char in line
    )
