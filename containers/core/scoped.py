"""Providers of what lives in a scope: the scope's own objects, and what it was opened with."""

from collections import abc
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from typing import TYPE_CHECKING, Any, TypeVar, cast, overload

from dependency_injector import providers as di

from containers.core import graph, layers, scopes
from containers.core.layered import Layered
from containers.core.providers import make_async
from containers.core.shapes import Shape
from containers.core.targets import Target, target_of
from containers.errors import ContainerError

T = TypeVar("T")


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
        if self.attributes and kind not in {Target.VALUE, Target.COROUTINE}:
            raise ContainerError(
                f"the attributes of scoped '{graph.name_of(self)}' cannot be set: its target is "
                f"a {kind.value}",
                where="containers",
                hint="Set them in the target, before it yields.",
            )
        if self.is_async():
            return self._amade(scope, key, kind)
        with scope.as_current(self):
            return scope.made(key, kind, lambda: self._provide((), {}))

    async def _amade(self, scope: scopes.Scope, key: Any, kind: Target) -> Any:
        with scope.as_current(self):
            return await scope.amade(key, kind, lambda: make_async(self, (), {}, kind))
