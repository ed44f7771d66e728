"""`inject`: a function's marked parameters are filled when it is called."""

import builtins
import functools
import inspect
import sys
import weakref
from collections.abc import Callable, Iterable, Mapping
from types import CodeType, FunctionType
from typing import Any, TypeVar, cast
from warnings import warn

from dependency_injector.wiring import DIWiringWarning

from containers.core import calls, filling, layers, ledger, wiring
from containers.core.markers import Marked, marked

F = TypeVar("F", bound=Callable[..., Any])


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
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        injection = wiring.Injection(function, parameters)
        wrapper = filling.generator(injection)
    else:
        injection = Call(function, parameters)
        wrapper = injection.wrapper
    wiring.register(injection)
    return _hide(wrapper, parameters)


class Call(wiring.Injection):
    """An injected function, plain or coroutine, and the wrapper that is called in its place.

    From the second call on, code that is written for the function's signature answers; it and
    the code that asks every provider take turns in the same wrapper.
    """

    reach: frozenset[Any] = frozenset()

    def __init__(self, function: Callable[..., Any], parameters: tuple[Marked, ...]) -> None:
        super().__init__(function, parameters)
        self._is_async = inspect.iscoroutinefunction(function)
        self._was_called = False
        self._asking = _ASKING[self._is_async]
        names = {"__builtins__": builtins, "__name__": function.__module__, "injection": self}
        self.wrapper = FunctionType(self._asking, names)
        functools.update_wrapper(self.wrapper, function)
        self.drop()

    def drop(self) -> None:
        """Go back to the path that asks every provider."""
        self.reach = frozenset()
        self.wrapper.__code__ = self._asking
        self.wrapper.__globals__["call"] = (
            _acall_and_prepare if self._is_async else _call_and_prepare
        )
        self._was_called = False

    def prepare(self) -> None:
        """Have the code written on the second call, when most of what it needs is there."""
        if not self._was_called:
            self._was_called = True
            return
        seen = ledger.revision()
        bindings = self.bound()
        providers = [provider for _, _, provider in bindings]
        if any(map(layers.touched_anywhere, providers)):
            ledger.suspend(self, seen, self._stay)
        elif not self.is_contested and calls.is_writable(self.function, bindings):
            written = calls.Writer(self.function, bindings).written()
            reach = {one for provider in providers for one in (provider, *provider.traverse())}
            ledger.enter(self, reach, seen, functools.partial(self._answer_by, written))
        else:
            self._stay()

    def _stay(self) -> None:
        self.wrapper.__globals__["call"] = filling.acall if self._is_async else filling.call

    def _answer_by(self, written: calls.Written) -> None:
        wrapper = self.wrapper
        wrapper.__globals__.update(written.names)
        let_go = functools.partial(_let_go, weakref.ref(self), frozenset(written.names))
        weakref.finalize(written.code, let_go).atexit = False
        wrapper.__defaults__ = written.defaults
        wrapper.__kwdefaults__ = written.keyword_defaults
        wrapper.__code__ = written.code


def _let_go(injection: "weakref.ref[Call]", names: Iterable[str]) -> None:
    """Remove the names of code that answers no more, when the last call that runs by it is over."""
    if (call := injection()) is not None:
        for name in names:
            call.wrapper.__globals__.pop(name, None)


def _call_and_prepare(injection: Call, args: Any, kwargs: Any) -> Any:
    result = filling.call(injection, args, kwargs)
    injection.prepare()
    return result


async def _acall_and_prepare(injection: Call, args: Any, kwargs: Any) -> Any:
    result = await filling.acall(injection, args, kwargs)
    injection.prepare()
    return result


def _asking(source: str) -> CodeType:
    names: dict[str, Any] = {}
    exec(compile(source, "<injected call>", "exec"), names)  # noqa: S102 - the two lines below
    code: CodeType = names["injected"].__code__
    return code


#: The code of a wrapper that asks every provider; by whether it is a coroutine function.
_ASKING = {
    False: _asking("def injected(*args, **kwargs):\n    return call(injection, args, kwargs)\n"),
    True: _asking(
        "async def injected(*args, **kwargs):\n    return await call(injection, args, kwargs)\n"
    ),
}


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
