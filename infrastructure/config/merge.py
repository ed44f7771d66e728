"""Layers become one tree: mappings merge, lists replace, and another `kind` starts a block anew."""

from collections.abc import Iterable

from infrastructure.config import placeholders
from infrastructure.config.environment import Environment
from infrastructure.config.models.base import Block
from infrastructure.config.nodes import Scalar, Table
from infrastructure.config.placeholders import PlaceholderError, has_placeholder
from infrastructure.config.problems import Report

_NOTHING_SET = Environment({})
#: What a block may say whatever its kind is, `kind` itself among it.
_OF_EVERY_KIND = frozenset(Block.model_fields)


def join(first: Table, second: Table, report: Report, path: str = "") -> Table:
    """Two files of one layer side by side; a key that both set is a problem."""
    items = dict(first.items)
    for key, node in second.items.items():
        here = f"{path}.{key}" if path else key
        other = items.get(key)
        if isinstance(other, Table) and isinstance(node, Table):
            items[key] = join(other, node, report, here)
        elif other is not None:
            report.add(node.origin, here, f"is set at {other.origin}, too", "Keep one of them.")
        else:
            items[key] = node
    return Table(items, first.origin)


def merge(layers: Iterable[Table], environment: Environment) -> Table:
    """One tree out of the layers, lowest first; placeholders are still in it."""
    lowest, *higher = (_settle(layer, environment) for layer in layers)
    tree = lowest
    for layer in higher:
        tree = _merge(tree, layer, environment)
    return tree


def _merge(base: Table, over: Table, environment: Environment) -> Table:
    items = dict(base.items)
    for key, node in over.items.items():
        below = items.get(key)
        if (
            not isinstance(below, Table)
            or not isinstance(node, Table)
            or _starts_anew(below, node, environment)
        ):
            items[key] = node
        else:
            items[key] = _merge(below, node, environment)
    return Table(items, base.origin)


def _starts_anew(base: Table, over: Table, environment: Environment) -> bool:
    before, after = _kind(base, environment), _kind(over, environment)
    return before is not None and after is not None and before != after


def _settle(node: Table, environment: Environment) -> Table:
    """Keep the keys beside `kind: ${NAME:openai}` only for the kind they were written for.

    A policy and what else every block has are no matter of the kind, so they stay.
    """
    kind = node.child("kind")
    if isinstance(kind, Scalar) and has_placeholder(kind):
        written, chosen = _quietly(kind, _NOTHING_SET), _quietly(kind, environment)
        if written is not None and chosen is not None and written != chosen:
            kept = {key: each for key, each in node.items.items() if key in _OF_EVERY_KIND}
            return Table(kept, node.origin)
    items = {
        key: _settle(child, environment) if isinstance(child, Table) else child
        for key, child in node.items.items()
    }
    return Table(items, node.origin)


def _kind(table: Table, environment: Environment) -> str | None:
    kind = table.child("kind")
    return _quietly(kind, environment) if isinstance(kind, Scalar) else None


def _quietly(node: Scalar, environment: Environment) -> str | None:
    # What is wrong with it is reported when the winners are substituted.
    if node.text is None or not has_placeholder(node):
        return node.text
    try:
        return placeholders.fill(placeholders.parse(node.text), environment).text
    except PlaceholderError:
        return None
