"""What every format draws: the providers, the boxes they stand in, and who needs whom."""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from dependency_injector import providers as di

from containers.core import describing, graph, injections
from containers.core.choices import choice_at
from containers.core.finding import find
from containers.errors import UnknownProviderError

Provider = di.Provider[Any]


@dataclass(frozen=True, slots=True)
class Node:
    """One provider.

    Attributes:
        path: Its dotted path; of one without a name that of its owner, and the argument.
        label: What it is called where it stands.
        lifetime: In a word or two.
        target: The qualified name of what makes its objects.
        kind: The backend's kind, where settings chose one.
        box: The path of the container it stands in; empty at the top.
        is_async: Whether a call gives an awaitable.
        is_overridden: Whether something stands in for it now.
        is_box: Whether it is drawn around others.
    """

    path: str
    label: str
    lifetime: str
    target: str = ""
    kind: str = ""
    box: str = ""
    is_async: bool = False
    is_overridden: bool = False
    is_box: bool = False


@dataclass(frozen=True, slots=True)
class Edge:
    """That one provider needs another.

    Attributes:
        source: The path of the one that needs.
        target: The path of what it needs.
        arguments: The parameters it is given as.
        replaces: Whether the target stands in for the source instead.
    """

    source: str
    target: str
    arguments: tuple[str, ...] = ()
    replaces: bool = False

    @property
    def label(self) -> str:
        """The arguments in a few words."""
        return "overridden by" if self.replaces else ", ".join(self.arguments)


@dataclass(frozen=True)
class Picture:
    """The whole graph, in the order of declaration."""

    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]

    @cached_property
    def by_path(self) -> dict[str, Node]:
        """The nodes by path."""
        return {node.path: node for node in self.nodes}

    @cached_property
    def inside(self) -> dict[str, list[Node]]:
        """The nodes by the box they stand in."""
        found: dict[str, list[Node]] = {"": []}
        for node in self.nodes:
            found.setdefault(node.box, []).append(node)
        return found

    def way_up(self, path: str) -> list[str]:
        """A node, the box it stands in, the box around that, up to the whole."""
        way = [path]
        while way[-1]:
            way.append(self.by_path[way[-1]].box)
        return way

    def is_around(self, edge: Edge) -> bool:
        """Whether one of the edge's ends stands inside the other."""
        if edge.source == edge.target:
            return False
        return edge.source in self.way_up(edge.target) or edge.target in self.way_up(edge.source)

    def focused(self, path: str) -> "Picture":
        """Only what a node reaches and what reaches it, in the boxes they stand in."""
        seeds = [node.path for node in self.nodes if path in self.way_up(node.path)]
        ahead: dict[str, list[str]] = {}
        back: dict[str, list[str]] = {}
        for edge in self.edges:
            ahead.setdefault(edge.source, []).append(edge.target)
            back.setdefault(edge.target, []).append(edge.source)
        reached = _reached(seeds, ahead) | _reached(seeds, back)
        shown = {box for each in reached for box in self.way_up(each)}
        edges = [e for e in self.edges if e.source in reached and e.target in reached]
        return Picture(tuple(node for node in self.nodes if node.path in shown), tuple(edges))


def picture_of(container: Any, focus: Any = None) -> Picture:
    """The graph of a container or of a container's class; nothing is called for it.

    Raises:
        UnknownProviderError: `focus` names no provider of the container.
    """
    drawing = _Drawing(container)
    picture = Picture(tuple(drawing.nodes()), tuple(drawing.edges()))
    if focus is None:
        return picture
    found = find(container, focus)
    if found not in drawing.paths:  # it only uses some of the container's
        raise UnknownProviderError(describing.stand_in_name(found), picture.by_path)
    return picture.focused(drawing.paths[found])


class _Drawing:
    """One look at a container; providers without a name are found on the way."""

    def __init__(self, container: Any) -> None:
        self._container = container
        self._named = graph.paths(container)
        self.paths = dict(self._named)
        self._owners: dict[Provider, Provider] = {}
        self._needs: dict[Provider, dict[Provider, tuple[str, ...]]] = {}
        self._stand_ins: dict[Provider, tuple[Provider, ...]] = {}
        waiting = deque(self.paths)
        while waiting:
            provider = waiting.popleft()
            waiting.extend(self._met(provider))

    def nodes(self) -> Iterator[Node]:
        boxes = {self._box(provider) for provider in self.paths}
        for provider, path in self.paths.items():
            choice = choice_at(self._container, path) if provider in self._named else None
            box = self._box(provider)
            yield Node(
                path=path,
                label=path[len(box) + 1 :] if box else path,
                lifetime=describing.lifetime_of(provider),
                target=describing.target_name(provider),
                kind=choice.kind if choice else "",
                box=box,
                is_async=graph.is_async(provider),
                is_overridden=bool(self._stand_ins[provider]),
                is_box=path in boxes,
            )

    def edges(self) -> Iterator[Edge]:
        for provider, path in self.paths.items():
            for other, arguments in self._needs[provider].items():
                yield Edge(path, self.paths[other], arguments)
            for other in self._stand_ins[provider]:
                yield Edge(path, self.paths[other], replaces=True)

    def _met(self, provider: Provider) -> Iterator[Provider]:
        """Those without a name that this one needs, now named after it."""
        self._needs[provider] = injections.needs(provider, self._named)
        self._stand_ins[provider] = (
            ()
            if describing.is_container(provider)
            else tuple(
                real
                for stand_in in injections.stand_ins(provider)
                for real in injections.behind(stand_in, self._named)
            )
        )
        owner = self.paths[provider]
        given = [(other, ", ".join(names)) for other, names in self._needs[provider].items()]
        for other, name in (*given, *((each, "override") for each in self._stand_ins[provider])):
            if other not in self.paths:
                path = f"{owner}({name or describing.lifetime_of(other)})"
                self.paths[other] = _free(path, self.paths.values())
                self._owners[other] = provider
                yield other

    def _box(self, provider: Provider) -> str:
        """The path of the container it stands in, or its owner stands in."""
        while provider in self._owners:
            provider = self._owners[provider]
        return self._parents.get(provider, "")

    @cached_property
    def _parents(self) -> dict[Provider, str]:
        found: dict[Provider, str] = {}
        for provider, path in self._named.items():
            for inner in describing.members_of(provider).values():
                if self._named.get(inner, "").startswith(f"{path}."):
                    found.setdefault(inner, path)
        return found


def _free(path: str, taken: Iterable[str]) -> str:
    known = set(taken)
    count, found = 1, path
    while found in known:
        count += 1
        found = f"{path}#{count}"
    return found


def _reached(seeds: list[str], edges: dict[str, list[str]]) -> set[str]:
    reached = set(seeds)
    waiting = list(seeds)
    while waiting:
        for other in edges.get(waiting.pop(), ()):
            if other not in reached:
                reached.add(other)
                waiting.append(other)
    return reached
