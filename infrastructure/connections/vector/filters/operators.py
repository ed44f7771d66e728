"""What a condition can ask, and what it can be asked with."""

from collections.abc import Callable, Iterable, Mapping
from datetime import date
from enum import StrEnum
from operator import ge, gt, le, lt

from infrastructure.connections.vector.values import (
    checked_scalar,
    date_seconds,
    is_encodable,
    is_number,
    shown,
)
from infrastructure.errors import RejectedError


class Operator(StrEnum):
    """What a condition asks of a field."""

    EQ = "=="
    NE = "!="
    GT = ">"
    GE = ">="
    LT = "<"
    LE = "<="
    IN = "in"
    NOT_IN = "not in"
    EXISTS = "exists"
    TEXT = "text"


#: The operators that compare by order.
ORDER: Mapping[Operator, Callable[[float, float], bool]] = {
    Operator.GT: gt,
    Operator.GE: ge,
    Operator.LT: lt,
    Operator.LE: le,
}


def _check_equal(where: str, value: object) -> object:
    return None if value is None else checked_scalar(value, where)


def _check_order(where: str, value: object) -> object:
    text = value.isoformat() if isinstance(value, date) else value
    if isinstance(text, str) and date_seconds(text) is not None:
        return text
    if is_number(value):
        return checked_scalar(value, where)
    raise RejectedError(f"{where} is a number or a date such as 2026-11-21, found {shown(value)}")


def _check_list(where: str, value: object) -> object:
    if isinstance(value, (str, bytes, Mapping)) or not isinstance(value, Iterable):
        raise RejectedError(f"{where} is a list, found {shown(value)}")
    return tuple(checked_scalar(one, f"each element of {where}") for one in value)


def _check_text(where: str, value: object) -> object:
    if not isinstance(value, str) or not value or not is_encodable(value):
        raise RejectedError(f"{where} is non-empty text, found {shown(value)}")
    return value


def _check_flag(where: str, value: object) -> object:
    if not isinstance(value, bool):
        raise RejectedError(f"{where} is true or false, found {shown(value)}")
    return value


#: By operator: its value as it is kept, or a `RejectedError` that says where it stands.
CHECKS: Mapping[Operator, Callable[[str, object], object]] = {
    Operator.EQ: _check_equal,
    Operator.NE: _check_equal,
    **dict.fromkeys(ORDER, _check_order),
    Operator.IN: _check_list,
    Operator.NOT_IN: _check_list,
    Operator.EXISTS: _check_flag,
    Operator.TEXT: _check_text,
}
