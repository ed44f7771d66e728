"""Filters as Qdrant's conditions, over the payload that the store writes.

A date is asked about through its seconds, which the store keeps beside the fields: the same on
every server version and in local mode, where text would be parsed anew for every record.
"""

import re
from typing import Any

from qdrant_client import models

from infrastructure.connections.vector.filters import (
    AllOf,
    AnyOf,
    Condition,
    Filter,
    Not,
    Operator,
)
from infrastructure.connections.vector.values import date_seconds

FIELDS = "fields"
DATES = "dates"

_PLAIN_KEY = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)
_BOUNDS = {Operator.GT: "gt", Operator.GE: "gte", Operator.LT: "lt", Operator.LE: "lte"}


def translate(filter: Filter) -> models.Filter:
    """The filter in Qdrant's terms."""
    match filter:
        case Condition():
            return _condition(filter)
        case AllOf(parts):
            return models.Filter(must=[translate(part) for part in parts])
        case AnyOf(parts):
            return _any([translate(part) for part in parts])
        case Not(part):
            return _not(translate(part))


def _condition(condition: Condition) -> models.Filter:
    key, asked = payload_key(FIELDS, condition.field), condition.value
    match condition.operator:
        case Operator.EQ | Operator.NE:
            found = _absent(key) if asked is None else _equals(key, (asked,))
            return found if condition.operator is Operator.EQ else _not(found)
        case Operator.IN | Operator.NOT_IN:
            found = _equals(key, asked)
            return found if condition.operator is Operator.IN else _not(found)
        case Operator.EXISTS:
            return _not(_absent(key)) if asked else _absent(key)
        case Operator.TEXT:
            # exact on every server that knows it; older ones refuse it
            return _must(
                models.FieldCondition(key=key, match=models.MatchSubstring(substring=asked))
            )
        case _:
            return _ordered(condition)


def _ordered(condition: Condition) -> models.Filter:
    asked, part = condition.value, FIELDS
    if isinstance(asked, str):
        asked, part = date_seconds(asked), DATES
    bound = models.Range(**{_BOUNDS[condition.operator]: asked})
    return _must(models.FieldCondition(key=payload_key(part, condition.field), range=bound))


def _equals(key: str, asked: tuple[Any, ...]) -> models.Filter:
    texts = [value for value in asked if isinstance(value, str)]
    others = [value for value in asked if not isinstance(value, str)]
    conditions: list[models.Condition] = [_equal(key, value) for value in others]
    if texts:
        conditions.append(models.FieldCondition(key=key, match=models.MatchAny(any=texts)))
    return _any(conditions)


def _equal(key: str, value: float) -> models.FieldCondition:
    if isinstance(value, bool):
        return models.FieldCondition(key=key, match=models.MatchValue(value=value))
    # a match is by type, and would tell 1 from 1.0
    return models.FieldCondition(key=key, range=models.Range(gte=value, lte=value))


def _absent(key: str) -> models.Filter:
    return _must(models.IsEmptyCondition(is_empty=models.PayloadField(key=key)))


def _must(condition: models.Condition) -> models.Filter:
    return models.Filter(must=[condition])


def _not(part: models.Filter) -> models.Filter:
    return models.Filter(must_not=[part])


def _any(conditions: list[Any]) -> models.Filter:
    if not conditions:
        # Qdrant reads an empty `should` as no constraint; no point has none of the ids
        return _must(models.HasIdCondition(has_id=[]))
    return models.Filter(should=conditions)


def payload_key(part: str, field: str) -> str:
    """The path of a field, or of its dates, in the payload."""
    name = field if _PLAIN_KEY.fullmatch(field) else f'"{field}"'
    return f"{part}.{name}"
