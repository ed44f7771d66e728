"""Resources: objects with a beginning and an end that the container starts, and ends."""

import asyncio
from collections import abc
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeVar, overload

from dependency_injector import providers as di
from dependency_injector import resources
from dependency_injector.errors import Error

from containers.core import agenda, graph, layers, ledger
from containers.core.bounds import Bounded
from containers.core.layered import Layered
from containers.core.lives import AnyLife, Lives, NothingToAwait
from containers.core.places import place_of
from containers.core.providers import make_async
from containers.core.shapes import Shape
from containers.core.targets import target_of
from containers.errors import LifecycleError

T = TypeVar("T")


class Resource(Bounded, Layered[T], di.Resource[T]):
    """One object with a beginning and an end.

    The target is a function, a coroutine function, a (async) generator function whose code after
    `yield` ends the object, a class or factory of (async) context managers, or a resource class
    of dependency-injector. A call gives the object, never an awaitable of it: what must be
    awaited is started by the container first. The others begin when first asked for.

    The keywords `start_timeout`, `stop_timeout` (seconds) and `phase` are those of `Bounded`; each
    goes to the target instead where its signature has a parameter of that name.

    Raises (on a call):
        LifecycleError: Its start must be awaited, and it is not started.

    Attributes:
        path: The dotted path in the container that has it, as far as it is known.
    """

    __slots__ = ("__call__",)
    shape = Shape.SINGLETON

    #: Asked by the graph: dependants are handed the object and await nothing.
    is_opened_by_container = True
    #: Asked by what makes objects: a resource has no attributes to set.
    attributes: ClassVar[abc.Mapping[str, Any]] = MappingProxyType({})

    if TYPE_CHECKING:  # what a call gives, by the kind of target

        @overload
        def __init__(
            self, provides: type[resources.Resource[T]], /, *args: Any, **kwargs: Any
        ) -> None: ...
        @overload
        def __init__(
            self, provides: type[resources.AsyncResource[T]], /, *args: Any, **kwargs: Any
        ) -> None: ...
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

    def __init__(self, provides: Any = None, /, *args: Any, **kwargs: Any) -> None:
        super().__init__(provides, *args)
        self.set_kwargs(**self.take_bounds(self.provides, kwargs))
        self.path = ""
        self._lives = Lives(lambda: ledger.changed((self,)))
        self._turned_async = False

    def __deepcopy__(self, memo: dict[Any, Any] | None = None) -> Self:
        if self._lives:
            raise Error("Can not copy initialized resource")
        copied = super().__deepcopy__(memo)
        copied.path = self.path
        self.hand_bounds(copied)
        return copied

    @property
    def name(self) -> str:
        """The path, or where that is not known the target."""
        return self.path or graph.name_of(self)

    @property
    def initialized(self) -> bool:
        """Whether there is an object that has not ended, or one that begins."""
        return bool(self._lives)

    @property
    def needs_loop(self) -> bool:
        """Whether its start must be awaited: because of the target, or of what it is given."""
        return (
            self._turned_async
            or target_of(self.provides).is_async
            or any(graph.is_async(other) for other in graph.declared(self))
        )

    @property
    def must_start_first(self) -> bool:
        """Whether a call would fail: it waits for a start, its own or of one that it needs."""
        needed = [one for one in agenda.reached(self) if isinstance(one, Resource)]
        return any(one.needs_loop and not one.is_open for one in (self, *needed))

    @property
    def must_stop_in_loop(self) -> bool:
        """Whether ending what there is must be awaited."""
        return self._lives.must_end_in_loop

    @property
    def is_open(self) -> bool:
        """Whether a call has an object to give, under the overrides in force."""
        return self._lives.at(layers.touching(self)) is not None

    def built(self) -> tuple[T, ...]:
        """The object, alone in a tuple, or an empty tuple: asked by plans, which keep it."""
        life = self._lives.at(layers.touching(self)) if layers.stand_in_of(self) is None else None
        return () if life is None else (life.value,)

    def init(self) -> Any:
        """Begin, as dependency-injector spells it: the object, or an awaitable of it."""
        if layers.stand_in_of(self) is not None:
            return self()
        life = None if self.needs_loop or self.must_start_first else self._begin((), {})
        return asyncio.ensure_future(self.open()) if life is None else life.value

    def async_(self, *_args: Any, **_kwargs: Any) -> Any:
        """An awaitable of the object, which is started if it is not."""
        return self.open()

    def shutdown(self, error: BaseException | None = None) -> Any:
        """End, as dependency-injector spells it: None, or an awaitable where it must be awaited.

        Args:
            error: What the work failed with that it was made for; thrown into a generator.
        """
        ending = self._lives.end(error)
        return NothingToAwait() if ending is None and self.needs_loop else ending

    def forget_lost(self) -> None:
        """Let go of an object whose event loop is closed, so that the next start makes another."""
        self._lives.forget_lost()

    async def open(self) -> T:
        """The object, started first if it is not; concurrent callers share one start."""
        key = layers.touching(self)
        life = self._lives.at(key)
        if life is None:
            for resource in asked_by(*agenda.needs(self)):
                await resource.open()
            life = None if self.needs_loop else self._begin((), {})
        if life is None:
            life = await self._lives.open(key, lambda: make_async(self, (), {}), self, self.name)
        value: T = life.value
        return value

    def _resolve(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        life = self._lives.at(layers.touching(self))
        if life is None and not self.needs_loop:
            life = self._begin(args, kwargs)
        if life is None:
            raise self._not_started()
        return life.value

    def _begin(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> AnyLife | None:
        """Begin here and now; None where the target turns out to need an event loop."""
        call: di.Callable[Any] = di.Callable(self.provides, *self.args, **self.kwargs)
        call.disable_async_mode()
        life = self._lives.begin(layers.touching(self), lambda: call(*args, **kwargs))
        self._turned_async = self._turned_async or life is None
        return life

    def _not_started(self) -> LifecycleError:
        place = place_of(self.provides)
        declared = f" ({place})" if place else ""
        return LifecycleError(
            f"resource '{self.name}'{declared} must be awaited, and is not started",
            hint="Ask inside `async with container:`, after `await container.start()`, or with "
            f"`await container.aget('{self.name}')`.",
        )


def asked_by(*providers: di.Provider[Any]) -> list[Resource[Any]]:
    """The resources that calls of the providers ask first; not what those are made of."""
    waiting, seen = list(providers), set()
    found: list[Resource[Any]] = []
    while waiting:
        one = waiting.pop(0)
        if one in seen:
            continue
        seen.add(one)
        if isinstance(one, Resource) and layers.stand_in_of(one) is None:
            found.append(one)
        else:
            waiting += agenda.needs(one)
    return found


def name_resources(container: Any) -> None:
    """Tell the container's resources their dotted paths."""
    for provider, path in graph.paths(container).items():
        if isinstance(provider, Resource):
            provider.path = path
