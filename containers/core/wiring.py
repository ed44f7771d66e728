"""Which wired container fills which parameter of which injected function."""

import gc
import inspect
from collections.abc import Callable, Iterator
from typing import Any
from weakref import WeakSet

from dependency_injector import providers as di

from containers.core import graph
from containers.core.markers import Marked, Resolver, place_of
from containers.errors import WiringError

#: A parameter, the container that fills it, and the provider that does.
Binding = tuple[Marked, Any, di.Provider[Any]]


class Wired:
    """One call of `wire()`: a container, and the modules it covers; None covers every function."""

    def __init__(self, container: Any, modules: frozenset[str] | None) -> None:
        self.container = container
        self.modules = modules
        self.resolver = Resolver(container)

    def covers(self, module: str) -> bool:
        """Whether functions of that module ask this container."""
        return self.modules is None or module in self.modules


class Injection:
    """The injected parameters of one function, bound anew whenever the wiring changes."""

    def __init__(self, function: Callable[..., Any], parameters: tuple[Marked, ...]) -> None:
        self.function = function
        self.name: str = getattr(function, "__qualname__", repr(function))
        self.parameters = parameters
        self.was_filled = False
        self._bound: tuple[int, list[Binding]] = (-1, [])

    def unfilled(self) -> list[Marked]:
        """The parameters no wired container can fill, though one should."""
        candidates = _candidates(self.function.__module__)
        return [
            parameter
            for parameter in self.parameters
            if isinstance(parameter.marker.provider, str)
            and _first(candidates, parameter.marker) is None
        ]

    def missing(self) -> list[str]:
        """A sentence for each of those, and for what a plain function cannot be given.

        A function that was filled before, and whose container is gone, is not a fault of the
        wiring that comes: it may belong to another application.
        """
        place = place_of(self.function)
        missing = [
            f"{place}: '{parameter.name}' of {self.name} asks for {parameter.marker!r}"
            for parameter in self.unfilled()
        ]
        self.was_filled = self.was_filled or not missing
        if self.was_filled and missing:
            return []
        return missing + [str(self.refuse_async(name)) for name in self._must_be_awaited()]

    def refuse_async(self, parameter: str) -> WiringError:
        """The error of an object that must be awaited, asked for by a plain function."""
        return WiringError(
            f"'{parameter}' of {self.name} must be awaited",
            where=place_of(self.function),
            hint="Make the function `async def`.",
        )

    def _must_be_awaited(self) -> list[str]:
        """The parameters of a plain function whose objects must be awaited."""
        function = self.function
        if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
            return []
        candidates = _candidates(function.__module__)
        found = [(one, _first(candidates, one.marker)) for one in self.parameters]
        return [
            one.name
            for one, filled in found
            if filled is not None and not one.wants_provider and graph.must_await(filled[1])
        ]

    def bound(self) -> list[Binding]:
        """Each parameter with the container and the provider that fill it.

        Raises:
            WiringError: No wired container can fill one of them.
        """
        if self._bound[0] != _state.generation:
            self._bound = (_state.generation, [self._bind(one) for one in self.parameters])
        return self._bound[1]

    def forget(self) -> None:
        """Let go of the containers."""
        self._bound = (-1, [])
        self.drop()

    def drop(self) -> None:
        """Go back to the uncompiled path, which asks every provider."""

    def _bind(self, parameter: Marked) -> Binding:
        candidates = _candidates(self.function.__module__)
        found = _first(candidates, parameter.marker)
        if found is None:
            state = "no container is wired" if not candidates else "no wired container has it"
            raise WiringError(
                f"'{parameter.name}' of {self.name} asks for {parameter.marker!r}, and {state}",
                where=place_of(self.function),
                hint="Call container.wire() before the function is called.",
            )
        return parameter, found[0], found[1]


class _State:
    """All wiring of the process, the latest last, and every injected function that is alive."""

    def __init__(self) -> None:
        self.wired: list[Wired] = []
        self.injections: WeakSet[Injection] = WeakSet()
        self.generation = 0


_state = _State()


def wire(container: Any, modules: frozenset[str] | None) -> None:
    """Let a container fill the injected functions of some modules, or of all.

    Raises:
        WiringError: With each parameter that no wired container can fill; nothing is wired then.
    """
    wired = Wired(container, modules)
    _state.wired.append(wired)
    _changed()
    problems = _missing(wired)
    if problems and gc.collect() >= 0:
        problems = _missing(wired)
    if problems:
        _state.wired.remove(wired)
        _changed()
        raise WiringError(
            f"{len(problems)} injected parameters cannot be filled:\n  " + "\n  ".join(problems),
            hint=f"\nKnown: {', '.join(sorted(container.providers))}, and what is in them.",
        )


def unwire(container: Any) -> None:
    """Take back every `wire` of a container; what was wired before fills the functions again."""
    _state.wired = [wired for wired in _state.wired if wired.container is not container]
    _changed()


def register(injection: Injection) -> None:
    """Have every `wire()` from now on consider the function, as long as it is alive."""
    _state.injections.add(injection)


def _changed() -> None:
    _state.generation += 1
    for injection in list(_state.injections):
        injection.forget()


def _missing(wired: Wired) -> list[str]:
    return [
        problem
        for injection in list(_state.injections)
        if wired.covers(injection.function.__module__)
        for problem in injection.missing()
    ]


def _candidates(module: str) -> list[Wired]:
    """Who may fill functions of a module: named modules before all, the latest wiring first."""
    latest_first = [wired for wired in reversed(_state.wired) if wired.covers(module)]
    return sorted(latest_first, key=lambda wired: wired.modules is None)


def _first(candidates: list[Wired], marker: Any) -> tuple[Any, di.Provider[Any]] | None:
    for wired in candidates:
        provider = wired.resolver.resolve(marker)
        if provider is not None:
            return wired.container, provider
    return None


def unresolved(container: Any) -> Iterator[tuple[str, str, Any]]:
    """Place, parameter and marker of what a wired container should fill, and nobody can."""
    covering = [wired for wired in _state.wired if wired.container is container]
    for injection in list(_state.injections):
        if any(wired.covers(injection.function.__module__) for wired in covering):
            for parameter in () if injection.was_filled else injection.unfilled():
                yield place_of(injection.function), parameter.name, parameter.marker
