"""FastAPI: `setup(app, container)`."""

from collections.abc import Iterable, Iterator
from typing import Any

from dependency_injector.providers import Provider
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from starlette.routing import BaseRoute

from containers.core.markers import is_marker, place_of
from containers.errors import WiringError
from containers.integrations import starlette
from containers.integrations.hosting import open_markers


def setup(app: FastAPI, container: Any) -> None:
    """Give the application its container: wired, started and stopped with it, a scope a request.

    The container starts before the application's own lifespan and stops after it; a failed start
    fails the application's. Each request and each WebSocket has a scope, with the context value
    `request`: its headers, path, state and user; the body and the messages are the endpoint's.

    Raises:
        ContainerError: The application was set up before.
        WiringError: An injected parameter that no wired container can fill; or a marker on an
            endpoint or a dependency without `@inject`, or in a list of dependencies. Endpoints
            added later are looked at when the application starts.
    """
    starlette.install(app, container, _problems)
    app.dependency_overrides = _Overrides(app.dependency_overrides)


class _Overrides(dict[Any, Any]):
    """FastAPI's overrides of dependencies; a provider is none of its, and would not be replaced."""

    def __setitem__(self, dependency: Any, replacement: Any) -> None:
        if isinstance(dependency, Provider) or is_marker(dependency):
            raise WiringError(
                f"FastAPI does not override {dependency!r}",
                where="app.dependency_overrides",
                hint="Replace it in the container: `with container.override(name=fake):`.",
            )
        super().__setitem__(dependency, replacement)

    def update(self, *args: Any, **kwargs: Any) -> None:
        for dependency, replacement in dict(*args, **kwargs).items():
            self[dependency] = replacement


def _problems(routes: Iterable[BaseRoute]) -> Iterator[str]:
    for route in iter_route_contexts(list(routes)):
        tree = getattr(route, "dependant", None)
        if tree is not None:
            yield from _of_calls(tree, tree.call)
            continue
        mounted = getattr(route, "routes", None)
        yield from _problems(mounted) if mounted else starlette.problems([route.original_route])


def _of_calls(tree: Any, endpoint: Any) -> Iterator[str]:
    """What is wrong with a function, and with all it depends on."""
    if is_marker(tree.call):
        if tree.name is None:  # otherwise a parameter's, which its function tells
            yield f"{place_of(endpoint)}: {tree.call!r} in a list of dependencies"
        return
    yield from open_markers(tree.call)
    for other in tree.dependencies:
        yield from _of_calls(other, endpoint)
