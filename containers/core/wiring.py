"""Which wired container fills which parameter of which injected function."""

import gc
import inspect
from collections.abc import Callable, Iterator
from typing import Any
from weakref import WeakSet

from dependency_injector import providers as di

from containers.core import graph, ledger, scopes
from containers.core.markers import Marked, Resolver, place_of
from containers.errors import WiringError
from infrastructure.errors import did_you_mean

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
        #: Whether several containers could fill a parameter; the one of the scope does.
        self.is_contested = False
        self._bound: tuple[int, dict[Any, list[Binding]]] = (-1, {})

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
            f"{_suggestion(self.function.__module__, parameter.marker)}"
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
        bound = self._bound
        if bound[0] != _state.generation:
            generation = _state.generation
            candidates = _candidates(self.function.__module__)
            self.is_contested = any(_rivals(candidates, one.marker) for one in self.parameters)
            bound = self._bound = (generation, {})
        here = _container_here() if self.is_contested else None
        found = bound[1].get(here)
        if found is None:
            found = bound[1][here] = [self._bind(one, here) for one in self.parameters]
        return found

    def forget(self) -> None:
        """Let go of the containers."""
        self._bound = (-1, {})
        self.drop()

    def drop(self) -> None:
        """Go back to the uncompiled path, which asks every provider."""

    def _bind(self, parameter: Marked, here: Any) -> Binding:
        candidates = _candidates(self.function.__module__, here)
        found = _first(candidates, parameter.marker)
        if found is None:
            state = "no container is wired" if not candidates else "no wired container has it"
            raise WiringError(
                f"'{parameter.name}' of {self.name} asks for {parameter.marker!r}, and {state}",
                where=place_of(self.function),
                hint="Call container.wire() before the function is called.",
            )
        return parameter, found[0], found[1]


def _suggestion(module: str, marker: Any) -> str:
    """What a marker may have meant, among what the containers have that cover the module."""
    known = {path for one in _candidates(module) for path, _ in graph.walk(one.container)}
    found = did_you_mean(marker.provider, known).rstrip()
    return f" ({found[0].lower()}{found[1:]})" if found else ""


class _State:
    """All wiring of the process, the latest last, and every injected function that is alive."""

    def __init__(self) -> None:
        self.wired: list[Wired] = []
        self.injections: WeakSet[Injection] = WeakSet()
        self.generation = 0


_state = _State()


def wire(container: Any, modules: frozenset[str] | None) -> Wired:
    """Let a container fill the injected functions of some modules, or of all.

    Returns:
        What `take_back` takes back.

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
        counted = "1 injected parameter" if len(problems) == 1 else f"{len(problems)} parameters"
        known = sorted(name for name, _ in graph.walk(container) if "." not in name)
        raise WiringError(
            f"{counted} cannot be filled:\n  "
            + "\n  ".join(problems)
            + f"\nKnown: {', '.join(known)}, and what is in them",
        )
    return wired


def take_back(wired: Wired) -> None:
    """Take back one `wire`; others of the same container stay."""
    _state.wired = [other for other in _state.wired if other is not wired]
    _changed()


def unwire(container: Any) -> None:
    """Take back every `wire` of a container; what was wired before fills the functions again."""
    _state.wired = [wired for wired in _state.wired if wired.container is not container]
    _changed()


def register(injection: Injection) -> None:
    """Have every `wire()` from now on consider the function, as long as it is alive."""
    _state.injections.add(injection)


def _changed() -> None:
    _state.generation += 1
    ledger.changed(())  # what is being compiled now was told by the old wiring
    for injection in list(_state.injections):
        injection.forget()


def _missing(wired: Wired) -> list[str]:
    return [
        problem
        for injection in list(_state.injections)
        if wired.covers(injection.function.__module__)
        for problem in injection.missing()
    ]


def _candidates(module: str, here: Any = None) -> list[Wired]:
    """Who may fill functions of a module: named modules before all, the latest wiring first.

    Of those that cover every module, the container of the scope comes first.
    """
    latest_first = [wired for wired in reversed(_state.wired) if wired.covers(module)]
    return sorted(latest_first, key=lambda one: (one.modules is None, one.container is not here))


def _rivals(candidates: list[Wired], marker: Any) -> bool:
    able = [wired for wired in candidates if wired.resolver.resolve(marker) is not None]
    is_bare = bool(able) and able[0].modules is None
    return is_bare and len({id(wired.container) for wired in able}) > 1


def _container_here() -> Any:
    """The container of the innermost open scope whose container covers every module."""
    bare = [wired.container for wired in _state.wired if wired.modules is None]
    scope = scopes.current_scope()
    while scope is not None:
        if scope.is_open and any(scope.container is one for one in bare):
            return scope.container
        scope = scope.parent
    return None


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
