"""Checking a container before anything is started: every fault at once, each with its path."""

import inspect
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from dependency_injector import providers as di

from containers.core import fitting, graph, layers, wiring
from containers.core.markers import is_marker
from containers.core.scoped import Scoped
from containers.errors import ValidationError


@dataclass(frozen=True, slots=True)
class Problem:
    """One fault of a container's declaration.

    Attributes:
        code: `cycle`, `captive`, `missing-argument`, `unexpected-argument`, `type-mismatch`,
            `unresolved-marker` or `unset-dependency`.
        path: Provider names from where the fault is reached to where it is.
        message: What is wrong and what to do.
    """

    code: str
    path: tuple[str, ...]
    message: str

    def __str__(self) -> str:
        return f"{self.code}: {' -> '.join(self.path)}: {self.message}"


def check(container: Any) -> None:
    """Look at the whole graph of providers without making anything.

    Raises:
        ValidationError: With everything that is wrong.
    """
    problems = tuple(dict.fromkeys(Inspection(container).problems()))
    if problems:
        raise ValidationError(problems)


class Inspection:
    """One look at a container's graph, as it stands with its overrides."""

    def __init__(self, container: Any) -> None:
        self._container = container
        self._names = graph.paths(container)

    def problems(self) -> Iterator[Problem]:
        """Everything that is wrong."""
        everything = [*self._names, *self._unnamed()]
        called = {
            other
            for provider in everything
            if not isinstance(provider, di.Aggregate)  # its caller gives the arguments
            for other in self._needs(provider)
        }
        yield from self._cycles(everything)
        for provider in everything:
            yield from self._captives(provider)
            yield from self._unset(provider)
            if _has_target(provider):
                yield from self._arguments(provider, is_called=provider in called)
        yield from self._markers()
        for provider in self._names:
            problems = getattr(type(provider), "problems", None)  # of type-keyed services
            if problems is not None:
                yield from problems(provider)

    def _unnamed(self) -> list[di.Provider[Any]]:
        """Providers that stand only inside others, in the order they are met."""
        seen = set(self._names)
        found: list[di.Provider[Any]] = []
        waiting = list(self._names)
        while waiting:
            for other in self._needs(waiting.pop()):
                if other not in seen:
                    seen.add(other)
                    found.append(other)
                    waiting.append(other)
        return found

    def _needs(self, provider: di.Provider[Any]) -> tuple[di.Provider[Any], ...]:
        """What a call of the provider calls now: what stands in for it, else its dependencies."""
        stand_in = layers.stand_in_of(provider)
        if stand_in is not None:
            return (stand_in,)
        if isinstance(provider, (di.Container, di.Self)) or not hasattr(provider, "related"):
            return ()
        return graph.dependencies(provider)

    def _name(self, provider: di.Provider[Any]) -> str:
        if provider in self._names:
            return self._names[provider]
        target = getattr(provider, "provides", None)
        return getattr(target, "__qualname__", None) or type(provider).__name__

    def _cycles(self, everything: list[di.Provider[Any]]) -> Iterator[Problem]:
        done: set[di.Provider[Any]] = set()
        for provider in everything:
            yield from self._cycles_from(provider, [], done)

    def _cycles_from(
        self,
        provider: di.Provider[Any],
        above: list[di.Provider[Any]],
        done: set[di.Provider[Any]],
    ) -> Iterator[Problem]:
        if provider in above:
            circle = [*above[above.index(provider) :], provider]
            path = tuple(self._name(one) for one in circle)
            hint = "break the circle, or inject one of them as `<provider>.provider`"
            yield Problem("cycle", path, f"'{path[0]}' needs itself; {hint}")
        elif provider not in done:
            above.append(provider)
            for other in self._needs(provider):
                yield from self._cycles_from(other, above, done)
            above.pop()
            done.add(provider)

    def _captives(self, provider: di.Provider[Any]) -> Iterator[Problem]:
        if not _lives_long(provider):
            return
        for chain in self._chains_to_scoped(provider, (provider,)):
            path = tuple(self._name(one) for one in chain)
            yield Problem(
                "captive",
                path,
                f"'{path[0]}' lives as long as the container and would keep scoped '{path[-1]}' "
                f"alive; make '{path[0]}' scoped, or inject the provider: `<provider>.provider`",
            )

    def _chains_to_scoped(
        self, provider: di.Provider[Any], chain: tuple[di.Provider[Any], ...]
    ) -> Iterator[tuple[di.Provider[Any], ...]]:
        for other in self._needs(provider):
            if getattr(type(other), "lives_in_scope", False):
                yield (*chain, other)
            elif other not in chain and not _lives_long(other):
                yield from self._chains_to_scoped(other, (*chain, other))

    def _unset(self, provider: di.Provider[Any]) -> Iterator[Problem]:
        is_unset = isinstance(provider, di.Dependency) and not provider.is_defined
        is_abstract = isinstance(
            provider, (di.AbstractFactory, di.AbstractSingleton, di.AbstractCallable)
        )
        if is_unset or (is_abstract and not self._is_replaced(provider)):
            hint = "give it when the container is made, or override it"
            yield Problem("unset-dependency", (self._name(provider),), f"nothing is set; {hint}")

    def _is_replaced(self, provider: di.Provider[Any]) -> bool:
        return layers.stand_in_of(provider) is not None

    def _arguments(self, provider: Any, *, is_called: bool) -> Iterator[Problem]:
        target = provider.provides
        if self._is_replaced(provider) or not callable(target) or isinstance(target, di.Provider):
            return
        try:
            parameters = inspect.signature(target).parameters
        except (TypeError, ValueError):
            named = dict(enumerate(provider.args, 1)) | provider.kwargs
            for name, value in named.items():
                if is_marker(value):
                    yield _unfilled(str(name), value, (self._name(provider),))
            return
        given, surplus = _assigned(provider, parameters)
        path = (self._name(provider),)
        for name in surplus:
            hint = f"it has {', '.join(parameters) or 'no parameters'}"
            message = f"{_called(target)} takes no argument {name}; {hint}"
            yield Problem("unexpected-argument", path, message)
        # a factory that nobody injects may be given the rest by its caller
        if is_called or isinstance(provider, (di.BaseSingleton, di.BaseResource, Scoped)):
            for name in _missing(parameters, given):
                message = f"{_called(target)} needs '{name}', and nothing is given for it"
                yield Problem("missing-argument", path, message)
        yield from self._types(target, given, path)

    def _types(
        self, target: Any, given: dict[str, Any], path: tuple[str, ...]
    ) -> Iterator[Problem]:
        hints = fitting.hints_of(target)
        for name, value in given.items():
            if is_marker(value):
                yield _unfilled(name, value, path)
                continue
            effective = self._effective(value)
            words = fitting.misfit(effective, hints[name]) if name in hints else ""
            if words:
                step = (self._name(value),) if isinstance(value, di.Provider) else ()
                yield Problem(
                    "type-mismatch", (*path, *step), f"'{name}' of {_called(target)} {words}"
                )

    def _effective(self, value: Any) -> Any:
        """What really comes: stand-ins and set dependencies are followed."""
        while isinstance(value, di.Provider):
            following = layers.stand_in_of(value)
            if following is None and isinstance(value, di.Dependency):
                following = value.default
            if following is None:
                return value
            value = following
        return value

    def _markers(self) -> Iterator[Problem]:
        for place, parameter, marker in wiring.unresolved(self._container):
            message = f"'{parameter}' asks for {marker!r}, which the container does not have"
            yield Problem("unresolved-marker", (place,), message)


def _has_target(provider: Any) -> bool:
    return isinstance(provider, (di.Factory, di.BaseSingleton, di.Callable, di.BaseResource))


def _lives_long(provider: di.Provider[Any]) -> bool:
    by_context = (di.ThreadLocalSingleton, di.ContextLocalSingleton, di.ContextLocalResource)
    return isinstance(provider, (di.BaseSingleton, di.BaseResource)) and not isinstance(
        provider, by_context
    )


def _assigned(provider: Any, parameters: Any) -> tuple[dict[str, Any], list[str]]:
    """Which parameter is given what, and what has no parameter."""
    kinds = inspect.Parameter
    positional = [
        name
        for name, one in parameters.items()
        if one.kind in {kinds.POSITIONAL_ONLY, kinds.POSITIONAL_OR_KEYWORD}
    ]
    given = dict(zip(positional, provider.args, strict=False))
    surplus: list[str] = []
    if len(provider.args) > len(positional) and not _accepts(parameters, kinds.VAR_POSITIONAL):
        surplus += [f"number {number + 1}" for number in range(len(positional), len(provider.args))]
    for name, value in provider.kwargs.items():
        known = name in parameters and parameters[name].kind is not kinds.POSITIONAL_ONLY
        if known:
            given[name] = value
        elif not _accepts(parameters, kinds.VAR_KEYWORD) and "__" not in name:
            surplus.append(f"'{name}'")
    return given, surplus


def _missing(parameters: Any, given: dict[str, Any]) -> list[str]:
    variable = {inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD}
    return [
        name
        for name, one in parameters.items()
        if one.default is one.empty and one.kind not in variable and name not in given
    ]


def _unfilled(name: str, marker: Any, path: tuple[str, ...]) -> Problem:
    message = f"'{name}' is given {marker!r}, which only `@inject` fills; give a provider"
    return Problem("unresolved-marker", path, message)


def _accepts(parameters: Any, kind: Any) -> bool:
    return any(one.kind is kind for one in parameters.values())


def _called(target: Any) -> str:
    return getattr(target, "__qualname__", None) or repr(target)
