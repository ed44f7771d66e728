"""The written out resolution and the awaiting one do the same, in the same order."""

import asyncio
import inspect
from dataclasses import dataclass
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from containers import DIContainer, ServiceLifetime

Log = list[str]


@dataclass(frozen=True)
class Node:
    needs: tuple[int, ...]
    lifetime: ServiceLifetime


@st.composite
def graphs(draw: st.DrawFn) -> tuple[Node, ...]:
    """Nodes on earlier ones; what would keep something scoped is not drawn as a singleton."""
    nodes: list[Node] = []
    keeping: set[int] = set()
    for number in range(draw(st.integers(2, 7))):
        earlier = st.lists(st.integers(0, max(number - 1, 0)), max_size=3 if number else 0)
        needs = tuple(draw(earlier))
        lifetime = draw(st.sampled_from(ServiceLifetime))
        if lifetime is ServiceLifetime.SINGLETON and keeping & {*needs}:
            lifetime = ServiceLifetime.SCOPED
        if lifetime is ServiceLifetime.SCOPED or keeping & {*needs}:
            keeping.add(number)
        nodes.append(Node(needs, lifetime))
    return tuple(nodes)


def made_class(number: int, needs: list[Any], log: Log) -> Any:
    """A class whose constructor is annotated with what it needs."""

    def init(self: Any, *args: Any, **named: Any) -> None:
        self.parts = [*args, *named.values()]
        log.append(f"made {number} of {[part.number for part in self.parts]}")

    names = [f"part_{place}" for place in range(len(needs))]
    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    parameters = [inspect.Parameter(name, kind) for name in ("self", *names)]
    init.__dict__["__signature__"] = inspect.Signature(parameters)
    init.__annotations__ = dict(zip(names, needs, strict=True))
    close = {"close": lambda self: log.append(f"closed {self.number}")} if number % 3 else {}
    return type(f"Node{number}", (), {"__init__": init, "number": number, **close})


def registered(graph: tuple[Node, ...], log: Log, *, is_async: bool) -> tuple[DIContainer, Any]:
    """The graph; its first node is made by a function, which may have to be awaited."""
    services, classes = DIContainer(), list[Any]()
    for number, node in enumerate(graph):
        classes.append(made_class(number, [classes[one] for one in node.needs], log))
    first = classes[0]

    async def awaited() -> Any:
        return first()

    services.register_factory(first, awaited if is_async else first, graph[0].lifetime)
    for cls, node in zip(classes[1:], graph[1:], strict=True):
        services.register_factory(cls, cls, node.lifetime)
    return services.build(), classes


def plain(graph: tuple[Node, ...]) -> Log:
    log: Log = []
    services, classes = registered(graph, log, is_async=False)
    with services:
        for _ in range(2):
            with services.create_scope() as scope:
                for cls in reversed(classes):
                    scope.resolve(cls)
                with scope.create_scope() as inner:
                    inner.resolve(classes[-1])
    return log


async def awaiting(graph: tuple[Node, ...]) -> Log:
    log: Log = []
    services, classes = registered(graph, log, is_async=True)
    async with services:
        for _ in range(2):
            async with services.create_scope() as scope:
                for cls in reversed(classes):
                    await scope.aresolve(cls)
                async with scope.create_scope() as inner:
                    await inner.aresolve(classes[-1])
    return log


@given(graphs())
def test_both_make_and_end_the_same_in_the_same_order(graph):
    assert plain(graph) == asyncio.run(awaiting(graph))
