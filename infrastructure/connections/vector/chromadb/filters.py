"""Filters as Chroma's conditions over the metadata that the store writes.

Chroma has no negation. The opposite of a condition is written out: its `$ne`, `$nin` and
`$not_contains` pass what has no such key, while the opposite of `$gt` must say so.
"""

from typing import Any

from infrastructure.connections.vector.chromadb.records import (
    DATES,
    ELEMENTS,
    HAS,
    NUMBERS,
    OTHERS,
    TENANT,
    VALUE,
    element_of,
)
from infrastructure.connections.vector.filters import (
    AllOf,
    AnyOf,
    Condition,
    Filter,
    Not,
    Operator,
)
from infrastructure.connections.vector.records import Place
from infrastructure.connections.vector.values import Scalar, date_seconds, is_number

Where = dict[str, Any]

#: By operator: Chroma's word, its opposite, and which ends of a list's numbers and dates count.
_ORDER = {
    Operator.GT: ("$gt", "$lte", "max.", "till."),
    Operator.GE: ("$gte", "$lt", "max.", "till."),
    Operator.LT: ("$lt", "$gte", "min.", "from."),
    Operator.LE: ("$lte", "$gt", "min.", "from."),
}
_OPPOSITES = {Operator.NE: Operator.EQ, Operator.NOT_IN: Operator.IN}


def where_of(place: Place, filter: Filter | None) -> Where | None:
    """The filter, and whose records they are; None for all."""
    parts = [_predicate(filter, is_asked=True)] if filter is not None else []
    if place.tenant:
        parts.append({TENANT: {"$eq": place.tenant}})
    return _all(parts) if parts else None


def _predicate(filter: Filter, *, is_asked: bool) -> Where:
    """What holds where the filter does, or, if `is_asked` is False, where it does not."""
    match filter:
        case Not(part):
            return _predicate(part, is_asked=not is_asked)
        case AllOf(parts) | AnyOf(parts):
            each = [_predicate(part, is_asked=is_asked) for part in parts]
            return _all(each) if isinstance(filter, AllOf) is is_asked else _any(each)
        case Condition():
            return _condition(filter, is_asked=is_asked)


def _condition(condition: Condition, *, is_asked: bool) -> Where:
    field, operator, value = condition.field, condition.operator, condition.value
    if operator in _OPPOSITES:
        opposite = Condition(field, _OPPOSITES[operator], value)
        return _condition(opposite, is_asked=not is_asked)
    if operator is Operator.EXISTS:
        return _exists(field, is_asked=value is is_asked)
    if operator in _ORDER:
        return _ordered(condition, is_asked=is_asked)
    if value is None:
        return _exists(field, is_asked=not is_asked)
    asked = value if operator is Operator.IN else (value,)
    return _one_of(field, asked, is_asked=is_asked)


def _one_of(field: str, asked: tuple[Scalar, ...], *, is_asked: bool) -> Where:
    numbers = [float(one) for one in asked if is_number(one)]
    flags = [one for one in asked if isinstance(one, bool)]
    texts = [one for one in asked if isinstance(one, str)]
    word = "$in" if is_asked else "$nin"
    parts: list[Where] = [
        {f"{VALUE}{field}": {word: some}} for some in (numbers, flags, texts) if some
    ]
    word = "$contains" if is_asked else "$not_contains"
    elements = dict.fromkeys(map(element_of, asked))
    parts += [{f"{ELEMENTS}{field}": {word: one}} for one in elements]
    return _any(parts) if is_asked else _all(parts)


def _ordered(condition: Condition, *, is_asked: bool) -> Where:
    word, opposite, number_end, date_end = _ORDER[condition.operator]
    field, asked = condition.field, condition.value
    if isinstance(asked, str):
        keys, kind, bound = [f"{date_end}{field}"], DATES, date_seconds(asked)
    else:
        keys, kind, bound = [f"{VALUE}{field}", f"{number_end}{field}"], NUMBERS, float(asked)
    if is_asked:
        return _any([{key: {word: bound}} for key in keys])
    lacking = {HAS: {"$not_contains": f"{kind}{field}"}}
    return _any([lacking, *({key: {opposite: bound}} for key in keys)])


def _exists(field: str, *, is_asked: bool) -> Where:
    word = "$contains" if is_asked else "$not_contains"
    parts = [{HAS: {word: f"{kind}{field}"}} for kind in (NUMBERS, OTHERS)]
    return _any(parts) if is_asked else _all(parts)


def _all(parts: list[Where]) -> Where:
    if not parts:  # no record has this kind of value
        return {HAS: {"$not_contains": ""}}
    return parts[0] if len(parts) == 1 else {"$and": parts}


def _any(parts: list[Where]) -> Where:
    if not parts:
        return {HAS: {"$contains": ""}}
    return parts[0] if len(parts) == 1 else {"$or": parts}
