"""The form of a filter that YAML, JSON and other libraries can hold."""

from collections.abc import Mapping, Sequence
from typing import Any

from infrastructure.connections.vector.filters.language import all_of
from infrastructure.connections.vector.filters.nodes import (
    MAX_DEPTH,
    AllOf,
    AnyOf,
    Condition,
    Filter,
    Not,
)
from infrastructure.connections.vector.filters.operators import Operator
from infrastructure.connections.vector.values import shown
from infrastructure.errors import RejectedError, UnsupportedError, did_you_mean

#: Words for what is said with other operators.
_ANY, _ALL = "any", "all"


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


def _parse(plain: object, at: str, depth: int) -> Filter:
    if depth > MAX_DEPTH:
        raise RejectedError(f"{at} is nested deeper than {MAX_DEPTH} levels")
    if not isinstance(plain, Mapping):
        raise RejectedError(f"{at} is a mapping, found {shown(plain)}")
    if "conditions" in plain:
        return _parse_group(plain, at, depth)
    known = {"field", "operator", "value"}
    _only(plain, known, {"field", "operator"}, at)
    operator = _operator(plain["operator"], (*Operator, _ANY, _ALL), at)
    if operator != Operator.EXISTS:
        _only(plain, known, known, at)
    if operator == _ALL:
        return all_of(plain["field"], plain["value"])
    meant = Operator.IN if operator == _ANY else Operator(operator)
    return Condition(plain["field"], meant, plain.get("value", True))


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
