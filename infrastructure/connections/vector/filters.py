"""One filter language for every vector store: a small tree, a builder, a plain form, a meaning.

    where("lang").is_in(["en", "pt"]) & (where("year") >= 2020) & ~where("draft").exists()

What a filter means, in every store:

- A field has *values*: one, or the elements of its list. A field that is missing, None or an
  empty list has no value. A condition holds when **any** value satisfies it.
- `!=` and `not in` are the exact opposites of `==` and `in`, so a record without the field
  passes them. `== None` asks for no value, `!= None` for any.
- Numbers compare as numbers (`1 == 1.0`); a boolean is no number (`True != 1`); text compares
  exactly, letter by letter.
- `>`, `>=`, `<`, `<=` take a number, or a date: the text `YYYY-MM-DD`, with an optional time
  `HH:MM[:SS[.ffffff]]` after `T` or a space and an optional offset (`Z`, `+01:00`); UTC without
  one. Values of another type, and text that is no date, do not pass. Dates compare as seconds
  since 1970 in a float: to the microsecond until the year 2242.
- `AllOf()` of nothing holds always, `AnyOf()` of nothing never.

`matches` is the reference; a store translates, and refuses what it cannot translate.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from operator import ge, gt, le, lt
from typing import Any, NoReturn, TypeAlias

from infrastructure.connections.vector.values import (
    Scalar,
    checked_name,
    checked_scalar,
    date_seconds,
    is_number,
    shown,
)
from infrastructure.errors import RejectedError, UnsupportedError, did_you_mean

#: How deep the plain form may nest.
MAX_DEPTH = 32


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


#: The operators that compare by order.
ORDER: Mapping[Operator, Callable[[float, float], bool]] = {
    Operator.GT: gt,
    Operator.GE: ge,
    Operator.LT: lt,
    Operator.LE: le,
}


class _Combining:
    """What every node can do: `&`, `|`, `~`."""

    __slots__ = ()

    def __and__(self, other: "Filter") -> "AllOf":
        return AllOf((*_parts(self, AllOf), *_parts(other, AllOf)))

    def __or__(self, other: "Filter") -> "AnyOf":
        return AnyOf((*_parts(self, AnyOf), *_parts(other, AnyOf)))

    def __invert__(self) -> "Not":
        return Not(self)  # type: ignore[arg-type]  # every node derives from this class

    def __bool__(self) -> NoReturn:
        msg = "a filter has no truth value; combine with & | ~ instead of and, or, not"
        raise TypeError(msg)


@dataclass(frozen=True, slots=True)
class Condition(_Combining):
    """A question about one field.

    Attributes:
        field: Name of the field.
        operator: What is asked.
        value: A scalar or None for `==` and `!=`; a number or date for the order operators; a
            tuple of scalars for `in` and `not in`; True or False for `exists`.

    Raises:
        RejectedError: The value does not suit the operator, or the field has no usable name.
    """

    field: str
    operator: Operator
    value: Any = True

    def __post_init__(self) -> None:
        checked_name(self.field)
        value = _CHECKS[self.operator](self, self.value)
        object.__setattr__(self, "value", value)


@dataclass(frozen=True, slots=True)
class AllOf(_Combining):
    """Holds when every part holds."""

    parts: tuple["Filter", ...] = ()


@dataclass(frozen=True, slots=True)
class AnyOf(_Combining):
    """Holds when at least one part holds."""

    parts: tuple["Filter", ...] = ()


@dataclass(frozen=True, slots=True)
class Not(_Combining):
    """Holds when the part does not."""

    part: "Filter"


Filter: TypeAlias = Condition | AllOf | AnyOf | Not


class Field:
    """A field by name, to be compared: `where("year") >= 2020` is a condition."""

    __hash__ = None  # type: ignore[assignment]  # comparing builds a condition, so no set may hold it

    def __init__(self, name: str) -> None:
        self._name = name

    def __eq__(self, value: object) -> Condition:  # type: ignore[override]  # builds, not compares
        return Condition(self._name, Operator.EQ, value)

    def __ne__(self, value: object) -> Condition:  # type: ignore[override]  # builds, not compares
        return Condition(self._name, Operator.NE, value)

    def __gt__(self, value: float | str | date) -> Condition:
        return Condition(self._name, Operator.GT, value)

    def __ge__(self, value: float | str | date) -> Condition:
        return Condition(self._name, Operator.GE, value)

    def __lt__(self, value: float | str | date) -> Condition:
        return Condition(self._name, Operator.LT, value)

    def __le__(self, value: float | str | date) -> Condition:
        return Condition(self._name, Operator.LE, value)

    def is_in(self, values: Iterable[Scalar]) -> Condition:
        """One of these."""
        return Condition(self._name, Operator.IN, values)

    def not_in(self, values: Iterable[Scalar]) -> Condition:
        """None of these."""
        return Condition(self._name, Operator.NOT_IN, values)

    def exists(self) -> Condition:
        """Any value at all."""
        return Condition(self._name, Operator.EXISTS, value=True)


def where(field: str) -> Field:
    """Begin a condition on `field`."""
    return Field(field)


def parse(plain: object) -> Filter:
    """Read the form that YAML and JSON can hold.

    `{"field": "lang", "operator": "==", "value": "en"}` is a condition (`exists` may leave out
    its value); `{"operator": "AND", "conditions": [...]}` combines, also with `OR`, and with
    `NOT`, which takes one.

    Raises:
        RejectedError: It has another form; the message says where and what was found.
        UnsupportedError: There is no such operator.
    """
    return _parse(plain, "filter", 0)


def matches(filter: Filter, fields: Mapping[str, Any]) -> bool:
    """Say whether a record with these fields passes; the meaning every store must keep."""
    match filter:
        case Condition():
            return _holds(filter, _values(fields.get(filter.field)))
        case AllOf(parts):
            return all(matches(part, fields) for part in parts)
        case AnyOf(parts):
            return any(matches(part, fields) for part in parts)
        case Not(part):
            return not matches(part, fields)


def _parts(node: Any, kind: type[AllOf] | type[AnyOf]) -> tuple[Filter, ...]:
    """Flatten `a & b & c` into one node instead of a chain."""
    if not isinstance(node, Filter):
        raise RejectedError(f"only filters combine with & and |, found {shown(node)}")
    return node.parts if isinstance(node, kind) else (node,)


def _holds(condition: Condition, values: Sequence[Any]) -> bool:
    asked = condition.value
    match condition.operator:
        case Operator.EQ:
            return _any_equal(values, (asked,)) if asked is not None else not values
        case Operator.NE:
            return not _any_equal(values, (asked,)) if asked is not None else bool(values)
        case Operator.IN:
            return _any_equal(values, asked)
        case Operator.NOT_IN:
            return not _any_equal(values, asked)
        case Operator.EXISTS:
            return bool(values) is asked
        case _:
            return _any_ordered(values, ORDER[condition.operator], asked)


def _values(value: Any) -> Sequence[Any]:
    if value is None:
        return ()
    return value if isinstance(value, (list, tuple)) else (value,)


def _any_equal(values: Sequence[Any], asked: Sequence[Any]) -> bool:
    return any(
        value == one and isinstance(value, bool) == isinstance(one, bool)
        for value in values
        for one in asked
    )


def _any_ordered(
    values: Sequence[Any], compare: Callable[[float, float], bool], asked: Any
) -> bool:
    if isinstance(asked, str):
        bound = date_seconds(asked)
        moments = (date_seconds(value) for value in values if isinstance(value, str))
        return any(at is not None and bound is not None and compare(at, bound) for at in moments)
    return any(compare(value, asked) for value in values if is_number(value))


def _check_equal(condition: Condition, value: object) -> object:
    return None if value is None else checked_scalar(value, _place(condition))


def _check_order(condition: Condition, value: object) -> object:
    text = value.isoformat() if isinstance(value, date) else value
    if isinstance(text, str) and date_seconds(text) is not None:
        return text
    if is_number(value):
        return checked_scalar(value, _place(condition))
    raise RejectedError(
        f"{_place(condition)} is a number or a date such as 2026-11-21, found {shown(value)}"
    )


def _check_list(condition: Condition, value: object) -> object:
    if isinstance(value, (str, bytes, Mapping)) or not isinstance(value, Iterable):
        raise RejectedError(f"{_place(condition)} is a list, found {shown(value)}")
    return tuple(checked_scalar(one, f"each element of {_place(condition)}") for one in value)


def _check_flag(condition: Condition, value: object) -> object:
    if not isinstance(value, bool):
        raise RejectedError(f"{_place(condition)} is true or false, found {shown(value)}")
    return value


_CHECKS: Mapping[Operator, Callable[[Condition, object], object]] = {
    Operator.EQ: _check_equal,
    Operator.NE: _check_equal,
    **dict.fromkeys(ORDER, _check_order),
    Operator.IN: _check_list,
    Operator.NOT_IN: _check_list,
    Operator.EXISTS: _check_flag,
}


def _parse(plain: object, at: str, depth: int) -> Filter:
    if depth > MAX_DEPTH:
        raise RejectedError(f"{at} is nested deeper than {MAX_DEPTH} levels")
    if not isinstance(plain, Mapping):
        raise RejectedError(f"{at} is a mapping, found {shown(plain)}")
    if "conditions" in plain:
        return _parse_group(plain, at, depth)
    known = {"field", "operator", "value"}
    _only(plain, known, {"field", "operator"}, at)
    operator = Operator(_operator(plain["operator"], tuple(Operator), at))
    if operator is not Operator.EXISTS:
        _only(plain, known, known, at)
    return Condition(plain["field"], operator, plain.get("value", True))


def _parse_group(plain: Mapping[Any, Any], at: str, depth: int) -> Filter:
    keys = {"operator", "conditions"}
    _only(plain, keys, keys, at)
    operator = _operator(plain["operator"], ("AND", "OR", "NOT"), at)
    found = plain["conditions"]
    if not isinstance(found, (list, tuple)) or not found:
        raise RejectedError(f"{at}.conditions is a list of at least one, found {shown(found)}")
    parts = [_parse(one, f"{at}.conditions[{i}]", depth + 1) for i, one in enumerate(found)]
    if operator == "NOT":
        if len(parts) > 1:
            raise RejectedError(
                f"{at}: NOT takes one condition, found {len(parts)}",
                hint="Put AND or OR inside it.",
            )
        return Not(parts[0])
    return AllOf(tuple(parts)) if operator == "AND" else AnyOf(tuple(parts))


def _only(plain: Mapping[Any, Any], known: set[str], needed: set[str], at: str) -> None:
    if missing := needed - plain.keys():
        found = sorted(map(str, plain))
        raise RejectedError(f"{at} lacks {', '.join(sorted(missing))}, found {found}")
    if extra := sorted(str(key) for key in plain if key not in known):
        raise RejectedError(f"{at} has unknown keys {extra}", hint=f"Known: {sorted(known)}.")


def _operator(found: object, known: Sequence[str], at: str) -> str:
    if isinstance(found, str) and found in known:
        return found
    raise UnsupportedError(
        f"{at} has the unknown operator {found!r}",
        hint=f"{did_you_mean(str(found), known)}Known: {', '.join(known)}.",
    )


def _place(condition: Condition) -> str:
    return f"the value of '{condition.field}' {condition.operator}"
