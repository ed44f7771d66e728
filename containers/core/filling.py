"""Calling an injected function by asking every provider: the path that needs no code written."""

import functools
import inspect
from collections.abc import Callable
from contextlib import AsyncExitStack, ExitStack
from typing import Any

from dependency_injector import providers as di

from containers.core.graph import must_await, value_of
from containers.core.resources import Resource, asked_by
from containers.core.scopes import new_scope
from containers.core.wiring import Binding, Injection


def call(injection: Injection, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Call a plain function."""
    with ExitStack() as stack:
        _fill(injection, stack, args, kwargs)
        return injection.function(*args, **kwargs)


async def acall(injection: Injection, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Call a coroutine function."""
    async with AsyncExitStack() as stack:
        await _fill_async(injection, stack, args, kwargs)
        return await injection.function(*args, **kwargs)


def generator(injection: Injection) -> Callable[..., Any]:
    """A generator function around the one of the injection; async where that is."""
    function = injection.function
    if inspect.isasyncgenfunction(function):
        return _stream(injection, function)

    @functools.wraps(function)
    def generate(*args: Any, **kwargs: Any) -> Any:
        with ExitStack() as stack:
            _fill(injection, stack, args, kwargs)
            return (yield from function(*args, **kwargs))

    return generate


def _stream(injection: Injection, function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    async def stream(*args: Any, **kwargs: Any) -> Any:
        async with AsyncExitStack() as stack:
            await _fill_async(injection, stack, args, kwargs)
            items = function(*args, **kwargs)
            step = anext(items)
            while True:
                try:
                    item = await step
                except StopAsyncIteration:
                    return
                try:
                    step = items.asend((yield item))
                except GeneratorExit:
                    await items.aclose()
                    raise
                except BaseException as error:  # noqa: BLE001 - it is the function's to handle
                    step = items.athrow(error)

    return stream


def _fill(
    injection: Injection, stack: ExitStack, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> None:
    wanted = _left_open(injection, args, kwargs)
    for resource in _closed_resources(wanted):
        stack.push(functools.partial(_leave, resource))
    for container in _closed_containers(wanted):
        stack.enter_context(new_scope(container))
    for parameter, _, provider in wanted:
        if parameter.wants_provider:
            kwargs[parameter.name] = provider
            continue
        if must_await(provider):
            raise injection.refuse_async(parameter.name)
        kwargs[parameter.name] = provider()


async def _fill_async(
    injection: Injection, stack: AsyncExitStack, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> None:
    wanted = _left_open(injection, args, kwargs)
    for resource in _closed_resources(wanted):
        stack.push_async_exit(functools.partial(_leave_async, resource))
    for container in _closed_containers(wanted):
        await stack.enter_async_context(new_scope(container))
    for parameter, _, provider in wanted:
        if parameter.wants_provider:
            kwargs[parameter.name] = provider
            continue
        for resource in asked_by(provider):
            await resource.open()
        kwargs[parameter.name] = await value_of(provider)


def _closed_resources(wanted: list[Binding]) -> list[di.BaseResource[Any]]:
    """What `Closing` ends after the body, dependencies first; not what was there before."""
    reached = {
        resource
        for parameter, _, provider in wanted
        if parameter.closes
        for resource in (provider, *provider.traverse())
        if isinstance(resource, di.BaseResource) and not resource.initialized
    }
    return sorted(reached, key=lambda resource: sum(1 for _ in resource.traverse()))


def _closed_containers(wanted: list[Binding]) -> list[Any]:
    """The containers of `Closing` parameters: each gets one scope, which all parameters share."""
    return list({id(one[1]): one[1] for one in wanted if one[0].closes}.values())


def _leave(resource: di.BaseResource[Any], _kind: Any, error: Any, _trace: Any) -> None:
    _ended(resource, error)


async def _leave_async(resource: di.BaseResource[Any], _kind: Any, error: Any, _trace: Any) -> None:
    ended = _ended(resource, error)
    if inspect.isawaitable(ended):
        await ended


def _ended(resource: di.BaseResource[Any], error: BaseException | None) -> Any:
    """Ours learns what the body failed with; dependency-injector's own cannot."""
    return resource.shutdown(error) if isinstance(resource, Resource) else resource.shutdown()


def _left_open(
    injection: Injection, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> list[Binding]:
    """The parameters that the caller did not give."""
    return [
        one
        for one in injection.bound()
        if one[0].name not in kwargs and not 0 <= one[0].position < len(args)
    ]
