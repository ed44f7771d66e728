"""One scope for each HTTP request and each WebSocket of an ASGI application."""

from collections.abc import Awaitable, Callable, Iterator, Mapping, MutableMapping
from typing import Any

from containers.core.functions import scope

Message = MutableMapping[str, Any]
Connection = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Connection, Receive, Send], Awaitable[None]]

_HANDLED = "switchgear.handled"
_CONNECTIONS = frozenset({"http", "websocket"})
_BODIES = frozenset(
    {"http.response.body", "http.response.pathsend", "http.response.zerocopysend"},
)


class ScopeMiddleware:
    """Opens a scope of the container around each connection; what else arrives passes through.

    The scope ends when the application is done with the connection: after the last piece of a
    streamed response, and after what the framework runs behind the response. An exception
    reaches the scope, so that its objects roll back, and goes on. One that a framework turned
    into a response reaches it too, where `note` was told. A response that was not sent whole,
    as the client went away, reaches it as a `ConnectionAbortedError`.

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
        unit = scope(self.container)
        unit.given = _Given(connection, self._request)
        unit.open_async()
        response = _Response(send)
        try:
            is_http = connection["type"] == "http"
            await self.app(connection, receive, response.send if is_http else send)
        except BaseException as error:
            await unit.__aexit__(type(error), error, error.__traceback__)
            raise
        finally:
            if outer is not None:  # of another application around this one
                connection[_HANDLED] = outer
        if outer is not None:
            outer.extend(handled)
        if is_http and not handled and not response.is_whole:
            handled.append(ConnectionAbortedError("the response was not sent to its end"))
        if handled:
            await unit.__aexit__(type(handled[-1]), handled[-1], None)
        else:
            await unit.__aexit__(None, None, None)


def note(connection: Connection, error: BaseException) -> None:
    """Let the connection's scope know of an exception that becomes a response."""
    handled = connection.get(_HANDLED)
    if handled is not None:
        handled.append(error)


class _Response:
    """Passes the messages of a response on, and knows whether its last one was among them."""

    __slots__ = ("_send", "is_whole")

    def __init__(self, send: Send) -> None:
        self._send = send
        self.is_whole = False

    async def send(self, message: Message) -> None:
        await self._send(message)
        if message["type"] in _BODIES and not message.get("more_body"):
            self.is_whole = True


class _Given(Mapping[str, Any]):
    """The context of a connection's scope; the request is made when it is first asked for."""

    def __init__(self, connection: Connection, make: Callable[[Connection], Any]) -> None:
        self._connection = connection
        self._make = make
        self._made: tuple[Any, ...] = ()

    def __getitem__(self, name: str) -> Any:
        if name != "request":
            raise KeyError(name)
        if not self._made:
            self._made = (self._make(self._connection),)
        return self._made[0]

    def __iter__(self) -> Iterator[str]:
        return iter(("request",))

    def __len__(self) -> int:
        return 1


def _itself(connection: Connection) -> Connection:
    return connection
