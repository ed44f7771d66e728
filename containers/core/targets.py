"""What a provider's target is, decided from its definition and never from a result."""

import builtins
import importlib
import inspect
import sys
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from enum import Enum
from functools import partial
from typing import Any


class Target(Enum):
    """How a target makes its object, and how the object ends."""

    VALUE = "value"
    COROUTINE = "coroutine"
    GENERATOR = "generator"
    ASYNC_GENERATOR = "async generator"
    CONTEXT = "context manager"
    ASYNC_CONTEXT = "async context manager"

    @property
    def is_async(self) -> bool:
        """Whether making the object must be awaited."""
        return self in {Target.COROUTINE, Target.ASYNC_GENERATOR, Target.ASYNC_CONTEXT}


def target_of(target: Any) -> Target:
    """Sort a class, a function or a factory of context managers."""
    while isinstance(target, partial):
        target = target.func
    if inspect.isclass(target):
        return _of_class(target)
    if inspect.isasyncgenfunction(target):
        return Target.ASYNC_GENERATOR
    if inspect.isgeneratorfunction(target):
        return Target.GENERATOR
    if inspect.iscoroutinefunction(target):
        return Target.COROUTINE
    return _of_wrapped(getattr(target, "__wrapped__", None), target)


def _of_class(cls: type) -> Target:
    if issubclass(cls, AbstractAsyncContextManager):
        return Target.ASYNC_CONTEXT
    if issubclass(cls, AbstractContextManager):
        return Target.CONTEXT
    return Target.VALUE


def _of_wrapped(wrapped: Any, target: Callable[..., Any]) -> Target:
    """A function made by `contextmanager` keeps the generator function it wraps."""
    if inspect.isasyncgenfunction(wrapped):
        return Target.ASYNC_CONTEXT
    if inspect.isgeneratorfunction(wrapped):
        return Target.CONTEXT
    call = getattr(type(target), "__call__", None)  # noqa: B004 - asks how it is called
    return Target.COROUTINE if inspect.iscoroutinefunction(call) else Target.VALUE


def imported(target: Any) -> Any:
    """What a target's dotted name stands for; relative to where the provider is declared.

    A name without dots is a builtin, or of the declaring module, as in dependency-injector.
    """
    if not isinstance(target, str):
        return target
    frame = sys._getframe(1)  # noqa: SLF001 - the names are relative to it
    while frame.f_back and frame.f_globals["__name__"].startswith("containers.core."):
        frame = frame.f_back
    module_name, _, member = target.rpartition(".")
    if not module_name:
        return getattr(builtins, member, None) or frame.f_globals[member]
    return getattr(importlib.import_module(module_name, frame.f_globals["__package__"]), member)
