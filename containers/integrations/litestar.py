"""Litestar: `setup(app, container)`."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

from litestar import Litestar
from litestar.connection import ASGIConnection

from containers.integrations.asgi import Connection, note
from containers.integrations.hosting import (
    WiredMiddleware,
    Wiring,
    open_markers,
    refuse,
    running,
)


def setup(app: Litestar, container: Any) -> None:
    """Give the application its container: wired, started and stopped with it, a scope a request.

    The container starts before the application's own lifespan and stops after it; a failed start
    fails the application's. Each request and each WebSocket has a scope, with the context value
    `request`: its headers, path, state and user; the body and the messages are the handler's.

    Raises:
        ContainerError: The application was set up before.
        WiringError: An injected parameter that no wired container can fill; or a marker on a
            handler or a dependency without `@inject`. Handlers registered later are looked at
            when the application starts.
    """
    refuse(_problems(app))
    wiring = Wiring(container, is_set_up=isinstance(app.asgi_handler, WiredMiddleware))
    app.asgi_handler = WiredMiddleware(app.asgi_handler, wiring, _request)
    app.after_exception.append(_note)
    # the public hooks would start the container after the application's own lifespan
    app._lifespan_managers.insert(0, _lifespan(wiring))  # noqa: SLF001


def _problems(app: Litestar) -> Iterator[str]:
    for called in (*app.exception_handlers.values(), *app.on_startup, *app.on_shutdown):
        yield from open_markers(called)
    for route in app.routes:
        handlers = getattr(route, "route_handlers", None) or [getattr(route, "route_handler", None)]
        for handler in filter(None, handlers):
            yield from open_markers(handler.fn)
            for provided in handler.resolve_dependencies().values():
                yield from open_markers(provided.dependency)


def _lifespan(wiring: Wiring) -> Any:
    @asynccontextmanager
    async def lifespan(app: Litestar) -> AsyncIterator[None]:
        refuse(_problems(app))
        async with running(wiring):
            yield

    return lifespan


async def _note(error: Exception, connection: Any) -> None:
    note(connection, error)


def _request(connection: Connection) -> ASGIConnection[Any, Any, Any, Any]:
    """What is known of the connection; its messages belong to the handler."""
    found: Any = connection
    if found["type"] == "http":
        return found["litestar_app"].request_class(found)  # type: ignore[no-any-return]  # so it is
    return ASGIConnection(found)
