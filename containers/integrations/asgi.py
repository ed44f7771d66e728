"""One scope for each HTTP request and each WebSocket of an ASGI application."""

from collections.abc import Awaitable, Callable, Iterator, Mapping, MutableMapping
from typing import Any

from containers.core.functions import scope

Message = MutableMapping[str, Any]
Connection = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Connection, Receive, Send], Awaitable[None]]

_EXCHANGE = "switchgear.exchange"
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
        outer = connection.get(_EXCHANGE)
        unit = scope(self.container)
        exchange = unit.given = connection[_EXCHANGE] = Exchange(connection, self._request, send)
        unit.open_async()
        is_http = connection["type"] == "http"
        try:
            await self.app(connection, receive, exchange.send if is_http else send)
        except BaseException as error:
            await unit.__aexit__(type(error), error, error.__traceback__)
            raise
        finally:
            if outer is not None:  # of another application around this one
                connection[_EXCHANGE] = outer
        wrong = exchange.error
        if wrong is not None and outer is not None:
            outer.error = wrong
        if wrong is None and is_http and not exchange.is_whole:
            wrong = ConnectionAbortedError("the response was not sent to its end")
        await unit.__aexit__(None if wrong is None else type(wrong), wrong, None)


def note(connection: Connection, error: BaseException) -> None:
    """Let the connection's scope know of an exception that becomes a response."""
    exchange = connection.get(_EXCHANGE)
    if exchange is not None:
        exchange.error = error


class Exchange(Mapping[str, Any]):
    """One connection: the context of its scope, and how it went.

    As a mapping it has `request`, which is made when it is first asked for.

    Attributes:
        error: The last exception that became a response.
        is_whole: Whether the last piece of the response was handed on.
    """

    __slots__ = ("_connection", "_made", "_make", "_send", "error", "is_whole")

    def __init__(
        self, connection: Connection, make: Callable[[Connection], Any], send: Send
    ) -> None:
        self._connection = connection
        self._make = make
        self._send = send
        self._made: tuple[Any, ...] = ()
        self.error: BaseException | None = None
        self.is_whole = False

    def send(self, message: Message) -> Awaitable[None]:
        """Pass a message of the response on."""
        if message["type"] in _BODIES and not message.get("more_body"):
            self.is_whole = True
        return self._send(message)

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
