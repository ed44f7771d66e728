"""The tree that a filter is: conditions, and what combines them."""

from dataclasses import dataclass
from typing import Any, NoReturn, TypeAlias

from infrastructure.connections.vector.filters.operators import CHECKS, Operator
from infrastructure.connections.vector.values import checked_name, shown
from infrastructure.errors import RejectedError

#: How deep a filter may nest: the JSON readers of servers stop at 128, and a level is two.
MAX_DEPTH = 32


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
            tuple of scalars for `in` and `not in`; True or False for `exists`; non-empty text
            for `text`.

    Raises:
        RejectedError: The value does not suit the operator, or the field has no usable name.
    """

    field: str
    operator: Operator
    value: Any = True

    def __post_init__(self) -> None:
        checked_name(self.field)
        where = f"the value of '{self.field}' {self.operator}"
        object.__setattr__(self, "value", CHECKS[self.operator](where, self.value))


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


def operators(filter: Filter) -> set[Operator]:
    """The operators that it asks with.

    Raises:
        RejectedError: It is nested deeper than stores can be asked.
    """
    found: set[Operator] = set()
    level: list[Filter] = [filter]
    for _ in range(MAX_DEPTH + 1):
        found.update(one.operator for one in level if isinstance(one, Condition))
        level = [part for one in level for part in _inside(one)]
        if not level:
            return found
    raise RejectedError(f"the filter is nested deeper than {MAX_DEPTH} levels")


def _inside(filter: Filter) -> tuple[Filter, ...]:
    match filter:
        case Condition():
            return ()
        case Not(part):
            return (part,)
        case _:
            return filter.parts


def _parts(node: Any, kind: type[AllOf] | type[AnyOf]) -> tuple[Filter, ...]:
    """Flatten `a & b & c` into one node instead of a chain."""
    if not isinstance(node, Filter):
        raise RejectedError(f"only filters combine with & and |, found {shown(node)}")
    return node.parts if isinstance(node, kind) else (node,)
