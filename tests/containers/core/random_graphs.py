"""Random graphs of providers, and a world that runs them and notes what happens.

Two worlds with the same graph and the same steps must tell the same story, though one of them
never answers by a compiled plan.
"""

import asyncio
import inspect
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any

from dependency_injector import providers as plain

from containers import DeclarativeContainer, providers

#: Kinds whose targets are given only what needs no waiting.
IMPATIENT = {"callable", "coroutine_callable", "plain", "list", "plain_singleton"}
KINDS = (
    "object", "callable", "coroutine_callable", "plain", "list", "plain_singleton",
    "factory", "coroutine", "singleton", "async_singleton",
    "scoped", "scoped_function", "scoped_coroutine", "scoped_generator",
    "scoped_async_generator", "scoped_context", "scoped_async_context",
)  # fmt: skip
ASYNC = {
    "coroutine_callable", "coroutine", "async_singleton",
    "scoped_coroutine", "scoped_async_generator", "scoped_async_context",
}  # fmt: skip
#: Kinds whose target gives the object itself; attributes are for those.
PLAIN = {"plain", "plain_singleton", "factory", "singleton", "scoped", "scoped_function"}
WAYS = ("direct", "direct", "handed", "factory", "singleton", "scoped", "part")


class BoomError(Exception):
    """What constructors and bodies fail with."""


@dataclass(frozen=True)
class Need:
    """One dependency: which node, and how it is asked for."""

    node: int
    way: str


@dataclass(frozen=True)
class Declared:
    """One node of a graph."""

    kind: str
    args: tuple[Need, ...] = ()
    named: tuple[Need, ...] = ()
    attributes: tuple[Need, ...] = ()


class Node:
    """An object that knows what it was made of."""

    label: str
    number: int
    given: tuple[Any, ...]


class World:
    """A container made of a declared graph, and the log of what was made and ended in it."""

    def __init__(self, graph: list[Declared], inner: set[int], *, compiles: bool) -> None:
        self.log: list[str] = []
        self.failing: set[str] = set()
        self.compiles = compiles
        self.kinds = [declared.kind for declared in graph]
        self.is_async: list[bool] = []
        self.scopes: list[tuple[Any, bool]] = []
        self.overrides: list[Any] = []
        self._made = 0
        self._shown: set[int] = set()
        self._build(graph, inner)
        self._extra: list[Any] = []
        self.pin()

    def pin(self) -> None:
        """Have the readable path answer for every provider, if this world does not compile."""
        roots = [*self.container.providers.values(), *self._extra]
        for provider in {one for root in roots for one in (root, *root.traverse())}:
            if not self.compiles and hasattr(type(provider), "answer_by"):
                provider.answer_by(provider.uncompiled)

    def _build(self, graph: list[Declared], inner: set[int]) -> None:
        outer_parts: dict[str, Any] = {}
        inner_parts: dict[str, Any] = {}
        nodes: list[Any] = []
        given: dict[str, Any] = {}
        first = min(inner, default=len(graph))
        for place, declared in enumerate(graph):
            at, sub = f"n{place}", None
            known = list(nodes)
            if place in inner:
                for other in range(first):
                    known[other] = inner_parts.setdefault(f"d{other}", plain.Dependency())
                    given[f"d{other}"] = nodes[other]
            elif place > first:
                if "sub" not in outer_parts:
                    sub_class = type("Sub", (DeclarativeContainer,), dict(inner_parts))
                    outer_parts["sub"] = plain.Container(sub_class, **given)
                sub = outer_parts["sub"]
                for other in inner:
                    known[other] = getattr(sub, f"n{other}")
            made = self.provider(at, declared, known)
            nodes.append(made)
            (inner_parts if place in inner else outer_parts)[at] = made
        if inner and "sub" not in outer_parts:
            sub_class = type("Sub", (DeclarativeContainer,), dict(inner_parts))
            outer_parts["sub"] = plain.Container(sub_class, **given)
        self.container = type("Outer", (DeclarativeContainer,), outer_parts)()
        self.nodes = [
            getattr(self.container.sub if place in inner else self.container, f"n{place}")
            for place in range(len(graph))
        ]

    def provider(self, label: str, declared: Declared, known: list[Any]) -> Any:
        """The provider of a node; `known` are those it may depend on."""
        patient = declared.kind not in IMPATIENT
        awaits = declared.kind in ASYNC

        def asked(need: Need, place: str) -> Any:
            nonlocal awaits
            way, node = need.way, need.node % len(known)
            if self.is_async[node] and way != "handed":
                if not patient:
                    return node
                awaits = True
                way = "direct" if way == "part" else way
            return self._asked(f"{label}_{place}", known[node], way)

        made = self._bare(label, declared.kind)
        if known and declared.kind != "object":
            made.add_args(*(asked(need, f"a{i}") for i, need in enumerate(declared.args)))
            if hasattr(made, "add_kwargs"):
                named = {f"k{i}": asked(need, f"k{i}") for i, need in enumerate(declared.named)}
                made.add_kwargs(**named)
            if declared.kind in PLAIN:
                attributes = enumerate(declared.attributes)
                made.add_attributes(**{f"x{i}": asked(need, f"x{i}") for i, need in attributes})
        if label == f"n{len(self.is_async)}":
            self.is_async.append(awaits)
        return made

    def _asked(self, label: str, provider: Any, way: str) -> Any:
        nested = {
            "factory": providers.Factory,
            "singleton": providers.Singleton,
            "scoped": providers.Scoped,
        }
        if way in nested:
            return nested[way](self._class(label), provider)
        if way == "handed":
            return provider.provider
        return provider.provided.number if way == "part" else provider

    def _bare(self, label: str, kind: str) -> Any:
        make, generate = self._function(label), self._generator(label)
        wait, stream = self._coroutine(label), self._stream(label)
        bare: dict[str, Callable[[], Any]] = {
            "object": lambda: providers.Object(self.made(label, ())),
            "callable": lambda: providers.Callable(make),
            "coroutine_callable": lambda: providers.Callable(wait),
            "plain": lambda: plain.Factory(make),
            "list": plain.List,
            "plain_singleton": lambda: plain.Singleton(make),
            "factory": lambda: providers.Factory(self._class(label)),
            "coroutine": lambda: providers.Factory(wait),
            "singleton": lambda: providers.Singleton(self._class(label)),
            "async_singleton": lambda: providers.Singleton(wait),
            "scoped": lambda: providers.Scoped(self._class(label)),
            "scoped_function": lambda: providers.Scoped(make),
            "scoped_coroutine": lambda: providers.Scoped(wait),
            "scoped_generator": lambda: providers.Scoped(generate),
            "scoped_async_generator": lambda: providers.Scoped(stream),
            "scoped_context": lambda: providers.Scoped(contextmanager(generate)),
            "scoped_async_context": lambda: providers.Scoped(asynccontextmanager(stream)),
        }
        return bare[kind]()

    def made(self, label: str, given: tuple[Any, ...], node: Any = None) -> Any:
        """Note that an object is made, or that making it fails."""
        if label in self.failing:
            self.log.append(f"fail {label}")
            raise BoomError(label)
        node = Node() if node is None else node
        self._made += 1
        node.label, node.number, node.given = label, self._made, given
        self.log.append(f"make {label} {node.number} of {[self.told(one) for one in given]}")
        return node

    def ended(self, label: str, error: BaseException | None) -> None:
        self.log.append(f"end {label} {type(error).__name__}")
        if f"end {label}" in self.failing:
            raise BoomError(f"end {label}")

    def _class(self, label: str) -> type:
        world = self

        class Made(Node):
            def __init__(self, *args: Any, **kwargs: Any) -> None:
                world.made(label, (*args, *kwargs.items()), self)

        Made.__name__ = label
        return Made

    def _function(self, label: str) -> Callable[..., Any]:
        def make(*args: Any, **kwargs: Any) -> Any:
            return self.made(label, (*args, *kwargs.items()))

        return make

    def _coroutine(self, label: str) -> Callable[..., Any]:
        async def make(*args: Any, **kwargs: Any) -> Any:
            await asyncio.sleep(0)
            return self.made(label, (*args, *kwargs.items()))

        return make

    def _generator(self, label: str) -> Callable[..., Any]:
        def make(*args: Any, **kwargs: Any) -> Iterator[Any]:
            node = self.made(label, (*args, *kwargs.items()))
            try:
                yield node
            except BaseException as error:
                self.ended(label, error)
                raise
            self.ended(label, None)

        return make

    def _stream(self, label: str) -> Callable[..., Any]:
        async def make(*args: Any, **kwargs: Any) -> AsyncIterator[Any]:
            await asyncio.sleep(0)
            node = self.made(label, (*args, *kwargs.items()))
            try:
                yield node
            except BaseException as error:
                await asyncio.sleep(0)
                self.ended(label, error)
                raise
            self.ended(label, None)

        return make

    def told(self, value: Any) -> str:
        """A value in words that are the same in every world."""
        if isinstance(value, Node):
            extra = {name: one for name, one in vars(value).items() if name.startswith("x")}
            told = {name: self.told(one) for name, one in extra.items()}
            return f"{value.label}#{value.number}{told or ''}"
        if isinstance(value, (list, tuple)):
            return f"[{', '.join(map(self.told, value))}]"
        return "a provider" if isinstance(value, plain.Provider) else repr(value)

    async def do(self, step: tuple[Any, ...]) -> None:
        """Take one step, and note what came of it."""
        try:
            outcome = await getattr(self, step[0])(*step[1:])
        except BaseException as error:  # noqa: BLE001 - what is raised is part of the story
            outcome = _failure(error)
        self.log.append(f"{step}: {outcome}")
        self.pin()

    async def call_all(self) -> None:
        """Twice, dependants first: the second call of what was changed is the one that compiles."""
        for place in reversed(range(2 * len(self.nodes))):
            await self.do(("call", place))

    async def call(self, place: int) -> str:
        value = self.nodes[place % len(self.nodes)]()
        return self.told(await value if inspect.isawaitable(value) else value)

    async def call_with(self, place: int) -> str:
        value = self.nodes[place % len(self.nodes)]("more", k0="named")
        return self.told(await value if inspect.isawaitable(value) else value)

    async def open_scope(self, is_async: bool, is_inner: bool) -> None:
        container = self.container
        container = container.sub if is_inner and "sub" in container.providers else container
        scope = container.scope()
        await scope.__aenter__() if is_async else scope.__enter__()
        self.scopes.append((scope, is_async))

    async def close_scope(self, error: type[BaseException] | None) -> None:
        if not self.scopes:
            return
        scope, is_async = self.scopes.pop()
        raised = error() if error else None
        self.log.append(f"close {error}")
        if is_async:
            await scope.__aexit__(error, raised, None)
        else:
            scope.__exit__(error, raised, None)

    async def replace(self, place: int, kind: str, need: Need, isolated: bool) -> None:
        place %= len(self.nodes)
        stand_in = self._stand_in(place, kind, need)
        replaced = {self.nodes[place]: stand_in}
        self.overrides.append(self.container.override(replaced, isolated=isolated))

    async def undo(self, which: int) -> None:
        if self.overrides:
            self.overrides.pop(which % len(self.overrides)).undo()

    async def override(self, place: int, kind: str, need: Need) -> None:
        place %= len(self.nodes)
        self.nodes[place].override(self._stand_in(place, kind, need))

    async def reset_last(self, place: int) -> None:
        self.nodes[place % len(self.nodes)].reset_last_overriding()

    async def reset_override(self, place: int) -> None:
        self.nodes[place % len(self.nodes)].reset_override()

    async def reset(self, place: int) -> None:
        self.nodes[place % len(self.nodes)].reset()

    async def set_named(self, place: int, value: Any) -> None:
        self.nodes[place % len(self.nodes)].add_kwargs(k9=value)

    async def add_need(self, place: int, need: Need) -> None:
        place %= len(self.nodes)
        earlier = [one for one in range(place) if not self.is_async[one]]
        if earlier:
            self.nodes[place].add_args(self.nodes[earlier[need.node % len(earlier)]])

    async def clear_args(self, place: int) -> None:
        self.nodes[place % len(self.nodes)].clear_args()

    async def set_attribute(self, place: int, value: Any) -> None:
        place %= len(self.nodes)
        if self.kinds[place] in PLAIN:
            self.nodes[place].add_attributes(x9=value)

    async def fail(self, place: int, at_end: bool) -> None:
        """Constructors or endings of a node fail from now on; said twice, no more."""
        place %= len(self.nodes)
        self.failing ^= {f"end n{place}" if at_end else f"n{place}"}

    def _stand_in(self, place: int, kind: str, need: Need) -> Any:
        earlier = [node for node, waits in zip(self.nodes[:place], self.is_async, strict=False)
                   if not waits]  # fmt: skip
        label = f"s{len(self._extra)}"
        stand_in = self._bare(label, kind)
        if earlier and kind != "object":
            way = "direct" if need.way == "part" else need.way
            stand_in.add_args(self._asked(f"{label}_a", earlier[need.node % len(earlier)], way))
        self._extra.append(stand_in)
        self.pin()
        return stand_in

    async def finish(self) -> None:
        while self.scopes:
            await self.do(("close_scope", None))
        while self.overrides:
            await self.do(("undo", -1))


def _failure(error: BaseException) -> str:
    """The kinds of what was raised; in a group of each."""
    if isinstance(error, BaseExceptionGroup):
        return f"{type(error).__name__}{[_failure(one) for one in error.exceptions]}"
    return f"{type(error).__name__} of {type(error.__cause__).__name__}"
