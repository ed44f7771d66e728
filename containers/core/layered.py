"""The base of our providers: override layers, static async, and the slot that plans stand in."""

import functools
import inspect
from collections import abc
from types import MemberDescriptorType
from typing import TYPE_CHECKING, Any, Self, TypeVar, cast

from dependency_injector import providers as di

from containers.core import circles, graph, layers, ledger, plans
from containers.core.shapes import Shape, shape_of
from containers.core.targets import imported

T = TypeVar("T")

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
        stand_in = layers.stand_in_of(self)
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


async def _awaited(result: Any) -> Any:
    return await result if inspect.isawaitable(result) else result
