"""Building a layer from single values with dotted paths."""

import re
from collections.abc import Sequence as Steps

from infrastructure.config.nodes import Node, Table
from infrastructure.config.origins import Layer, Origin
from infrastructure.config.problems import Report

#: Instances, flags and every step of a path from outside the files.
NAME = re.compile(r"[a-z](?!.*__)[a-z0-9_]*")


class Tree:
    """Collects values by path; the same path twice, or one below a value, is a problem."""

    def __init__(self, layer: Layer, report: Report, *, step: re.Pattern[str] = NAME) -> None:
        self._step = step
        self._origin = Origin(layer)
        self._report = report
        self._root: dict[str, Node] = {}

    def table(self) -> Table:
        """What was collected."""
        return Table(self._root, self._origin)

    def put(self, steps: Steps[str], node: Node) -> None:
        """Set the value at a path."""
        path = ".".join(steps)
        if not all(self._step.fullmatch(step) for step in steps):
            self._report.add(node.origin, "", "does not name a key of the settings", _SPELLING)
            return
        here = self._root
        for step in steps[:-1]:
            below = here.setdefault(step, Table({}, node.origin))
            if not isinstance(below, Table):
                self._report.add(node.origin, path, f"is set as a whole by {below.origin}, too")
                return
            here = below.items  # type: ignore[assignment] # the tables made here hold plain dicts
        if steps[-1] in here:
            other = here[steps[-1]].origin
            self._report.add(node.origin, path, f"is set by {other}, too", "Keep one of them.")
            return
        here[steps[-1]] = node


_SPELLING = "Steps are lower-case identifiers such as cache, default, ttl_seconds."
