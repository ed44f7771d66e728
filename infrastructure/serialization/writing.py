"""From a value to msgpack with extension types."""

from collections.abc import Callable, Iterable
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum, Flag
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec
from msgspec.msgpack import Ext

from infrastructure.errors import UnsupportedError
from infrastructure.serialization.class_names import shown
from infrastructure.serialization.codes import MAX_DEPTH, Absent, Code, pack
from infrastructure.serialization.errors import RefusedError
from infrastructure.serialization.members import flag_state, member_state
from infrastructure.serialization.plain import is_plain
from infrastructure.serialization.shapes import Shape, shape_of

_MICROSECOND: Final = timedelta(microseconds=1)
_INT_MIN, _INT_MAX = -(2**63), 2**64 - 1
_ADVICE = "Turn it into a dict, a dataclass or a str first."

_Writer = Callable[[Any, int], Any]


def write(value: Any, *, where: str) -> bytes:
    """The value in bytes, without anything around them.

    Raises:
        UnsupportedError: It holds something that cannot be stored.
    """
    if is_plain(value):
        try:
            return pack(value)
        except (UnicodeEncodeError, OverflowError):
            pass  # a lone surrogate or a large int: legal in Python, not in msgpack
    try:
        return pack(_prepare(value, 0))
    except RefusedError as refused:
        raise UnsupportedError(str(refused), where=where, hint=refused.hint) from None


def _prepare(value: Any, depth: int) -> Any:
    """The value in terms of what msgpack has, everything else wrapped in an extension."""
    kind = type(value)
    if kind in _UNCHECKED or (kind is str and value.isascii()):
        return value
    if kind is int and _INT_MIN <= value <= _INT_MAX:
        return value
    if depth > MAX_DEPTH:
        raise RefusedError(f"nested deeper than {MAX_DEPTH} levels, or contains itself")
    writer = _WRITERS.get(kind)
    return writer(value, depth + 1) if writer else _write_other(value, depth + 1)


def _write_other(value: Any, depth: int) -> Ext:
    if isinstance(value, Flag):
        return Ext(Code.FLAG, pack(_prepare(flag_state(value), depth)))
    if isinstance(value, Enum):
        return Ext(Code.MEMBER, pack(_prepare(member_state(value), depth)))
    shape = shape_of(type(value))
    if shape is None:
        raise RefusedError(f"cannot store a '{shown(type(value))}'", _ADVICE)
    return Ext(Code.OBJECT, pack([shape.name, shape.mark, *_parts(shape, value, depth)]))


def _parts(shape: Shape, value: Any, depth: int) -> list[Any]:
    prepared: list[Any] = []
    state = shape.take(value)
    try:
        for part in state:
            prepared.append(_prepare(part, depth))  # noqa: PERF401 - its length is the index
    except RefusedError as refused:
        refused.path.append(f".{shape.parts[len(prepared)]}")
        raise
    return prepared


def _items(values: Iterable[Any], depth: int) -> list[Any]:
    prepared: list[Any] = []
    try:
        for value in values:
            prepared.append(_prepare(value, depth))  # noqa: PERF401 - its length is the index
    except RefusedError as refused:
        refused.path.append(f"[{len(prepared)}]")
        raise
    return prepared


def _write_str(value: str, _: int) -> Any:
    try:
        value.encode()
    except UnicodeEncodeError:  # a lone surrogate: legal in Python, not in UTF-8
        return Ext(Code.RAW_TEXT, value.encode(errors="surrogatepass"))
    return value


def _write_big_int(value: int, _: int) -> Ext:
    size = value.bit_length() // 8 + 1
    return Ext(Code.BIG_INT, value.to_bytes(size, "big", signed=True))


def _write_dict(value: dict[Any, Any], depth: int) -> Any:
    prepared: dict[str, Any] = {}
    key: Any = None
    try:
        for key, item in value.items():
            if type(key) is not str or not key.isascii():
                break
            kind = type(item)  # the commonest cases stand here: a call costs more than they do
            is_done = kind in _UNCHECKED or (kind is str and item.isascii())
            prepared[key] = item if is_done else _prepare(item, depth)
        else:
            return prepared
    except RefusedError as refused:
        refused.path.append(_segment(key))
        raise
    return _write_pairs(value, depth)


def _write_pairs(value: dict[Any, Any], depth: int) -> Ext:
    key: Any = None
    prepared: list[tuple[Any, Any]] = []
    try:
        for key, item in value.items():
            prepared.append((_prepare(key, depth), _prepare(item, depth)))
    except RefusedError as refused:
        refused.path.append(_segment(key))
        raise
    return Ext(Code.PAIRS, pack(prepared))


def _segment(key: Any) -> str:
    return f"[{key!r:.40}]" if type(key) in (str, int) else f"[<{type(key).__name__}>]"


def _write_datetime(value: datetime, _: int) -> Ext:
    zone = value.tzinfo
    form = (zone.key if type(zone) is ZoneInfo else None) or value.utcoffset()
    if zone is not None and form is None:
        raise RefusedError("cannot store a 'datetime.datetime' whose zone gives no offset")
    return _moment(Code.DATETIME, value, form)


def _write_time(value: time, _: int) -> Ext:
    offset = value.utcoffset()
    if value.tzinfo is not None and offset is None:
        raise RefusedError("cannot store a 'datetime.time' whose offset depends on the date")
    return _moment(Code.TIME, value, offset)


def _moment(code: int, value: datetime | time, zone: str | timedelta | None) -> Ext:
    form = zone // _MICROSECOND if isinstance(zone, timedelta) else zone
    return Ext(code, pack([value.replace(tzinfo=None).isoformat(), value.fold, form]))


def _text(code: int, text: Callable[[Any], str]) -> _Writer:
    return lambda value, _: Ext(code, text(value).encode())


def _sequence(code: int) -> _Writer:
    return lambda value, depth: Ext(code, pack(_items(value, depth)))


_UNCHECKED: Final = frozenset({bytes, bool, float, type(None)})
_WRITERS: Final[dict[type, _Writer]] = {
    str: _write_str,
    int: _write_big_int,
    list: _items,
    dict: _write_dict,
    datetime: _write_datetime,
    time: _write_time,
    Decimal: _text(Code.DECIMAL, str),
    date: _text(Code.DATE, date.isoformat),
    timedelta: lambda v, _: Ext(Code.TIMEDELTA, pack([v.days, v.seconds, v.microseconds])),
    UUID: lambda value, _: Ext(Code.UUID, value.bytes),
    tuple: _sequence(Code.TUPLE),
    set: _sequence(Code.SET),
    frozenset: _sequence(Code.FROZENSET),
    Absent: lambda _, __: Ext(Code.ABSENT, b""),
    msgspec.UnsetType: lambda _, __: Ext(Code.UNSET, b""),
}
