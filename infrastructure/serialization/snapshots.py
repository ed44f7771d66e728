"""Values kept in this process, out of reach of those who gave and got them."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from infrastructure.serialization.codec import decode, encode


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


_UNCHANGEABLE: Final = frozenset(
    {str, bytes, bool, int, float, type(None), Decimal, date, timedelta, UUID}
)
