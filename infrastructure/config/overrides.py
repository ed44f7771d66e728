"""The layer of explicit values: a nested mapping, dotted keys, or both at once."""

import re
from collections.abc import Iterator, Mapping
from collections.abc import Sequence as AnySequence
from typing import Any

from infrastructure.config.nodes import Native, Node, Scalar, Sequence, Table
from infrastructure.config.origins import Layer, Origin
from infrastructure.config.problems import Report
from infrastructure.config.tree import Tree


def read_overrides(overrides: Mapping[str, Any] | None, report: Report) -> Table:
    """The layer; placeholders in it stay as they are, and text is converted by the field's type."""
    tree = Tree(Layer.OVERRIDE, report, step=_ANY_KEY)
    try:
        for steps, value in _leaves(overrides or {}, ()):
            tree.put(steps, _node(value, ".".join(steps)))
    except RecursionError:
        report.add(Origin(Layer.OVERRIDE), "", "a value is nested too deeply, or contains itself")
    return tree.table()


# Inside a block there are mappings whose keys are the application's, such as header names.
_ANY_KEY = re.compile(r".+", re.DOTALL)


def _leaves(
    mapping: Mapping[str, Any], above: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], Any]]:
    for key, value in mapping.items():
        steps = (*above, *str(key).split("."))
        if isinstance(value, Mapping) and value:
            yield from _leaves(value, steps)
        else:
            yield steps, value


def _node(value: Any, path: str) -> Node:
    origin = Origin(Layer.OVERRIDE, name=path)
    if value is None or isinstance(value, str):
        return Scalar(value if value is None else str(value), origin)
    if isinstance(value, Mapping):
        return Table(
            {str(key): _node(each, f"{path}.{key}") for key, each in value.items()}, origin
        )
    if isinstance(value, AnySequence) and not isinstance(value, (bytes, bytearray)):
        return Sequence(tuple(_node(each, path) for each in value), origin)
    return Native(value, origin)
