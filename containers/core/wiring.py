"""`inject`, and which wired container fills which parameter."""

import functools
import gc
import inspect
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import AsyncExitStack, ExitStack
from typing import Any, TypeVar, cast
from warnings import warn
from weakref import WeakSet

from dependency_injector import providers as di
from dependency_injector.wiring import DIWiringWarning

from containers.core.markers import Marked, Resolver, marked, place_of
from containers.core.providers import must_await, value_of
from containers.core.scopes import Scope
from containers.errors import WiringError

F = TypeVar("F", bound=Callable[..., Any])


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
        self._bound: tuple[int, list[tuple[Marked, Any, di.Provider[Any]]]] = (-1, [])

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
        """A sentence for each of those."""
        return [
            f"{place_of(self.function)}: '{parameter.name}' of {self.name} "
            f"asks for {parameter.marker!r}"
            for parameter in self.unfilled()
        ]

    def bound(self) -> list[tuple[Marked, Any, di.Provider[Any]]]:
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

    def open_parameters(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[Any]:
        """Those the caller did not give."""
        return [
            one
            for one in self.bound()
            if one[0].name not in kwargs and not 0 <= one[0].position < len(args)
        ]

    def refuse_async(self, marker: Marked) -> WiringError:
        """The error of an object that must be awaited, asked for by a plain function."""
        return WiringError(
            f"'{marker.name}' of {self.name} must be awaited",
            where=place_of(self.function),
            hint="Make the function `async def`.",
        )

    def _bind(self, parameter: Marked) -> tuple[Marked, Any, di.Provider[Any]]:
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


def inject(function: F) -> F:
    """Fill the parameters marked with `Provide[...]` when the function is called.

    Works on sync and async functions, generators, methods and classes (their `__init__`). The
    marked parameters are hidden from the signature; an argument given by the caller wins. With
    `Closing[...]` the call runs in a scope of its own, ended after the body.

    Raises:
        WiringError: An annotation that mentions a marker cannot be evaluated.
    """
    return cast("F", _inject(function, sys._getframe(1).f_locals))  # noqa: SLF001 - local classes in annotations


def _inject(function: Any, frame_locals: Mapping[str, Any]) -> Any:
    if isinstance(function, type):
        function.__init__ = _inject(function.__init__, frame_locals)  # type: ignore[misc]  # that is the request
        return function
    if isinstance(function, (classmethod, staticmethod)):
        return type(function)(_inject(function.__func__, frame_locals))
    parameters = marked(function, frame_locals)
    if not parameters:
        warn("@inject is not required here", DIWiringWarning, stacklevel=3)
        return function
    injection = Injection(function, parameters)
    _state.injections.add(injection)
    return _hide(_wrapper(injection), parameters)


def wire(container: Any, modules: frozenset[str] | None) -> None:
    """Let a container fill the injected functions of some modules, or of all.

    Raises:
        WiringError: With each parameter that no wired container can fill; nothing is wired then.
    """
    wired = Wired(container, modules)
    _state.wired.append(wired)
    _state.generation += 1
    problems = _missing(wired)
    if problems and gc.collect() >= 0:
        problems = _missing(wired)
    if problems:
        _state.wired.remove(wired)
        _state.generation += 1
        raise WiringError(
            f"{len(problems)} injected parameters cannot be filled:\n  " + "\n  ".join(problems),
            hint=f"\nKnown: {', '.join(sorted(container.providers))}, and what is in them.",
        )


def unwire(container: Any) -> None:
    """Take back every `wire` of a container; what was wired before fills the functions again."""
    _state.wired = [wired for wired in _state.wired if wired.container is not container]
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


def _wrapper(injection: Injection) -> Callable[..., Any]:
    function = injection.function
    if inspect.isasyncgenfunction(function):

        @functools.wraps(function)
        async def stream(*args: Any, **kwargs: Any) -> Any:
            async with AsyncExitStack() as stack:
                await _fill_async(injection, stack, args, kwargs)
                items = function(*args, **kwargs)
                step = anext(items)
                while True:
                    try:
                        item = await step
                    except StopAsyncIteration:
                        return
                    try:
                        step = items.asend((yield item))
                    except GeneratorExit:
                        await items.aclose()
                        raise
                    except BaseException as error:  # noqa: BLE001 - it is the function's to handle
                        step = items.athrow(error)

        return stream
    if inspect.iscoroutinefunction(function):

        @functools.wraps(function)
        async def call(*args: Any, **kwargs: Any) -> Any:
            async with AsyncExitStack() as stack:
                await _fill_async(injection, stack, args, kwargs)
                return await function(*args, **kwargs)

        return call
    return _sync_wrapper(injection)


def _sync_wrapper(injection: Injection) -> Callable[..., Any]:
    function = injection.function
    if inspect.isgeneratorfunction(function):

        @functools.wraps(function)
        def generate(*args: Any, **kwargs: Any) -> Any:
            with ExitStack() as stack:
                _fill(injection, stack, args, kwargs)
                return (yield from function(*args, **kwargs))

        return generate

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        with ExitStack() as stack:
            _fill(injection, stack, args, kwargs)
            return function(*args, **kwargs)

    return call


def _fill(
    injection: Injection, stack: ExitStack, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> None:
    wanted = injection.open_parameters(args, kwargs)
    for resource in _closed_resources(wanted):
        stack.callback(resource.shutdown)
    for container in _closed_containers(wanted):
        stack.enter_context(Scope(container, {}))
    for parameter, _, provider in wanted:
        if parameter.wants_provider:
            kwargs[parameter.name] = provider
            continue
        if must_await(provider):
            raise injection.refuse_async(parameter)
        kwargs[parameter.name] = provider()


async def _fill_async(
    injection: Injection, stack: AsyncExitStack, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> None:
    wanted = injection.open_parameters(args, kwargs)
    for resource in _closed_resources(wanted):
        stack.push_async_callback(_shut_down, resource)
    for container in _closed_containers(wanted):
        await stack.enter_async_context(Scope(container, {}))
    for parameter, _, provider in wanted:
        if parameter.wants_provider:
            kwargs[parameter.name] = provider
            continue
        kwargs[parameter.name] = await value_of(provider)


def _closed_resources(wanted: list[Any]) -> list[di.BaseResource[Any]]:
    """The plain resources that `Closing` ends after the body, dependencies first, each once."""
    reached = {
        resource
        for parameter, _, provider in wanted
        if parameter.closes
        for resource in (provider, *provider.traverse())
        if isinstance(resource, di.BaseResource)
    }
    return sorted(reached, key=lambda resource: sum(1 for _ in resource.traverse()))


def _closed_containers(wanted: list[Any]) -> list[Any]:
    """The containers of `Closing` parameters: each gets one scope, which all parameters share."""
    return list({id(one[1]): one[1] for one in wanted if one[0].closes}.values())


async def _shut_down(resource: di.BaseResource[Any]) -> None:
    ended = resource.shutdown()
    if inspect.isawaitable(ended):
        await ended


def _hide(wrapper: Any, parameters: tuple[Marked, ...]) -> Any:
    """Leave only the caller's own parameters in what frameworks look at."""
    hidden = {parameter.name for parameter in parameters}
    signature = inspect.signature(wrapper)
    wrapper.__signature__ = signature.replace(
        parameters=[one for name, one in signature.parameters.items() if name not in hidden]
    )
    wrapper.__annotations__ = {
        name: hint for name, hint in wrapper.__annotations__.items() if name not in hidden
    }
    return wrapper


def unresolved(container: Any) -> Iterator[tuple[str, str, Any]]:
    """Place, parameter and marker of what a wired container should fill, and nobody can."""
    covering = [wired for wired in _state.wired if wired.container is container]
    for injection in list(_state.injections):
        if any(wired.covers(injection.function.__module__) for wired in covering):
            for parameter in injection.unfilled():
                yield place_of(injection.function), parameter.name, parameter.marker
