"""What stands around each public operation of a component: its telemetry and its policy.

A port names its operations, and every class below it has a door in front of each: `observed`
makes one. While nobody listens and the component has no policy, a door costs one more call.

An operation that calls another of the same component - its own by `super()`, or `get` its
`get_many` - is one call to those outside: it is watched and guarded once.
"""

import asyncio
import inspect
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar, Token
from functools import wraps
from inspect import Parameter
from types import TracebackType
from typing import Any, Final, Self, TypeVar, get_origin

from infrastructure.observability.telemetry import Watches, hook

T = TypeVar("T")

_END: Final = object()
_AWAITED = frozenset({"Awaitable", "Coroutine", "Future"})
_STREAMS = frozenset({"AsyncGenerator", "AsyncIterator"})
#: The signature is the operation's own: to take any arguments would cost five times as much.
_DOOR = """\
def door({parameters}):
    if not _hook_.on and {component}.policy is None:
        return _inner_({arguments})
    return _behind_(_inner_, {arguments})
"""


class Operation:
    """A call that is going on; around its code it is the current one.

    Args:
        component: What it was called on.
        name: What listeners are told; empty, they are told nothing.

    Attributes:
        component: The same.
        is_open: Whether it goes on; tasks it left behind see that it is over.
    """

    __slots__ = ("_token", "_watches", "component", "is_open")

    def __init__(self, component: Any, name: str = "") -> None:
        self.component = component
        self.is_open = True
        self._watches: Watches | None = hook.begin(component, name) if name and hook.on else None
        self._token: Token[Operation | None]

    def __enter__(self) -> Self:
        self._token = _current.set(self)
        if self._watches is not None:
            self._watches.resume()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        _current.reset(self._token)
        self.is_open = False
        if self._watches is not None:
            self._watches.pause()
            self._watches.end(error)

    async def step(self, code: Awaitable[T]) -> T:
        """Await a piece of the call; between two pieces, other code runs."""
        self.__enter__()  # and not `with`: its end is not the operation's
        try:
            return await code
        finally:
            _current.reset(self._token)
            if self._watches is not None:
                self._watches.pause()

    def end(self, error: BaseException | None) -> None:
        """Say that it is over, and what it raised."""
        self.is_open = False
        if self._watches is not None:
            self._watches.end(error)


_current: ContextVar[Operation | None] = ContextVar("switchgear_operation", default=None)


def observe_class(cls: type, operations: frozenset[str]) -> None:
    """Put a door in front of each operation the class has written, or inherits without one."""
    for name in operations:
        function = getattr(cls, name, None)
        if inspect.isfunction(function) and not (_is_abstract(function) or _has_door(function)):
            setattr(cls, name, observed(function))


def observed(function: Callable[..., Any]) -> Callable[..., Any]:
    """The method with its door; to `inspect` and `asyncio` it is what it was."""
    door: Any = wraps(function)(_written(function, _behind(function)))
    door.__has_door__ = True
    if inspect.iscoroutinefunction(function):
        if sys.version_info >= (3, 12):
            inspect.markcoroutinefunction(door)
        else:
            door._is_coroutine = asyncio.coroutines._is_coroutine  # type: ignore[attr-defined]  # noqa: SLF001 - the mark of 3.11
    return door  # type: ignore[no-any-return]  # a function


@contextmanager
def observing(component: Any, name: str) -> Iterator[None]:
    """Watch the body as one call, where what is called is no method of the component.

    No policy is asked. The body is the call's own code; it yields to nobody else's.
    """
    if not hook.on or _is_inside(component):
        yield
        return
    with Operation(component, name):
        yield


async def _await(inner: Callable[..., Any], component: Any, /, *args: Any, **named: Any) -> Any:
    if _is_inside(component):
        return await inner(component, *args, **named)
    policy = component.policy
    with Operation(component, inner.__name__):
        if policy is None:
            return await inner(component, *args, **named)
        return await policy.run(inner, component, *args, **named)


def _call(inner: Callable[..., Any], component: Any, /, *args: Any, **named: Any) -> Any:
    if _is_inside(component):
        return inner(component, *args, **named)
    policy = component.policy
    with Operation(component, inner.__name__):
        if policy is None:
            return inner(component, *args, **named)
        return policy.run_sync(inner, component, *args, **named)


def _iterate(inner: Callable[..., Any], component: Any, /, *args: Any, **named: Any) -> Any:
    """A stream, watched from the way to its first piece until its end.

    What the call refuses at once is refused at once here too. The policy stands around the way
    to the first piece: after that, nothing can be begun again.
    """
    if _is_inside(component):
        return inner(component, *args, **named)
    with Operation(component):
        stream = inner(component, *args, **named)
    return _streamed(component, inner.__name__, _Source(stream, inner, component, args, named))


async def _streamed(component: Any, name: str, source: "_Source") -> AsyncGenerator[Any, None]:
    policy, wrong = component.policy, None
    operation = Operation(component, name)
    try:
        first = source.first() if policy is None else policy.run(source.first)
        stream, piece = await operation.step(first)
        try:
            while piece is not _END:
                yield piece
                piece = await operation.step(anext(stream, _END))
        finally:
            await operation.step(_closed(stream))
    except GeneratorExit:  # the reader has what it wanted
        raise
    except BaseException as error:
        wrong = error
        raise
    finally:
        operation.end(wrong)


class _Source:
    """The stream that was called for, and another one for each further try."""

    def __init__(self, stream: Any, inner: Callable[..., Any], *call: Any) -> None:
        self._streams = [stream]
        self._inner = inner
        self._call = call

    async def first(self) -> tuple[Any, Any]:
        """A stream and its first piece; closed when that does not come."""
        stream = self._streams.pop() if self._streams else self._again()
        try:
            return stream, await anext(stream, _END)
        except BaseException:
            await _closed(stream)
            raise

    def _again(self) -> Any:
        component, args, named = self._call
        return self._inner(component, *args, **named)


async def _closed(stream: Any) -> None:
    close = getattr(stream, "aclose", None)
    if close is not None:
        await close()


def _is_inside(component: Any) -> bool:
    current = _current.get()
    return current is not None and current.component is component and current.is_open


def _is_abstract(function: Any) -> bool:
    return bool(getattr(function, "__isabstractmethod__", False))


def _has_door(function: Any) -> bool:
    return hasattr(function, "__has_door__")


def _behind(function: Callable[..., Any]) -> Callable[..., Any]:
    """By what the function is; of a plain one, by what it says that it gives."""
    given = _name(function.__annotations__.get("return"))
    if inspect.iscoroutinefunction(function) or given in _AWAITED:
        return _await
    return _iterate if inspect.isasyncgenfunction(function) or given in _STREAMS else _call


def _name(annotation: Any) -> str:
    whole = get_origin(annotation) or annotation
    text = whole if isinstance(whole, str) else getattr(whole, "__name__", "")
    return text.partition("[")[0].rpartition(".")[2]


def _written(function: Callable[..., Any], behind: Callable[..., Any]) -> Callable[..., Any]:
    """A function with the same parameters that looks whether anybody listens."""
    parameters = list(inspect.signature(function).parameters.values())
    defaults = {f"_{one.name}_default_": one.default for one in parameters}
    names = {"_hook_": hook, "_inner_": function, "_behind_": behind, **defaults}
    source = _DOOR.format(
        parameters=", ".join(_declared(parameters)),
        component=parameters[0].name,
        arguments=", ".join(map(_handed_on, parameters)),
    )
    exec(compile(source, f"<door of {function.__qualname__}>", "exec"), names)  # noqa: S102 - written of the names of parameters alone
    door: Callable[..., Any] = names["door"]
    return door


def _declared(parameters: list[Parameter]) -> Iterator[str]:
    """The parameters as they are written in a `def`, with their defaults by name."""
    previous = None
    for one in parameters:
        if previous is Parameter.POSITIONAL_ONLY and one.kind is not previous:
            yield "/"
        is_first_keyword = one.kind is Parameter.KEYWORD_ONLY and previous is not one.kind
        if is_first_keyword and previous is not Parameter.VAR_POSITIONAL:
            yield "*"
        default = "" if one.default is Parameter.empty else f"=_{one.name}_default_"
        yield f"{_stars(one)}{one.name}{default}"
        previous = one.kind
    if previous is Parameter.POSITIONAL_ONLY:
        yield "/"


def _handed_on(parameter: Parameter) -> str:
    name = f"{_stars(parameter)}{parameter.name}"
    return f"{name}={name}" if parameter.kind is Parameter.KEYWORD_ONLY else name


def _stars(parameter: Parameter) -> str:
    if parameter.kind is Parameter.VAR_POSITIONAL:
        return "*"
    return "**" if parameter.kind is Parameter.VAR_KEYWORD else ""
