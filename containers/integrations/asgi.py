"""One scope for each HTTP request and each WebSocket of an ASGI application."""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from containers.core.functions import scope

Message = MutableMapping[str, Any]
Connection = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Connection, Receive, Send], Awaitable[None]]

_HANDLED = "switchgear.handled"
_CONNECTIONS = frozenset({"http", "websocket"})


class ScopeMiddleware:
    """Opens a scope of the container around each connection; what else arrives passes through.

    The scope ends when the application is done with the connection: after the last piece of a
    streamed response, and after what the framework runs behind the response. An exception
    reaches the scope, so that its objects roll back, and goes on. One that a framework turned
    into a response reaches it too, where `note` was told.

    Args:
        app: The application inside.
        container: Whose scopes are opened.
        request: Makes the scope's context value `request` of a connection; by default it is the
            ASGI mapping itself.
    """

    def __init__(
        self, app: Any, container: Any, *, request: Callable[[Connection], Any] | None = None
    ) -> None:
        self.app = app
        self.container = container
        self._request = request or _itself

    async def __call__(self, connection: Any, receive: Any, send: Any) -> None:
        """Serve one connection."""
        if connection["type"] not in _CONNECTIONS:
            await self.app(connection, receive, send)
            return
        outer = connection.get(_HANDLED)
        handled: list[BaseException] = []
        connection[_HANDLED] = handled
        unit = scope(self.container, request=self._request(connection))
        await unit.__aenter__()
        try:
            await self.app(connection, receive, send)
        except BaseException as error:
            await unit.__aexit__(type(error), error, error.__traceback__)
            raise
        if outer is not None:  # of another application around this one
            connection[_HANDLED] = outer
            outer.extend(handled)
        if handled:
            await unit.__aexit__(type(handled[-1]), handled[-1], None)
        else:
            await unit.__aexit__(None, None, None)


def note(connection: Connection, error: BaseException) -> None:
    """Let the connection's scope know of an exception that becomes a response."""
    handled = connection.get(_HANDLED)
    if handled is not None:
        handled.append(error)


def _itself(connection: Connection) -> Connection:
    return connection
