"""Placeholders of the merged tree are replaced; what came from outside YAML is left alone."""

import os
from dataclasses import replace

from infrastructure.config import placeholders
from infrastructure.config.environment import Environment
from infrastructure.config.nodes import Native, Node, Scalar, Sequence, Table, find, walk
from infrastructure.config.origins import Reference, Source
from infrastructure.config.placeholders import Filled, PlaceholderError, has_placeholder
from infrastructure.config.problems import Report
from infrastructure.errors import did_you_mean

_LONGEST_LINE = 16
_TEXTUAL = (int, float, os.PathLike)


def substitute(tree: Table, environment: Environment, report: Report) -> Table:
    """The tree with every placeholder replaced, by a variable or by another key of the tree."""
    return _Substitution(tree, environment, report).table(tree, "")


class _Substitution:
    """Fills each value once, whoever asks for it first."""

    def __init__(self, tree: Table, environment: Environment, report: Report) -> None:
        self._tree = tree
        self._environment = environment
        self._report = report
        # By node: two paths may read alike, as a key of the application's may have dots.
        self._filled: dict[int, Filled | PlaceholderError] = {}
        self._open: dict[int, str] = {}

    def table(self, tree: Table, path: str) -> Table:
        """One mapping below the path."""
        items = {
            key: self._node(child, f"{path}.{key}" if path else key)
            for key, child in tree.items.items()
        }
        return Table(items, tree.origin)

    def _node(self, node: Node, path: str) -> Node:
        if isinstance(node, Table):
            return self.table(node, path)
        if isinstance(node, Sequence):
            items = (self._node(each, f"{path}.{at}") for at, each in enumerate(node.items))
            return Sequence(tuple(items), node.origin)
        return self._scalar(node, path) if has_placeholder(node) else node

    def _scalar(self, node: Scalar, path: str) -> Scalar:
        filled = self._fill(node, path)
        if isinstance(filled, PlaceholderError):
            is_known = filled.is_unset and self._report.lacks_variables
            if not (is_known or filled.is_told_elsewhere):
                place = _place(node, filled.offset)
                self._report.add(place, path, str(filled), filled.hint)
            self._report.blamed.add(path)
            return Scalar(None, node.origin)
        return Scalar(filled.text, replace(node.origin, references=filled.references))

    def _fill(self, node: Scalar, path: str) -> Filled | PlaceholderError:
        if id(node) not in self._filled:
            self._open[id(node)] = path
            try:
                parts = placeholders.parse(node.text or "")
                self._filled[id(node)] = placeholders.fill(parts, self._environment, self._key)
            except PlaceholderError as error:
                self._filled[id(node)] = error
            del self._open[id(node)]
        return self._filled[id(node)]

    def _key(self, path: str) -> Filled | None:
        """What stands under another key; None for null.

        Raises:
            PlaceholderError: There is no such key, or no single value under it, or it needs the
                value that is being filled.
        """
        node = find(self._tree, tuple(path.split(".")))
        if id(node) in self._open:
            way = list(self._open.values())[list(self._open).index(id(node)) :]
            what = f"needs itself: {' -> '.join([*way, path])}"
            raise PlaceholderError(what, hint="Give one of them a value of its own.")
        if len(self._open) > _LONGEST_LINE:
            raise PlaceholderError(f"needs more than {_LONGEST_LINE} keys, one after the other")
        if has_placeholder(node):
            found = self._fill(node, path)
            if isinstance(found, PlaceholderError):
                raise PlaceholderError(f"needs ${{{path}}}", is_told_elsewhere=True)
        else:
            found = Filled(self._text(node, path), () if node is None else node.origin.references)
        if found.text is None:
            return None
        return Filled(found.text, (Reference(path, Source.KEY, not found.text), *found.references))

    def _text(self, node: Node | None, path: str) -> str | None:
        if isinstance(node, Scalar):
            return node.text
        if isinstance(node, Native) and isinstance(node.value, _TEXTUAL):
            return str(node.value)
        if node is not None:
            raise PlaceholderError(f"needs ${{{path}}}, which is no single value")
        known = [each for each, child in walk(self._tree) if isinstance(child, (Scalar, Native))]
        hint = f"{did_you_mean(path, known)}Name a key that has a value, such as paths.data."
        what, is_echo = f"needs ${{{path}}}, which nothing sets", self._report.lacks_files
        raise PlaceholderError(what, hint=hint, is_told_elsewhere=is_echo)


def _place(node: Scalar, offset: int | None) -> str:
    if offset is None or "\n" in (node.text or ""):
        return str(node.origin)
    quote = 0 if node.is_plain else 1
    return f"{node.origin}:{node.origin.column + quote + offset}"
