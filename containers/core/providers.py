"""Our providers, as far as they need no scope: dependency-injector's on the base of ours.

This is the uncompiled reference path: every object is made by one readable call.
"""

from collections import abc
from threading import RLock
from typing import Any, Self, TypeVar

from dependency_injector import providers as di

from containers.core import layers, ledger
from containers.core.bounds import Bounded
from containers.core.graph import value_of
from containers.core.layered import Layered
from containers.core.shapes import Shape
from containers.core.targets import Target, target_of
from infrastructure.resilience import SingleFlight

T = TypeVar("T")

_NOTHING = object()


class Object(Layered[T], di.Object[T]):
    """Gives the object it was made with."""

    __slots__ = ("__call__",)
    shape = Shape.CONSTANT


class Callable(Layered[T], di.Callable[T]):
    """Calls its target each time."""

    __slots__ = ("__call__",)
    shape = Shape.CALL


class Factory(Layered[T], di.Factory[T]):
    """Makes a new object each time."""

    __slots__ = ("__call__",)
    shape = Shape.CALL

    def _resolve(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if self.is_async():
            return make_async(self, args, kwargs)
        return self._provide(args, kwargs)


class Singleton(Layered[T], di.Singleton[T]):
    """Makes one object, once, under any number of threads and tasks; None is an object too."""

    __slots__ = ("__call__",)
    shape = Shape.SINGLETON

    def __init__(
        self, provides: abc.Callable[..., T] | str | None = None, /, *args: Any, **kwargs: Any
    ) -> None:
        super().__init__(provides, *args, **kwargs)
        self._own: dict[Any, Any] = {}
        self._lock = RLock()

    def reset(self) -> Any:
        """Forget the object, so that the next call makes a new one."""
        cells, key = self._cell()
        cells.pop(key, None)
        ledger.changed((self,))
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
        return await self._flight().do(key, make) if found is _NOTHING else found

    def _flight(self) -> SingleFlight[Any]:
        """Has one task make the object while others wait; most singletons need none."""
        flight: SingleFlight[Any] = self.__dict__.setdefault("_in_flight", SingleFlight())
        return flight

    def _keep(self, made: Any, cells: abc.MutableMapping[Any, Any], key: Any) -> Any:
        """Keep the object, unless overrides changed meanwhile: it may be made of both worlds.

        Where another event loop was faster, its object is the one.
        """
        return cells.setdefault(key, made) if self._cell()[1] == key else made


class Managed(Bounded, Singleton[T]):
    """One object with a life: the container starts it, and ends it.

    The object has `async connect()` and `disconnect()`, or `start()` and `stop()`, async or not.
    The keywords `start_timeout` and `stop_timeout` (seconds) bound those steps, and `phase` orders
    them; each goes to the target instead where its signature has a parameter of that name.
    """

    __slots__ = ()
    shape = Shape.SINGLETON

    def __init__(
        self, provides: abc.Callable[..., T] | str | None = None, /, *args: Any, **kwargs: Any
    ) -> None:
        super().__init__(provides, *args)
        self.set_kwargs(**self.take_bounds(self.provides, kwargs))

    def __deepcopy__(self, memo: dict[Any, Any] | None = None) -> Self:
        copied = super().__deepcopy__(memo)
        self.hand_bounds(copied)
        return copied


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


def _blueprint(provider: Singleton[T]) -> di.Factory[T]:
    """A factory with the singleton's target and arguments."""
    factory = di.Factory(provider.provides, *provider.args, **provider.kwargs)
    factory.set_attributes(**provider.attributes)
    return factory
