"""Starting and ending one provider; each in a way that is awaited, and in one that is not."""

import inspect
from typing import Any

from dependency_injector import providers as di

from containers.core.agenda import Step
from containers.core.bounds import Bounded, within
from containers.core.graph import must_await, value_of
from containers.core.providers import Managed
from containers.core.resources import Resource
from containers.errors import LifecycleError

_STARTS = ("connect", "start")
_ENDS = ("disconnect", "stop")


async def begin(step: Step) -> Any:
    """Start it, within its bound; gives the object."""
    provider = step.provider
    if isinstance(provider, Resource):
        return await provider.open()
    bounds = _bounds(provider)
    async with within(bounds.start_timeout, step.path, "start"):
        thing = await value_of(provider)
        if isinstance(provider, Managed) and not provider.holders:
            await _call(thing, _STARTS)
    return thing


async def end(step: Step, thing: Any) -> None:
    """End it, within its bound."""
    provider = step.provider
    if isinstance(provider, Resource):
        await _awaited(provider.shutdown())
        return
    async with within(_bounds(provider).stop_timeout, step.path, "end"):
        if isinstance(provider, di.BaseResource):
            await _awaited(provider.shutdown())
        else:
            await _call(thing, _ENDS)


def begin_sync(step: Step) -> Any:
    """Start what awaits nothing.

    Raises:
        LifecycleError: It does.
    """
    provider = step.provider
    is_awaited = provider.needs_loop if isinstance(provider, Resource) else must_await(provider)
    if is_awaited:
        raise _needs_loop(step)
    thing = provider()
    if inspect.isawaitable(thing):
        _drop(thing)
        raise _needs_loop(step)
    if isinstance(provider, Managed) and not provider.holders:
        _call_sync(step, thing, _STARTS)
    return thing


def end_sync(step: Step, thing: Any) -> None:
    """End what awaits nothing.

    Raises:
        LifecycleError: It does.
    """
    provider = step.provider
    if not isinstance(provider, di.BaseResource):
        _call_sync(step, thing, _ENDS)
    elif isinstance(provider, Resource) and provider.must_stop_in_loop:
        raise _needs_loop(step)
    else:
        ended = provider.shutdown()
        if inspect.iscoroutine(ended):
            _drop(ended)
            raise _needs_loop(step)


async def _call(thing: Any, names: tuple[str, ...]) -> None:
    """Call the first of the methods that the object has."""
    method = _method(thing, names)
    if method is not None:
        await _awaited(method())


def _call_sync(step: Step, thing: Any, names: tuple[str, ...]) -> None:
    method = _method(thing, names)
    if inspect.iscoroutinefunction(method):
        raise _needs_loop(step)
    result = method() if method is not None else None
    if inspect.isawaitable(result):
        _drop(result)
        raise _needs_loop(step)


def _method(thing: Any, names: tuple[str, ...]) -> Any:
    return next((getattr(thing, name) for name in names if hasattr(thing, name)), None)


async def _awaited(result: Any) -> Any:
    return await result if inspect.isawaitable(result) else result


def _drop(awaitable: Any) -> None:
    if inspect.iscoroutine(awaitable):
        awaitable.close()


def _bounds(provider: di.Provider[Any]) -> Bounded:
    return provider if isinstance(provider, Bounded) else Bounded()


def _needs_loop(step: Step) -> LifecycleError:
    return LifecycleError(f"'{step.path}' needs an event loop", hint="Use `async with container:`.")
