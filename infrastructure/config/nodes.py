"""The tree between YAML and the models: every node knows its origin, no node shows its text."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from infrastructure.config.origins import Origin


@dataclass(frozen=True, slots=True)
class Scalar:
    """Text, or null.

    Attributes:
        text: None for null.
        is_plain: Written in YAML without quotes, so that `5` may be a number.
    """

    text: str | None = field(repr=False)
    origin: Origin
    is_plain: bool = False


@dataclass(frozen=True, slots=True)
class Native:
    """A Python value of an override that is neither text nor a container."""

    value: object = field(repr=False)
    origin: Origin


@dataclass(frozen=True, slots=True)
class Sequence:
    """A list; a higher layer replaces it whole."""

    items: tuple["Node", ...]
    origin: Origin


@dataclass(frozen=True, slots=True)
class Table:
    """A mapping; a higher layer is merged into it."""

    items: Mapping[str, "Node"]
    origin: Origin

    def child(self, key: str) -> "Node | None":
        """The node under `key`."""
        return self.items.get(key)


Node: TypeAlias = Scalar | Native | Sequence | Table


def is_null(node: Node | None) -> bool:
    """There is nothing here: no node, or an explicit null."""
    return node is None or (isinstance(node, Scalar) and node.text is None)


def find(node: Node | None, steps: tuple[str | int, ...]) -> Node | None:
    """Follow keys and list positions; None when the way ends before the last."""
    for step in steps:
        if isinstance(node, Table):
            node = node.child(str(step))
        elif isinstance(node, Sequence) and str(step).isdecimal() and int(step) < len(node.items):
            node = node.items[int(step)]
        else:
            return None
    return node


def walk(node: Node, path: str = "") -> Iterator[tuple[str, Node]]:
    """Every node below and including `node`, with its dotted path."""
    if path:
        yield path, node
    if isinstance(node, Table):
        for key, child in node.items.items():
            yield from walk(child, f"{path}.{key}" if path else key)
    elif isinstance(node, Sequence):
        for position, child in enumerate(node.items):
            yield from walk(child, f"{path}.{position}")
