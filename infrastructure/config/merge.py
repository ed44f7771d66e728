"""Layers become one tree: mappings merge, lists replace, and another `kind` starts a block anew."""

from collections.abc import Iterable
from dataclasses import replace

from infrastructure.config import placeholders
from infrastructure.config.environment import Environment
from infrastructure.config.nodes import Node, Scalar, Sequence, Table
from infrastructure.config.origins import FILE_LAYERS
from infrastructure.config.placeholders import PlaceholderError
from infrastructure.config.problems import Report

_NOTHING_SET = Environment({})


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


def substitute(tree: Table, environment: Environment, report: Report, path: str = "") -> Table:
    """The tree with every placeholder replaced; what came from outside YAML is left alone."""
    items = {
        key: _substitute(child, environment, report, f"{path}.{key}" if path else key)
        for key, child in tree.items.items()
    }
    return Table(items, tree.origin)


def _substitute(node: Node, environment: Environment, report: Report, path: str) -> Node:
    if isinstance(node, Table):
        return substitute(node, environment, report, path)
    if isinstance(node, Sequence):
        children = enumerate(node.items)
        filled = (_substitute(each, environment, report, f"{path}.{at}") for at, each in children)
        return Sequence(tuple(filled), node.origin)
    if isinstance(node, Scalar) and _has_placeholder(node):
        return _filled(node, environment, report, path)
    return node


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
    """Keep the keys beside `kind: ${NAME:openai}` only for the kind they were written for."""
    kind = node.child("kind")
    if isinstance(kind, Scalar) and _has_placeholder(kind):
        written, chosen = _quietly(kind, _NOTHING_SET), _quietly(kind, environment)
        if written is not None and chosen is not None and written != chosen:
            return Table({"kind": kind}, node.origin)
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
    if node.text is None or not _has_placeholder(node):
        return node.text
    try:
        return placeholders.fill(placeholders.parse(node.text), environment).text
    except PlaceholderError:
        return None


def _has_placeholder(node: Scalar) -> bool:
    return (
        node.text is not None
        and node.origin.layer in FILE_LAYERS
        and placeholders.is_template(node.text)
    )


def _filled(node: Scalar, environment: Environment, report: Report, path: str) -> Scalar:
    text = node.text or ""
    try:
        filled = placeholders.fill(placeholders.parse(text), environment)
    except PlaceholderError as error:
        if not (error.is_unset and report.lacks_variables):
            report.add(_place(node, error.offset), path, str(error), error.hint)
        report.blamed.add(path)
        return Scalar(None, node.origin)
    return Scalar(filled.text, replace(node.origin, references=filled.references))


def _place(node: Scalar, offset: int | None) -> str:
    if offset is None or "\n" in (node.text or ""):
        return str(node.origin)
    quote = 0 if node.is_plain else 1
    return f"{node.origin}:{node.origin.column + quote + offset}"
