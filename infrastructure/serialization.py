"""The typed codec of everything that is stored: what is read equals what was written, types too.

It writes str, bytes, bool, int of any size, float, None, Decimal, datetime, date, time,
timedelta, UUID, list, tuple, set, frozenset and dict with any of these as keys, nested. Types
are taken exactly: a subclass, such as a named tuple, is refused rather than flattened. An aware
datetime keeps its instant and offset, and its zone if that is a `ZoneInfo`.

The form is msgpack with extension types, behind a mark, a version and a checksum, so that bytes
that are foreign, cut or damaged are told apart. Reading runs no code of the stored value.
"""

import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, timezone, tzinfo
from decimal import Decimal
from typing import Any, Final, TypeVar
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec
from msgspec.msgpack import Ext

from infrastructure.errors import DataError, UnsupportedError

#: 0xc1 starts no msgpack value, so plain msgpack is never taken for ours; the last byte is the
#: version of the form.
_MARK: Final = b"\xc1SG\x01"
_CHECKSUM_BYTES: Final = 4
_HEADER_BYTES: Final = len(_MARK) + _CHECKSUM_BYTES
_MAX_DEPTH: Final = 64
_PATH_SHOWN: Final = 8
_MICROSECOND: Final = timedelta(microseconds=1)
_MomentT = TypeVar("_MomentT", datetime, time)
_INT_MIN, _INT_MAX = -(2**63), 2**64 - 1


class _Code:
    """The extension types; a number never changes its meaning within a version."""

    BIG_INT: Final = 1
    DECIMAL: Final = 2
    DATETIME: Final = 3
    DATE: Final = 4
    TIME: Final = 5
    TIMEDELTA: Final = 6
    UUID: Final = 7
    TUPLE: Final = 8
    SET: Final = 9
    FROZENSET: Final = 10
    PAIRS: Final = 11
    RAW_TEXT: Final = 12


def encode(value: Any, *, where: str = "") -> bytes:
    """Write a value.

    Raises:
        UnsupportedError: It holds something of a type that is not listed above, is nested deeper
            than 64 levels, or contains itself; names the type and the path to it.
    """
    try:
        body = _pack(_prepare(value, 0))
    except _RefusedError as refused:
        raise UnsupportedError(str(refused), where=where, hint=refused.hint) from None
    return _MARK + zlib.crc32(body).to_bytes(_CHECKSUM_BYTES, "big") + body


def decode(data: bytes, *, where: str = "") -> Any:
    """Read a value written by `encode`.

    Raises:
        DataError: The bytes are not ours, of another version, cut, or damaged.
    """
    if not data.startswith(_MARK):
        raise DataError("the stored bytes were not written by this codec", where=where)
    body = memoryview(data)[_HEADER_BYTES:]
    if zlib.crc32(body) != int.from_bytes(data[len(_MARK) : _HEADER_BYTES], "big"):
        raise DataError("the stored bytes are cut or damaged", where=where)
    try:
        return _unpack(body)
    except (ValueError, TypeError, ArithmeticError, LookupError, RecursionError) as error:
        raise DataError("the stored bytes cannot be read", where=where) from error


@dataclass(frozen=True, slots=True)
class _Frozen:
    """A value that could be changed, kept as bytes."""

    data: bytes


def freeze(value: Any, *, where: str = "") -> Any:
    """Take a snapshot for keeping in this process; `thaw` gives it back.

    Raises:
        UnsupportedError: As `encode`, and for the same values.
    """
    kind = type(value)
    if kind in _UNCHANGEABLE or (kind is datetime and value.tzinfo is None):
        return value
    return _Frozen(encode(value, where=where))


def thaw(frozen: Any) -> Any:
    """The value of a snapshot; each call gives objects of its own."""
    return decode(frozen.data) if type(frozen) is _Frozen else frozen


class _RefusedError(Exception):
    """A value that cannot be written; the path is put together on the way out."""

    def __init__(self, what: str, hint: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.hint = hint
        self.path: list[str] = []

    def __str__(self) -> str:
        path = "".join(reversed(self.path[-_PATH_SHOWN:]))
        more = "..." if len(self.path) > _PATH_SHOWN else ""
        return f"{self.what} at value{path}{more}"


def _prepare(value: Any, depth: int) -> Any:
    """The value in terms of what msgpack has, everything else wrapped in an extension."""
    kind = type(value)
    if kind in _NATIVE or (kind is str and value.isascii()):
        return value
    if kind is int and _INT_MIN <= value <= _INT_MAX:
        return value
    writer = _WRITERS.get(kind)
    if writer is None:
        name = f"{kind.__module__}.{kind.__qualname__}".removeprefix("builtins.")
        raise _RefusedError(f"cannot store a '{name}'", "Turn it into a dict or a str first.")
    if depth > _MAX_DEPTH:
        raise _RefusedError(f"nested deeper than {_MAX_DEPTH} levels, or contains itself")
    return writer(value, depth + 1)


def _items(values: Iterable[Any], depth: int) -> list[Any]:
    prepared: list[Any] = []
    try:
        for value in values:
            prepared.append(_prepare(value, depth))  # noqa: PERF401 - its length is the index
    except _RefusedError as refused:
        refused.path.append(f"[{len(prepared)}]")
        raise
    return prepared


def _write_str(value: str, _: int) -> Any:
    try:
        value.encode()
    except UnicodeEncodeError:  # a lone surrogate: legal in Python, not in UTF-8
        return Ext(_Code.RAW_TEXT, value.encode(errors="surrogatepass"))
    return value


def _write_big_int(value: int, _: int) -> Ext:
    size = value.bit_length() // 8 + 1
    return Ext(_Code.BIG_INT, value.to_bytes(size, "big", signed=True))


def _write_dict(value: dict[Any, Any], depth: int) -> Any:
    prepared: dict[str, Any] = {}
    key: Any = None
    try:
        for key, item in value.items():
            if type(key) is not str or not key.isascii():
                return _write_pairs(value, depth)
            kind = type(item)  # the commonest cases stand here: a call costs more than they do
            is_plain = kind in _NATIVE or (kind is str and item.isascii())
            prepared[key] = item if is_plain else _prepare(item, depth)
    except _RefusedError as refused:
        refused.path.append(_segment(key))
        raise
    return prepared


def _write_pairs(value: dict[Any, Any], depth: int) -> Ext:
    key: Any = None
    prepared: list[tuple[Any, Any]] = []
    try:
        for key, item in value.items():
            prepared.append((_prepare(key, depth), _prepare(item, depth)))
    except _RefusedError as refused:
        refused.path.append(_segment(key))
        raise
    return Ext(_Code.PAIRS, _pack(prepared))


def _segment(key: Any) -> str:
    return f"[{key!r:.40}]" if type(key) in (str, int) else f"[<{type(key).__name__}>]"


def _write_datetime(value: datetime, _: int) -> Ext:
    zone = value.tzinfo
    key = zone.key if type(zone) is ZoneInfo else None
    return _moment(_Code.DATETIME, value, key or value.utcoffset())


def _write_time(value: time, _: int) -> Ext:
    offset = value.utcoffset()
    if value.tzinfo is not None and offset is None:
        raise _RefusedError("cannot store a 'datetime.time' whose offset depends on the date")
    return _moment(_Code.TIME, value, offset)


def _moment(code: int, value: datetime | time, zone: str | timedelta | None) -> Ext:
    form = zone // _MICROSECOND if isinstance(zone, timedelta) else zone
    return Ext(code, _pack([value.replace(tzinfo=None).isoformat(), value.fold, form]))


def _text(code: int, text: Callable[[Any], str]) -> "_Writer":
    return lambda value, _: Ext(code, text(value).encode())


def _sequence(code: int) -> "_Writer":
    return lambda value, depth: Ext(code, _pack(_items(value, depth)))


_Writer = Callable[[Any, int], Any]
_NATIVE: Final = frozenset({bytes, bool, float, type(None)})
_WRITERS: Final[dict[type, _Writer]] = {
    str: _write_str,
    int: _write_big_int,
    list: _items,
    dict: _write_dict,
    datetime: _write_datetime,
    time: _write_time,
    Decimal: _text(_Code.DECIMAL, str),
    date: _text(_Code.DATE, date.isoformat),
    timedelta: lambda v, _: Ext(_Code.TIMEDELTA, _pack([v.days, v.seconds, v.microseconds])),
    UUID: lambda value, _: Ext(_Code.UUID, value.bytes),
    tuple: _sequence(_Code.TUPLE),
    set: _sequence(_Code.SET),
    frozenset: _sequence(_Code.FROZENSET),
}
_READERS: Final[dict[int, Callable[[memoryview], Any]]] = {
    _Code.BIG_INT: lambda data: int.from_bytes(data, "big", signed=True),
    _Code.DECIMAL: lambda data: Decimal(str(data, "ascii")),
    _Code.DATETIME: lambda data: _read_moment(datetime, data),
    _Code.DATE: lambda data: date.fromisoformat(str(data, "ascii")),
    _Code.TIME: lambda data: _read_moment(time, data),
    _Code.TIMEDELTA: lambda data: timedelta(*_unpack(data)),
    _Code.UUID: lambda data: UUID(bytes=bytes(data)),
    _Code.TUPLE: lambda data: tuple(_unpack(data)),
    _Code.SET: lambda data: set(_unpack(data)),
    _Code.FROZENSET: lambda data: frozenset(_unpack(data)),
    _Code.PAIRS: lambda data: dict(_unpack(data)),
    _Code.RAW_TEXT: lambda data: str(data, "utf-8", "surrogatepass"),
}
_UNCHANGEABLE: Final = frozenset(
    {str, bytes, bool, int, float, type(None), Decimal, date, timedelta, UUID}
)


def _read_moment(kind: type[_MomentT], data: memoryview) -> _MomentT:
    naive, fold, zone = _unpack(data)
    return kind.fromisoformat(naive).replace(fold=fold, tzinfo=_zone(zone))


def _zone(form: str | int | None) -> tzinfo | None:
    """A zone by its key, an offset in microseconds, or none."""
    if isinstance(form, str):
        return ZoneInfo(form)
    return None if form is None else timezone(form * _MICROSECOND)


def _read(code: int, data: memoryview) -> Any:
    return _READERS[code](data)


_pack: Final[Callable[[Any], bytes]] = msgspec.msgpack.Encoder().encode
_unpack: Final[Callable[[bytes | memoryview], Any]] = msgspec.msgpack.Decoder(ext_hook=_read).decode
