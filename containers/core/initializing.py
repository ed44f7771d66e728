"""`init_resources` and `shutdown_resources` as dependency-injector's programs call them."""

import asyncio
import inspect
from typing import Any

from dependency_injector import providers as di

from containers.core import graph, layers
from containers.core.agenda import reached
from containers.core.endings import collected
from containers.core.lives import NothingToAwait, raise_together
from containers.core.resources import Resource, name_resources

Resources = list[di.BaseResource[Any]]


def init_resources(container: Any, kind: type[di.BaseResource[Any]]) -> Any:
    """Begin every resource of the kind that is not replaced, dependencies first."""
    name_resources(container)
    resources = [one for one in _resources(container, kind) if layers.stand_in_of(one) is None]
    fresh = [one for one in resources if not one.initialized]
    if any(_is_awaited(one) for one in resources):
        return asyncio.ensure_future(_init_all(resources, fresh))
    try:
        begun = [one.init() for one in resources]
    except BaseException as error:  # noqa: BLE001 - raised again, with what fails meanwhile
        failures = [error]
        with collected(failures, None):
            _shut_down_sync(_begun(fresh))
        raise_together(failures)
    late = [result for result in begun if asyncio.isfuture(result)]
    return asyncio.gather(*late) if late else None


def shutdown_resources(container: Any, kind: type[di.BaseResource[Any]]) -> Any:
    """End every resource of the kind that has begun, dependants first."""
    resources = _resources(container, kind)
    begun = _begun(resources)
    if any(_is_awaited(one) or _ends_in_loop(one) for one in begun):
        return _shut_down(begun)
    _shut_down_sync(begun)
    return NothingToAwait() if any(_is_awaited(one) for one in resources) else None


def _resources(container: Any, kind: type[di.BaseResource[Any]]) -> Resources:
    """Dependencies first; also those that stand only inside other providers."""
    if not issubclass(kind, di.BaseResource):
        raise TypeError("resource_type must be a subclass of Resource provider")
    return sorted(container.traverse(types=[kind]), key=lambda one: len(reached(one)))


def _is_awaited(resource: di.BaseResource[Any]) -> bool:
    """Whether its beginning must be awaited: for itself, or for a resource that it needs."""
    return any(_waits(one) for one in (resource, *reached(resource)))


def _waits(one: di.Provider[Any]) -> bool:
    if isinstance(one, Resource):
        return one.needs_loop
    return isinstance(one, di.BaseResource) and graph.is_async(one)


def _ends_in_loop(one: di.BaseResource[Any]) -> bool:
    return isinstance(one, Resource) and one.must_stop_in_loop


async def _init_all(resources: Resources, fresh: Resources) -> list[Any]:
    results = await asyncio.gather(*map(_init, resources), return_exceptions=True)
    failures = [result for result in results if isinstance(result, BaseException)]
    if failures:
        with collected(failures, None):
            await _shut_down(_begun(fresh))
        raise_together(failures)
    return results


async def _init(resource: di.BaseResource[Any]) -> Any:
    if isinstance(resource, Resource):
        return await resource.open()
    result = resource.init()
    return await result if asyncio.isfuture(result) else result


def _begun(resources: Resources) -> Resources:
    """Dependants first."""
    return [one for one in reversed(resources) if one.initialized]


async def _shut_down(resources: Resources) -> None:
    failures: list[BaseException] = []
    for one in resources:
        with collected(failures, None):
            ended = one.shutdown()
            if inspect.isawaitable(ended):
                await ended
    raise_together(failures)


def _shut_down_sync(resources: Resources) -> None:
    failures: list[BaseException] = []
    for one in resources:
        with collected(failures, None):
            one.shutdown()
    raise_together(failures)
