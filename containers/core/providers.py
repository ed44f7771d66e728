"""Our providers: dependency-injector's, with override layers, static async and scopes.

This is the uncompiled reference path: every object is made by one readable call.
"""

import functools
import inspect
from collections import abc
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from threading import RLock
from types import MemberDescriptorType
from typing import TYPE_CHECKING, Any, Self, TypeVar, cast, overload

from dependency_injector import providers as di

from containers.core import circles, graph, layers, ledger, plans, scopes
from containers.core.bodies import Shape, shape_of
from containers.core.bounds import Bounded
from containers.core.graph import value_of
from containers.core.targets import Target, imported, target_of
from infrastructure.resilience import SingleFlight

T = TypeVar("T")

_NOTHING = object()

#: What changes a provider's own declaration, and so every plan it is part of.
_MUTATORS = (
    "set_provides", "set_args", "add_args", "clear_args",
    "set_kwargs", "add_kwargs", "clear_kwargs",
    "set_attributes", "add_attributes", "clear_attributes",
)  # fmt: skip
_OVERRIDERS = ("override", "reset_last_overriding", "reset_override")


def _changed(provider: "Layered[Any]") -> None:
    ledger.changed((provider,))


def _telling(cls: type["Layered[Any]"], name: str) -> abc.Callable[..., Any]:
    """The class's method, which also drops the plans that its change makes wrong."""
    method = getattr(cls, name)
    tell = _changed if name in _OVERRIDERS else ledger.redeclared

    @functools.wraps(method)
    def change(self: "Layered[Any]", *args: Any, **kwargs: Any) -> Any:
        if name == "set_provides" and args and not isinstance(self, di.Object):
            args = (imported(args[0]), *args[1:])
        result = method(self, *args, **kwargs)
        if self.is_relied_on:
            tell(self)
        return result

    return change


class Layered(di.Provider[T]):
    """A provider that answers by a compiled plan, or by `uncompiled`, which knows the layers.

    Each class keeps what answers its calls in a slot named `__call__`: a plan is put there and
    taken away, and nothing has to be looked at on the way to it.

    Attributes:
        port: What dependants expect, where the target does not tell; overrides are held to it.
        reach: The providers its plan stands on.
        declared_as: Its name in the class that declares it, where there is one.
        known_open: When it was looked at last and no circle was found.
    """

    port: type | None = None
    reach: frozenset[di.Provider[Any]] = frozenset()
    is_relied_on = False
    is_async_by_request = False
    known_open: Any = None
    declared_as: str = ""
    _async: tuple[int, bool] = (-1, False)
    _put_answer: abc.Callable[[Any, abc.Callable[..., Any]], None] | None = None

    if TYPE_CHECKING:  # dependency-injector's stubs leave it out

        def _provide(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any: ...

    else:  # the type of a provider is told by its constructor

        def __new__(cls, *_args: Any, **_kwargs: Any) -> Self:  # noqa: D102 - as of any class
            self = super().__new__(cls)
            if cls._put_answer is not None:
                cls._put_answer(self, self._first_call)
            return self

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        slot = cls.__dict__.get("__call__")
        if isinstance(slot, MemberDescriptorType):
            cls._put_answer = slot.__set__
        for name in (*_MUTATORS, *_OVERRIDERS):
            if name not in cls.__dict__ and hasattr(cls, name):
                setattr(cls, name, _telling(cls, name))

    def __set_name__(self, owner: type, name: str) -> None:
        self.declared_as = self.declared_as or name

    def __deepcopy__(self, memo: dict[Any, Any] | None = None) -> Self:
        memo = {} if memo is None else memo
        copied: Self | None = memo.get(id(self))
        if copied is None:
            copied = self._copied(memo)
            if self.declared_as:
                copied.declared_as = self.declared_as
            if self.port is not None:
                copied.port = self.port
        return copied

    def _copied(self, memo: dict[Any, Any]) -> Self:
        """As dependency-injector copies, step by step; what is usual is done in one step."""
        if shape_of(self) not in _COPIED_AT_ONCE:
            return cast("Self", super().__deepcopy__(memo))
        made: Any = self
        copied: Any = type(self).__new__(type(self))
        memo[id(self)] = copied
        target = made.provides
        if isinstance(target, di.Provider):
            target = target.__deepcopy__(memo)
        copied.__init__(target, *_copies(self, made.args, memo), **_named(self, made.kwargs, memo))
        attributes = getattr(made, "attributes", None)
        if attributes:
            copied.set_attributes(**di.deepcopy(dict(attributes), memo))
        if self.overridden or self.overrides:
            made._copy_overridings(copied, memo)  # noqa: SLF001 - it is its own
        return cast("Self", copied)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """The object, or an awaitable of it where making it must be awaited."""
        return self.uncompiled(*args, **kwargs)

    def uncompiled(self, *args: Any, **kwargs: Any) -> Any:
        """The same by the readable path, which plans are held against."""
        stand_in = layers.replacement_of(self) or self.last_overriding
        if stand_in is not None:
            result = stand_in(*args, **kwargs)
            return _awaited(result) if self.is_async() else result
        result = self._resolve(args, kwargs)
        return _awaited(result) if self.is_async_by_request else result

    def is_async(self) -> bool:
        """Whether a call gives an awaitable; told from the declared graph, kept once known."""
        declarations = ledger.declarations()
        if self._async[0] != declarations:
            answer, seen = graph.asyncness(self)
            if any(map(graph.is_unset, seen)):
                return answer
            self._async = (declarations, answer)
            for one in () if answer else seen:
                if isinstance(one, Layered):
                    one._async = (declarations, False)  # noqa: SLF001 - another of its kind
                    # or each value is asked whether it is a future
                    di.Provider.disable_async_mode(one)
        return self._async[1]

    def enable_async_mode(self) -> None:
        """Give awaitables from now on, as dependency-injector's method does."""
        super().enable_async_mode()
        self._request_async(wanted=True)

    def disable_async_mode(self) -> None:
        """Tell from the declaration again."""
        super().disable_async_mode()
        self._request_async(wanted=False)

    def reset_async_mode(self) -> None:
        """Tell from the declaration again."""
        super().reset_async_mode()
        self._request_async(wanted=False)

    def _request_async(self, *, wanted: bool) -> None:
        if self.is_async_by_request is not wanted:
            self.is_async_by_request = wanted
            ledger.redeclared(self)

    def answer_by(self, function: abc.Callable[..., Any]) -> None:
        """Let `function` answer the calls, where the class has the slot."""
        if self._put_answer is not None:
            self._put_answer(self, function)

    def drop(self) -> None:
        """Forget the plan; it is made again on the second call from now."""
        self.answer_by(self._first_call)

    def _first_call(self, *args: Any, **kwargs: Any) -> Any:
        if not kwargs:  # what is given by name is not asked for
            circles.refuse(self)
        result = self.uncompiled(*args, **kwargs)
        self.answer_by(self._second_call)
        return result

    def _second_call(self, *args: Any, **kwargs: Any) -> Any:
        if args or kwargs:
            return self.uncompiled(*args, **kwargs)
        circles.refuse(self)
        return plans.answer_of(self)()

    def _resolve(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        return self._provide(args, kwargs)


_COPIED_AT_ONCE = {Shape.CALL, Shape.SINGLETON, Shape.SCOPED}


def _copies(provider: Any, args: tuple[Any, ...], memo: dict[Any, Any]) -> tuple[Any, ...]:
    if all(isinstance(one, di.Provider) for one in args):
        return tuple([one.__deepcopy__(memo) for one in args])
    return di.deepcopy_args(provider, args, memo)


def _named(provider: Any, kwargs: dict[str, Any], memo: dict[Any, Any]) -> dict[str, Any]:
    return cast("dict[str, Any]", di.deepcopy_kwargs(provider, kwargs, memo)) if kwargs else kwargs


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


class ContextValue(Layered[T], di.Object[T]):
    """Gives what the scope was opened with: `container.scope(request=request)`.

    The innermost scope that was given the name answers.

    Args (of the constructor):
        name: The keyword.
        instance_of: What its dependants may expect; stand-ins are held to it.

    Raises (on a call):
        NoActiveScopeError: There is no open scope of this provider's container.
        ContainerError: No open scope was given the name.
    """

    __slots__ = ("__call__",)
    lives_in_scope = True
    is_named_in_scope = True

    def __init__(self, name: str = "", instance_of: type[T] | None = None) -> None:
        super().__init__(cast("T", name))
        self.port = instance_of

    def _resolve(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if args or kwargs:
            raise TypeError("a value of the scope's context is asked for without arguments")
        return scopes.context_value(self, cast("str", self.provides))


class Scoped(Layered[T], di.Factory[T]):
    """One object in each scope, ended with it.

    The target is a class, a function, a coroutine function, a (async) generator function whose
    code after `yield` ends the object, or a factory of (async) context managers.

    A call takes no arguments: who asks first must not decide for the others.

    Raises (on a call):
        NoActiveScopeError: There is no open scope of this provider's container.
    """

    __slots__ = ("__call__",)
    shape = Shape.SCOPED
    is_scoped = True
    lives_in_scope = True
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
        if args or kwargs:
            raise TypeError("a scoped provider is called without arguments")
        scope = scopes.scope_of(self)
        touching = layers.touching(self)
        key = (self, touching) if touching else self
        kind = target_of(self.provides)
        if self.is_async():
            return self._amade(scope, key, kind)
        with scope.as_current(self):
            return scope.made(key, kind, lambda: self._provide((), {}))

    async def _amade(self, scope: scopes.Scope, key: Any, kind: Target) -> Any:
        with scope.as_current(self):
            return await scope.amade(key, kind, lambda: make_async(self, (), {}, kind))


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


async def _awaited(result: Any) -> Any:
    return await result if inspect.isawaitable(result) else result


def _blueprint(provider: Singleton[T]) -> di.Factory[T]:
    """A factory with the singleton's target and arguments."""
    factory = di.Factory(provider.provides, *provider.args, **provider.kwargs)
    factory.set_attributes(**provider.attributes)
    return factory
