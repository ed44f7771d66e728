"""Which calls may be made twice."""

import inspect
from collections.abc import Callable
from typing import Any

from infrastructure.resilience.strategy import F, innermost


def idempotent(function: F) -> F:
    """Mark a function whose call, made twice, does no more than one: it may be hedged.

    A method that overrides a marked one keeps its promise: a port marks for all behind it.
    """
    function.__idempotent__ = True  # type: ignore[attr-defined]  # functions take attributes
    return function


def is_idempotent(call: Callable[..., Any], *args: Any) -> bool:
    """Whether it is marked: itself, what a partial calls, or what a strategy is to run."""
    target, args = innermost(call, args)
    return _is_marked(target) or _is_promised(target, args)


def _is_marked(target: Any) -> bool:
    return bool(getattr(target, "__idempotent__", False))


def _is_promised(target: Any, args: tuple[Any, ...]) -> bool:
    """Whether it is a method, and a base of its class has marked the one of its name.

    What stands around a component's operations is handed the plain function and the component.
    """
    owner = type(getattr(target, "__self__", args[0] if args else None))
    name = getattr(target, "__name__", "")
    method = getattr(owner, name, None)
    function = getattr(target, "__func__", target)
    if method is None or inspect.unwrap(method) is not inspect.unwrap(function):
        return False
    return any(_is_marked(vars(base).get(name)) for base in owner.__mro__)
