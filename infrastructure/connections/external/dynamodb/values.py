"""Values of items on the wire: each with its type, numbers as text."""

import math
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from decimal import Context, Decimal, DecimalException, Inexact, Overflow, Rounded, Subnormal
from typing import Any

from infrastructure.errors import DataError, RejectedError

#: DynamoDB keeps 38 digits, from 1E-130 to 9.99E+125 ("Supported data types"): none is rounded.
_NUMBERS = Context(prec=38, Emin=-130, Emax=125, traps=[Inexact, Overflow, Rounded, Subnormal])
_DEEPEST = 32


def to_wire(value: Any, at: str = "the value", depth: int = 0) -> dict[str, Any]:
    """One value with its type.

    None, booleans, text, bytes, int and Decimal, sequences, mappings with text as keys, and sets
    of one of text, bytes and numbers.

    Raises:
        RejectedError: It is of no such type, or DynamoDB could not keep it as it is.
    """
    if depth > _DEEPEST:
        raise RejectedError(f"{at} is nested deeper than {_DEEPEST} levels")
    if value is None:
        return {"NULL": True}
    if isinstance(value, bool):
        return {"BOOL": value}
    if isinstance(value, (str, bytes, bytearray, memoryview, int, Decimal)):
        return _scalar(value, at)
    if isinstance(value, AbstractSet):
        return _set(value, at)
    if isinstance(value, Mapping):
        return {"M": item_to_wire(value, at, depth + 1)}
    if isinstance(value, Sequence):
        return {"L": [to_wire(each, f"{at}[{n}]", depth + 1) for n, each in enumerate(value)]}
    hint = "Make it a Decimal: floats are not kept as they are." if isinstance(value, float) else ""
    raise RejectedError(f"{at} is of a type that cannot be kept: {type(value).__name__}", hint=hint)


def item_to_wire(item: Mapping[Any, Any], at: str = "", depth: int = 0) -> dict[str, Any]:
    """An item, or a key, by the names of its attributes."""
    wrong = [name for name in item if not isinstance(name, str) or not name]
    if wrong:
        raise RejectedError(f"attributes are named by text, found {wrong[0]!r}")
    start = f"{at}." if at else ""
    return {name: to_wire(value, f"{start}{name}", depth) for name, value in item.items()}


def from_wire(wire: Mapping[str, Any]) -> Any:
    """The value; numbers as Decimal, sets as sets.

    Raises:
        DataError: It has a type nobody knows.
    """
    kind, value = next(iter(wire.items()), ("", None))  # the driver drops what it does not know
    if kind not in _READERS:
        raise DataError("an attribute has a type nobody knows")
    return _READERS[kind](value)


def item_from_wire(item: Mapping[str, Any]) -> dict[str, Any]:
    """An item as it was put."""
    return {name: from_wire(value) for name, value in item.items()}


def size_of(item: Mapping[str, Any]) -> int:
    """About the bytes DynamoDB counts for an item on the wire ("Item sizes and formats")."""
    return sum(len(name.encode()) + _size(value) for name, value in item.items())


def _size(wire: Mapping[str, Any]) -> int:
    ((kind, value),) = wire.items()
    if kind == "M":
        return 3 + sum(len(name.encode()) + 1 + _size(each) for name, each in value.items())
    if kind == "L":
        return 3 + sum(1 + _size(each) for each in value)
    if kind in {"SS", "NS", "BS"}:
        return sum(len(each) for each in value)
    if kind == "N":
        return math.ceil(len(value) / 2) + 1
    return len(value.encode()) if kind == "S" else len(value) if kind == "B" else 1


def _scalar(value: Any, at: str) -> dict[str, Any]:
    if isinstance(value, str):
        return {"S": _text(value, at)}
    if isinstance(value, (bytes, bytearray, memoryview)):
        return {"B": bytes(value)}
    return {"N": _number(value, at)}


def _text(value: str, at: str) -> str:
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise RejectedError(f"{at} is no text: it has half a character in it") from error
    return value


def _number(value: int | Decimal, at: str) -> str:
    try:
        kept = _NUMBERS.create_decimal(value)
    except DecimalException as error:
        raise RejectedError(f"{at} has more than 38 digits, or is too large or small") from error
    if not kept.is_finite():
        raise RejectedError(f"{at} is no finite number")
    return str(kept)


def _set(value: AbstractSet[Any], at: str) -> dict[str, Any]:
    members = [_scalar_of_set(each, at) for each in value]
    kinds = {kind for member in members for kind in member}
    if len(kinds) != 1:
        found = "nothing" if not kinds else "several types"
        raise RejectedError(f"{at} is a set of one of text, bytes and numbers, found {found}")
    (kind,) = kinds
    return {f"{kind}S": [member[kind] for member in members]}


def _scalar_of_set(value: Any, at: str) -> dict[str, Any]:
    if isinstance(value, bool) or not isinstance(value, (str, bytes, int, Decimal)):
        raise RejectedError(
            f"{at} is a set of text, bytes or numbers, found {type(value).__name__}"
        )
    return _scalar(value, at)


_READERS: dict[str, Callable[[Any], Any]] = {
    "NULL": lambda _: None,
    "BOOL": bool,
    "S": str,
    "B": bytes,
    "N": Decimal,
    "SS": set,
    "BS": lambda value: set(map(bytes, value)),
    "NS": lambda value: set(map(Decimal, value)),
    "L": lambda value: [from_wire(each) for each in value],
    "M": item_from_wire,
}
