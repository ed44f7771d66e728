"""Starlette: `setup(app, container)`."""

import functools
import inspect
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import asynccontextmanager
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import HTTPConnection, Request
from starlette.routing import BaseRoute, Router

from containers.integrations.asgi import Connection, Receive, Send, note
from containers.integrations.hosting import (
    WiredMiddleware,
    Wiring,
    open_markers,
    refuse,
    running,
)

_HANDLERS = "starlette.exception_handlers"
_METHODS = ("get", "head", "post", "put", "patch", "delete", "options")
_EVENTS = ("on_connect", "on_receive", "on_disconnect")

Problems = Callable[[Iterable[BaseRoute]], Iterator[str]]


def setup(app: Starlette, container: Any) -> None:
    """Give the application its container: wired, started and stopped with it, a scope a request.

    The container starts before the application's own lifespan and stops after it; a failed start
    fails the application's. Each request and each WebSocket has a scope, with the context value
    `request`: its headers, path, state and user; the body and the messages are the endpoint's.

    Raises:
        ContainerError: The application was set up before.
        WiringError: An injected parameter that no wired container can fill; or a marker on an
            endpoint without `@inject`. Endpoints added later are looked at when the application
            starts.
    """
    install(app, container, problems)


def install(app: Starlette, container: Any, problems_of: Problems) -> None:
    """The same for a framework on Starlette, which looks at its routes itself."""
    present: list[Any] = [one.cls for one in app.user_middleware]
    refuse(_all_problems(app, problems_of))
    wiring = Wiring(container, is_set_up=_Middleware in present)
    watches: dict[int, _Watch] = {}

    def check() -> None:
        refuse(_all_problems(app, problems_of))
        for router in _mounted(app.routes):
            if id(router) not in watches:
                watches[id(router)] = _Watch(router, _nothing)
                watches[id(router)].install()

    app.router.lifespan_context = _lifespan(app.router.lifespan_context, wiring, check)
    app.add_middleware(_Middleware, wiring, watch=_Watch(app.router, check))


def _all_problems(app: Starlette, problems_of: Problems) -> Iterator[str]:
    for called in (*app.exception_handlers.values(), app.router.lifespan_context):
        yield from open_markers(called)
    yield from problems_of(app.routes)


def problems(routes: Iterable[BaseRoute]) -> Iterator[str]:
    """What is wrong with the endpoints, those of mounted applications too."""
    for route in routes:
        endpoint = getattr(route, "endpoint", None)
        if endpoint is not None:
            yield from open_markers(endpoint)
        if inspect.isclass(endpoint):
            for name in (*_METHODS, *_EVENTS):
                yield from open_markers(getattr(endpoint, name, None))
        yield from problems(getattr(route, "routes", None) or ())


class _Middleware(WiredMiddleware):
    """Made when the application has all its middleware, which may be several times."""

    def __init__(self, app: Any, wiring: Wiring, *, watch: "_Watch") -> None:
        super().__init__(app, wiring, _request)
        watch.install()


class _Watch:
    """Stands before the routes until the first request: checks them, listens to the handlers.

    An exception that a handler turns into a response goes no further; the handlers tell of it.
    """

    def __init__(self, router: Router, check: Callable[[], None]) -> None:
        self._router = router
        self._inner = router.middleware_stack
        self._check = check
        self._is_waiting = False

    def install(self) -> None:
        """Stand there, unless this is so already."""
        if not self._is_waiting:
            self._is_waiting = True
            self._inner, self._router.middleware_stack = (
                self._router.middleware_stack,
                self.__call__,
            )

    async def __call__(self, scope: Connection, receive: Receive, send: Send) -> None:
        if self._is_waiting and _HANDLERS in scope:  # not in the lifespan's
            self._check()
            self._listen(scope[_HANDLERS])
        await self._inner(scope, receive, send)

    def _listen(self, handlers: Iterable[dict[Any, Any]]) -> None:
        for group in handlers:
            group.update({kind: _noting(handler) for kind, handler in group.items()})
        self._is_waiting = False
        if self._router.middleware_stack == self.__call__:
            self._router.middleware_stack = self._inner


def _mounted(routes: Iterable[BaseRoute]) -> Iterator[Router]:
    for route in routes:
        app = getattr(route, "app", None) if getattr(route, "routes", None) else None
        while app is not None and not isinstance(app, (Starlette, Router)):
            app = getattr(app, "app", None)  # inside the middleware of the mount
        if isinstance(app, Starlette):
            yield app.router
        yield from _mounted(getattr(route, "routes", None) or ())


def _noting(handler: Any) -> Any:
    """The same handler, and the scope knows what it answered."""
    is_async = _is_async(handler)

    async def noted(connection: HTTPConnection[Any], error: Exception) -> Any:
        note(connection.scope, error)
        if is_async:
            return await handler(connection, error)
        return await run_in_threadpool(handler, connection, error)

    return noted


def _nothing() -> None:
    """What a mounted application is asked: the one it is mounted on looks at its routes."""


def _is_async(handler: Any) -> bool:
    while isinstance(handler, functools.partial):
        handler = handler.func
    called = handler if inspect.isroutine(handler) else type(handler).__call__
    return inspect.iscoroutinefunction(called)


def _lifespan(inner: Any, wiring: Wiring, check: Callable[[], None]) -> Any:
    @asynccontextmanager
    async def lifespan(app: Any) -> AsyncIterator[Any]:
        check()
        async with running(wiring), inner(app) as state:
            yield state

    return lifespan


def _request(connection: Connection) -> HTTPConnection[Any]:
    """What is known of the connection; its messages belong to the endpoint."""
    is_http = connection["type"] == "http"
    return Request(connection) if is_http else HTTPConnection(connection)
