"""Values kept in this process in a way that no caller can change them."""

from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from infrastructure.serialization import decode, encode

#: Types whose objects can be kept and handed out as they are.
UNCHANGEABLE: Final = frozenset(
    {str, int, bytes, float, bool, type(None), Decimal, date, timedelta, UUID}
)
_MOMENTS: Final = frozenset({datetime, time})
_LONGEST: Final = 16


def is_unchangeable(value: Any) -> bool:
    """Whether an object can be kept and handed out as it is.

    Short tuples of such objects are; for anything else, False is always safe to say.
    """
    kind = type(value)
    if kind in UNCHANGEABLE:
        return True
    if kind is tuple:
        return len(value) <= _LONGEST and all(map(is_unchangeable, value))
    return kind in _MOMENTS and value.tzinfo is None


class Snapshot:
    """A value as it is now; `get` gives it to any number of callers, who share nothing.

    Raises:
        UnsupportedError: The value is of a type that cannot be stored.
    """

    __slots__ = ("_is_encoded", "_value")

    def __init__(self, value: Any, *, where: str = "") -> None:
        self._is_encoded = not is_unchangeable(value)
        self._value = encode(value, where=where) if self._is_encoded else value

    def get(self) -> Any:
        """The value; of one that can be changed, an object of its own."""
        return decode(self._value) if self._is_encoded else self._value
