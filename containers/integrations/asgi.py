"""One scope for each HTTP request and each WebSocket of an ASGI application."""

from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from types import MappingProxyType
from typing import Any, cast

from containers.core.scopes import NOBODY, Scope

Message = MutableMapping[str, Any]
Connection = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Connection, Receive, Send], Awaitable[None]]

_EXCHANGE = "switchgear.exchange"
_CONNECTIONS = frozenset({"http", "websocket"})
#: A response ends with one of these, unless it says that more follows.
_LAST = frozenset(
    {
        "http.response.body",
        "http.response.pathsend",
        "http.response.zerocopysend",
        "http.response.trailers",
    },
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
        kind = connection["type"]
        if kind not in _CONNECTIONS:
            await self.app(connection, receive, send)
            return
        outer = connection.get(_EXCHANGE)
        exchange = connection[_EXCHANGE] = Exchange(self.container, connection, self._request, send)
        exchange.__enter__()
        is_http, is_cut_short = kind == "http", False
        try:
            await self.app(connection, receive, exchange.send if is_http else send)
            is_cut_short = is_http and exchange.endings is not None and not exchange.is_whole
        except BaseException as error:
            await exchange.__aexit__(type(error), error, error.__traceback__)
            raise
        finally:
            exchange.last = None
            if outer is not None:  # of another application around this one
                connection[_EXCHANGE] = outer
        wrong = exchange.error
        if wrong is not None and outer is not None:
            outer.error = wrong
        if wrong is None and is_cut_short:
            wrong = ConnectionAbortedError("the response was not sent to its end")
        rest = exchange.close_async(wrong)  # what `async with` does, and a coroutine less
        if rest is not None:
            await rest
        exchange.__exit__(None, None, None)


def note(connection: Connection, error: BaseException) -> None:
    """Let the connection's scope know of an exception that becomes a response."""
    exchange = connection.get(_EXCHANGE)
    if exchange is not None:
        exchange.error = error


class Exchange(Scope):
    """One connection: its scope, and how it went.

    Its context has `request`, which is made when the context is first looked at.

    Attributes:
        error: The last exception that became a response.
        last: The last message of the response, while the application is not done.
    """

    __slots__ = ("_request", "_send", "error", "last")

    def __init__(
        self,
        container: Any,
        connection: Connection,
        request: Callable[[Connection], Any],
        send: Send,
    ) -> None:
        self.container = container
        self.given = connection  # until somebody looks
        self.layout = self.cells = None  # type: ignore[assignment]  # until it is opened
        self.pending = NOBODY
        self._request = request
        self._send = send
        self.error: BaseException | None = None
        self.last: Message | None = None

    @property
    def context(self) -> Mapping[str, Any]:
        """`request`, made when this is first looked at."""
        if self.is_open and type(self.given) is not MappingProxyType:
            request = self._request(cast("Connection", self.given))
            self.given = MappingProxyType({"request": request})
        return self.given

    @property
    def is_whole(self) -> bool:
        """Whether the last piece of the response was handed on."""
        last = self.last
        return last is not None and last["type"] in _LAST and not last.get("more_body")

    def send(self, message: Message) -> Awaitable[None]:
        """Pass a message of the response on."""
        self.last = message  # looked at when the application is done: less than to look each time
        return self._send(message)


def _itself(connection: Connection) -> Connection:
    return connection
