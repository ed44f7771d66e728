"""From msgpack with extension types to the value."""

from collections.abc import Callable
from datetime import date, datetime, time, timedelta, timezone, tzinfo
from decimal import Decimal
from enum import Enum
from typing import Any, Final, TypeVar
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec

from infrastructure.serialization.class_names import class_of, shown
from infrastructure.serialization.codes import ABSENT, Code
from infrastructure.serialization.errors import Reason, RefusedError, UnreadableError
from infrastructure.serialization.members import read_flag, read_member
from infrastructure.serialization.shapes import Shape, shape_of

_MICROSECOND: Final = timedelta(microseconds=1)
_MomentT = TypeVar("_MomentT", datetime, time)


def read(body: bytes | memoryview, *, where: str = "") -> Any:
    """The value of what `writing.write` made.

    Raises:
        UnreadableError: It is not that, or its classes have changed.
    """
    try:
        return unpack(body)
    except UnreadableError as error:
        error.where = where
        raise
    except Exception as error:
        # what compares or hashes objects may raise anything
        raise UnreadableError(
            Reason.UNREADABLE, "the stored bytes cannot be read", where=where
        ) from error


def _read_object(data: memoryview) -> Any:
    name, mark, *state = unpack(data)
    shape = _known_shape(class_of(name))
    if shape.mark != mark:
        raise UnreadableError(
            Reason.SCHEMA, f"the class '{name:.200}' has other fields than when it was stored"
        )
    return shape.build(state)


def _known_shape(cls: type[Any]) -> Shape:
    try:
        shape = None if issubclass(cls, Enum) else shape_of(cls)
    except RefusedError as error:
        raise UnreadableError(Reason.CLASS, error.what) from None
    if shape is None:
        raise UnreadableError(Reason.CLASS, f"the stored class '{shown(cls)}' is no class of data")
    return shape


def _read_moment(kind: type[_MomentT], data: memoryview) -> _MomentT:
    naive, fold, zone = unpack(data)
    return kind.fromisoformat(naive).replace(fold=fold, tzinfo=_zone(zone))


def _zone(form: str | int | None) -> tzinfo | None:
    """A zone by its key, an offset in microseconds, or none."""
    if isinstance(form, str):
        return ZoneInfo(form)
    return None if form is None else timezone(form * _MICROSECOND)


def _read(code: int, data: memoryview) -> Any:
    return _READERS[code](data)


_READERS: Final[dict[int, Callable[[memoryview], Any]]] = {
    Code.BIG_INT: lambda data: int.from_bytes(data, "big", signed=True),
    Code.DECIMAL: lambda data: Decimal(str(data, "ascii")),
    Code.DATETIME: lambda data: _read_moment(datetime, data),
    Code.DATE: lambda data: date.fromisoformat(str(data, "ascii")),
    Code.TIME: lambda data: _read_moment(time, data),
    Code.TIMEDELTA: lambda data: timedelta(*unpack(data)),
    Code.UUID: lambda data: UUID(bytes=bytes(data)),
    Code.TUPLE: lambda data: tuple(unpack(data)),
    Code.SET: lambda data: set(unpack(data)),
    Code.FROZENSET: lambda data: frozenset(unpack(data)),
    Code.PAIRS: lambda data: dict(unpack(data)),
    Code.RAW_TEXT: lambda data: str(data, "utf-8", "surrogatepass"),
    Code.OBJECT: _read_object,
    Code.MEMBER: lambda data: read_member(*unpack(data)),
    Code.FLAG: lambda data: read_flag(*unpack(data)),
    Code.ABSENT: lambda _: ABSENT,
    Code.UNSET: lambda _: msgspec.UNSET,
}
unpack: Final[Callable[[bytes | memoryview], Any]] = msgspec.msgpack.Decoder(ext_hook=_read).decode
