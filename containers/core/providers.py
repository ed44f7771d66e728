"""Our providers: dependency-injector's, with override layers, static async and scopes.

This is the uncompiled reference path: every object is made by one readable call.
"""

import inspect
from collections import abc
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from threading import RLock
from typing import TYPE_CHECKING, Any, Self, TypeVar, cast, overload

from dependency_injector import providers as di

from containers.core import graph, layers, scopes
from containers.core.targets import Target, target_of
from infrastructure.resilience import SingleFlight

T = TypeVar("T")

_NOTHING = object()


class Layered(di.Provider[T]):
    """A provider whose calls go through the active override layers.

    Attributes:
        port: What dependants expect, where the target does not tell; overrides are held to it.
    """

    port: type | None = None
    _async: bool | None = None

    if TYPE_CHECKING:  # dependency-injector's stubs leave it out

        def _provide(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any: ...

    def __deepcopy__(self, memo: dict[Any, Any] | None = None) -> Self:
        copied = cast("Self", super().__deepcopy__(memo))
        copied.port = self.port
        return copied

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """The object, or an awaitable of it where making it must be awaited."""
        stand_in = layers.replacement_of(self) or self.last_overriding
        if stand_in is not None:
            result = stand_in(*args, **kwargs)
            return _awaited(result) if self.is_async() else result
        return self._resolve(args, kwargs)

    def is_async(self) -> bool:
        """Whether a call gives an awaitable; told from the declared graph, kept once known."""
        if self._async is None:
            self._async = graph.is_async(self)
            if not self._async:
                self.disable_async_mode()  # or each value is asked whether it is a future
        return self._async

    def _resolve(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        return self._provide(args, kwargs)


class Object(Layered[T], di.Object[T]):
    """Gives the object it was made with."""


class Callable(Layered[T], di.Callable[T]):
    """Calls its target each time."""


class Factory(Layered[T], di.Factory[T]):
    """Makes a new object each time."""

    def _resolve(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if self.is_async():
            return make_async(self, args, kwargs)
        return self._provide(args, kwargs)


class Singleton(Layered[T], di.Singleton[T]):
    """Makes one object, once, under any number of threads and tasks; None is an object too."""

    def __init__(
        self, provides: abc.Callable[..., T] | str | None = None, /, *args: Any, **kwargs: Any
    ) -> None:
        super().__init__(provides, *args, **kwargs)
        self._own: dict[Any, Any] = {}
        self._lock = RLock()
        self._flight: SingleFlight[Any] = SingleFlight()

    def reset(self) -> Any:
        """Forget the object, so that the next call makes a new one."""
        cells, key = self._cell()
        cells.pop(key, None)
        return super().reset()

    def built(self) -> tuple[Any, ...]:
        """The object made so far, alone in a tuple, or an empty tuple."""
        stand_in = layers.replacement_of(self)
        if isinstance(stand_in, Singleton):
            return stand_in.built()
        cells, key = self._cell()
        found = cells.get(key, _NOTHING)
        return () if found is _NOTHING else (found,)

    def _cell(self) -> tuple[abc.MutableMapping[Any, Any], Any]:
        """Where the object is kept here: touched ones in the innermost layer touching them."""
        touching = layers.touching(self)
        return (touching[-1].cells if touching else self._own), (self, touching)

    def _resolve(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if self.is_async():
            return self._resolve_async(args, kwargs)
        cells, key = self._cell()
        found = cells.get(key, _NOTHING)
        if found is _NOTHING:
            with self._lock:
                found = cells.get(key, _NOTHING)
                if found is _NOTHING:
                    found = self._keep(_blueprint(self)(*args, **kwargs), cells, key)
        return found

    async def _resolve_async(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        cells, key = self._cell()

        async def make() -> Any:
            return self._keep(await make_async(self, args, kwargs), cells, key)

        found = cells.get(key, _NOTHING)
        return await self._flight.do(key, make) if found is _NOTHING else found

    def _keep(self, made: Any, cells: abc.MutableMapping[Any, Any], key: Any) -> Any:
        """Keep the object, unless overrides changed meanwhile: it may be made of both worlds.

        Where another event loop was faster, its object is the one.
        """
        return cells.setdefault(key, made) if self._cell()[1] == key else made


class Managed(Singleton[T]):
    """One object with a life: the container starts it, and ends it.

    The object has `async connect()` and `disconnect()`, or `start()` and `stop()`, async or not.
    The keywords `start_timeout` and `stop_timeout`, in seconds, bound those steps; each goes to
    the target instead where its signature has a parameter of that name.
    """

    start_timeout: float = 60.0
    stop_timeout: float = 15.0

    def __init__(
        self, provides: abc.Callable[..., T] | str | None = None, /, *args: Any, **kwargs: Any
    ) -> None:
        super().__init__(provides, *args, **kwargs)
        for name in _own_keywords(self.provides, kwargs):
            setattr(self, name, float(kwargs.pop(name)))
        self.set_kwargs(**kwargs)

    def __deepcopy__(self, memo: dict[Any, Any] | None = None) -> Self:
        copied = super().__deepcopy__(memo)
        copied.start_timeout, copied.stop_timeout = self.start_timeout, self.stop_timeout
        return copied


class Scoped(Layered[T], di.Factory[T]):
    """One object in each scope, ended with it.

    The target is a class, a function, a coroutine function, a (async) generator function whose
    code after `yield` ends the object, or a factory of (async) context managers.

    Raises (on a call):
        NoActiveScopeError: There is no open scope of this provider's container.
    """

    enters_contexts = True

    if TYPE_CHECKING:  # what a call gives, by the kind of target

        @overload
        def __init__(
            self, provides: abc.Callable[..., abc.AsyncIterator[T]], /, *args: Any, **kwargs: Any
        ) -> None: ...
        @overload
        def __init__(
            self, provides: abc.Callable[..., abc.Iterator[T]], /, *args: Any, **kwargs: Any
        ) -> None: ...
        @overload
        def __init__(
            self,
            provides: abc.Callable[..., AbstractAsyncContextManager[T]],
            /,
            *args: Any,
            **kwargs: Any,
        ) -> None: ...
        @overload
        def __init__(
            self,
            provides: abc.Callable[..., AbstractContextManager[T]],
            /,
            *args: Any,
            **kwargs: Any,
        ) -> None: ...
        @overload
        def __init__(
            self,
            provides: abc.Callable[..., abc.Coroutine[Any, Any, T]],
            /,
            *args: Any,
            **kwargs: Any,
        ) -> None: ...
        @overload
        def __init__(
            self, provides: abc.Callable[..., T], /, *args: Any, **kwargs: Any
        ) -> None: ...
        @overload
        def __init__(self, provides: str | None = None, /, *args: Any, **kwargs: Any) -> None: ...
        def __init__(self, provides: Any = None, /, *args: Any, **kwargs: Any) -> None: ...

    def _resolve(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        scope = scopes.scope_of(self)
        key = (self, layers.touching(self))
        kind = target_of(self.provides)
        if self.is_async():
            return scope.enter_async(key, kind, lambda: make_async(self, args, kwargs, kind))
        return scope.enter(key, kind, lambda: self._provide(args, kwargs))


async def make_async(
    provider: Any, args: tuple[Any, ...], kwargs: dict[str, Any], kind: Target | None = None
) -> Any:
    """Make what `provider` describes, awaiting each dependency that must be awaited, in order."""
    target = provider.provides
    if isinstance(target, di.Provider):
        target = await value_of(target)
    positional = [await value_of(injection) for injection in provider.args]
    named = {
        name: await value_of(injection)
        for name, injection in provider.kwargs.items()
        if name not in kwargs
    }
    made = target(*positional, *args, **named, **kwargs)
    if (kind or target_of(target)) is Target.COROUTINE:
        made = await made
    for name, injection in provider.attributes.items():
        setattr(made, name, await value_of(injection))
    return made


async def value_of(injection: Any) -> Any:
    """The value an argument stands for: providers are called, and awaited where they must be."""
    if not isinstance(injection, di.Provider) or di.is_delegated(injection):
        return injection
    value = injection()
    return await value if must_await(injection) or inspect.isawaitable(value) else value


def must_await(provider: di.Provider[Any]) -> bool:
    """Whether a call of the provider gives an awaitable."""
    return provider.is_async() if isinstance(provider, Layered) else graph.is_async(provider)


async def _awaited(result: Any) -> Any:
    return await result if inspect.isawaitable(result) else result


def _blueprint(provider: Singleton[T]) -> di.Factory[T]:
    """A factory with the singleton's target and arguments."""
    factory = di.Factory(provider.provides, *provider.args, **provider.kwargs)
    factory.set_attributes(**provider.attributes)
    return factory


def _own_keywords(provides: Any, kwargs: dict[str, Any]) -> list[str]:
    own: list[str] = [name for name in ("start_timeout", "stop_timeout") if name in kwargs]
    if not own:
        return []
    try:
        taken = inspect.signature(provides).parameters
    except ValueError:  # a builtin that does not tell
        return own
    return [name for name in own if name not in taken]
