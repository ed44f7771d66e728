"""Writes of one item each, alone or together in a transaction."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any, ClassVar

from infrastructure.connections.external.dynamodb.values import item_to_wire, to_wire
from infrastructure.errors import RejectedError

_NOTHING: Mapping[str, Any] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """What must hold for a write to be done.

    Attributes:
        condition: A condition expression, such as `attribute_exists(title) AND price < :most`.
        values: What its `:names` stand for.
        names: What its `#names` stand for: attributes called like a reserved word.
        version: Only where the version attribute of what is there is this number, and 0 only
            where there is none, as where there is no item; the write makes it one more.
    """

    condition: str = ""
    values: Mapping[str, Any] = field(default_factory=dict)
    names: Mapping[str, str] = field(default_factory=dict)
    version: int | None = None

    @property
    def is_conditional(self) -> bool:
        """Whether a second time may end otherwise than the first."""
        return bool(self.condition) or self.version is not None

    def conditions(self, attribute: str) -> "Expression":
        """All that must hold; `attribute` has the version."""
        made = Expression(dict(self.names), {name: to_wire(v) for name, v in self.values.items()})
        parts = [f"({self.condition})"] if self.condition else []
        if self.version is not None:
            name = made.name(attribute)
            is_there = f"{name} = {made.value(self.version)}"
            parts.append(is_there if self.version else f"attribute_not_exists({name})")
        made.condition = " AND ".join(parts)
        return made


class Expression:
    """Names and values on their way into an expression, each behind a placeholder of its own.

    Attributes:
        condition: The condition expression; empty for none.
    """

    def __init__(self, names: dict[str, str], values: dict[str, Any]) -> None:
        self.names = names
        self.values = values
        self.condition = ""

    def name(self, attribute: str) -> str:
        """A placeholder for the attribute."""
        placeholder = _free("#", self.names)
        self.names[placeholder] = attribute
        return placeholder

    def value(self, value: Any) -> str:
        """A placeholder for the value."""
        placeholder = _free(":", self.values)
        self.values[placeholder] = to_wire(value)
        return placeholder

    def parameters(self) -> Iterator[tuple[str, Any]]:
        """Of a request; what is empty may not be sent."""
        if self.condition:
            yield "ConditionExpression", self.condition
        if self.names:
            yield "ExpressionAttributeNames", self.names
        if self.values:
            yield "ExpressionAttributeValues", self.values


def _free(mark: str, taken: Mapping[str, Any]) -> str:
    """A placeholder that the caller's own expression does not use."""
    return next(name for n in count() if (name := f"{mark}sg{n}") not in taken)


@dataclass(frozen=True, slots=True)
class Put(Condition):
    """Store an item, over the one with its key."""

    verb: ClassVar[str] = "Put"
    table: str
    item: Mapping[str, Any]

    def wire(self, version_attribute: str) -> dict[str, Any]:
        """The parameters of the request."""
        made = self.conditions(version_attribute)
        item = dict(self.item)
        if self.version is not None:
            item[version_attribute] = self.version + 1
        return {"TableName": self.table, "Item": item_to_wire(item), **dict(made.parameters())}


@dataclass(frozen=True, slots=True)
class Delete(Condition):
    """Delete the item with this key, if there is one."""

    verb: ClassVar[str] = "Delete"
    table: str
    key: Mapping[str, Any]

    def wire(self, version_attribute: str) -> dict[str, Any]:
        """The parameters of the request."""
        made = self.conditions(version_attribute)
        return {"TableName": self.table, "Key": item_to_wire(self.key), **dict(made.parameters())}


@dataclass(frozen=True, slots=True)
class Check(Delete):
    """Change nothing; the transaction is done only if the condition holds."""

    verb: ClassVar[str] = "ConditionCheck"


@dataclass(frozen=True, slots=True)
class Update(Condition):
    """Change attributes of the item with this key; where there is none, it comes into being.

    Attributes:
        table: Where it is.
        key: Which.
        changes: Attributes and their new values.
        remove: Attributes to take away.
        add: Numbers to add to attributes, and sets to unite with them.
    """

    verb: ClassVar[str] = "Update"
    table: str
    key: Mapping[str, Any]
    changes: Mapping[str, Any] = field(default_factory=dict)
    remove: Sequence[str] = ()
    add: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_conditional(self) -> bool:
        """Adding twice is more than adding once."""
        return bool(self.condition or self.add) or self.version is not None

    def wire(self, version_attribute: str) -> dict[str, Any]:
        """The parameters of the request.

        Raises:
            RejectedError: It would change nothing.
        """
        made = self.conditions(version_attribute)
        changes = dict(self.changes)
        if self.version is not None:
            changes[version_attribute] = self.version + 1
        clauses = {
            "SET": [f"{made.name(name)} = {made.value(new)}" for name, new in changes.items()],
            "REMOVE": [made.name(name) for name in self.remove],
            "ADD": [f"{made.name(name)} {made.value(more)}" for name, more in self.add.items()],
        }
        written = [f"{word} {', '.join(parts)}" for word, parts in clauses.items() if parts]
        if not written:
            raise RejectedError(f"an update of '{self.table}' says nothing to change")
        return {
            "TableName": self.table,
            "Key": item_to_wire(self.key),
            "UpdateExpression": " ".join(written),
            **dict(made.parameters()),
        }


Write = Put | Update | Delete | Check
