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
- `text` finds text inside text, letter by letter; values of another type do not pass.
- `any` is another word for `in`; `all` holds when each of the values asked for is a value.
- `AllOf()` of nothing holds always, `AnyOf()` of nothing never; `all` and `in` likewise.

`matches` is the reference; a store translates, and refuses what it cannot translate.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date
from typing import Any

from infrastructure.connections.vector.filters.nodes import (
    AllOf,
    AnyOf,
    Condition,
    Filter,
    Not,
)
from infrastructure.connections.vector.filters.operators import ORDER, Operator
from infrastructure.connections.vector.values import (
    Scalar,
    date_seconds,
    is_number,
)


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

    def has_all(self, values: Iterable[Scalar]) -> AllOf:
        """Each of these."""
        return all_of(self._name, values)

    def has_text(self, text: str) -> Condition:
        """Text that contains this text."""
        return Condition(self._name, Operator.TEXT, text)

    def exists(self) -> Condition:
        """Any value at all."""
        return Condition(self._name, Operator.EXISTS, value=True)


def where(field: str) -> Field:
    """Begin a condition on `field`."""
    return Field(field)


def all_of(field: str, values: Iterable[Scalar]) -> AllOf:
    """Holds when each of the values is a value of the field."""
    asked = Condition(field, Operator.IN, values)
    return AllOf(tuple(Condition(field, Operator.EQ, value) for value in asked.value))


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


def _holds(condition: Condition, values: Sequence[Any]) -> bool:
    asked = condition.value
    match condition.operator:
        case Operator.EQ | Operator.NE:
            is_equal = not values if asked is None else _any_equal(values, (asked,))
            return is_equal is (condition.operator is Operator.EQ)
        case Operator.IN | Operator.NOT_IN:
            return _any_equal(values, asked) is (condition.operator is Operator.IN)
        case Operator.EXISTS:
            return bool(values) is asked
        case Operator.TEXT:
            return any(isinstance(value, str) and asked in value for value in values)
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
