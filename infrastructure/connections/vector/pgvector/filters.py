"""Filters as one predicate of SQL/JSON paths, over the fields that the store writes.

In a path's lax mode a comparison holds when it does for any element of a list, just as here; what
compares unlike kinds is unknown, which is no. A negation must therefore take the unknown in.
"""

from typing import Any

import msgspec

from infrastructure.connections.vector.filters import (
    AllOf,
    AnyOf,
    Condition,
    Filter,
    Not,
    Operator,
)
from infrastructure.connections.vector.pgvector.codecs import DATES, FIELDS, kept_text
from infrastructure.connections.vector.values import date_seconds

_ALWAYS = "1 == 1"
_NEVER = "1 == 2"
_OPPOSITES = {Operator.NE: Operator.EQ, Operator.NOT_IN: Operator.IN}


def path_of(filter: Filter) -> str:
    """The filter as a `jsonpath` for the operator `@@`."""
    return _predicate(filter, is_asked=True)


def _predicate(filter: Filter, *, is_asked: bool) -> str:
    """What holds where the filter does, or, if `is_asked` is False, where it does not."""
    match filter:
        case Not(part):
            return _predicate(part, is_asked=not is_asked)
        case AllOf(parts) | AnyOf(parts):
            each = [f"({_predicate(part, is_asked=is_asked)})" for part in parts]
            is_all = isinstance(filter, AllOf) is is_asked
            return _joined(each, "&&", _ALWAYS) if is_all else _joined(each, "||", _NEVER)
        case Condition(field, operator, value):
            if operator in _OPPOSITES:
                opposite = Condition(field, _OPPOSITES[operator], value)
                return _predicate(opposite, is_asked=not is_asked)
            found = _condition(filter)
            return found if is_asked else f"(({found}) is unknown) || !({found})"


def _condition(condition: Condition) -> str:
    field, asked = _field(FIELDS, condition.field), condition.value
    match condition.operator:
        case Operator.EXISTS:
            return _exists(field, is_asked=asked)
        case Operator.EQ:
            return _exists(field, is_asked=False) if asked is None else _equals(field, asked)
        case Operator.IN:
            return _joined([_equals(field, one) for one in asked], "||", _NEVER)
        case Operator.TEXT:
            return f'{field} like_regex {_literal(asked)} flag "q"'
        case Operator():
            if isinstance(asked, str):
                field, asked = _field(DATES, condition.field), date_seconds(asked)
            return f"{field} {condition.operator} {_literal(asked)}"


def _joined(parts: list[str], word: str, empty: str) -> str:
    """All parts in halves of halves: the server reads a long row of them one inside the other."""
    if not parts:
        return empty
    while len(parts) > 1:
        pairs = zip(parts[::2], parts[1::2], strict=False)
        rest = parts[-1:] if len(parts) % 2 else []
        parts = [f"({one} {word} {other})" for one, other in pairs] + rest
    return parts[0]


def _equals(field: str, value: Any) -> str:
    return f"{field} == {_literal(value)}"


def _exists(field: str, *, is_asked: bool) -> str:
    found = f"exists({field}[*] ? (@ != null))"
    return found if is_asked else f"!({found})"


def _field(part: str, name: str) -> str:
    return f"$.{part}.{_literal(name)}"


def _literal(value: Any) -> str:
    return msgspec.json.encode(kept_text(value) if isinstance(value, str) else value).decode()
