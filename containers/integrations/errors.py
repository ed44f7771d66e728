"""Errors of an ASGI application as `application/problem+json` (RFC 9457), and correlation ids.

`setup(app)` for FastAPI, Starlette and Litestar; any other application is wrapped:
`app = ErrorMiddleware(app)`.
"""

import math
from collections.abc import Iterable
from http import HTTPStatus
from typing import Any, NoReturn

import msgspec

from containers.errors import ContainerError
from containers.integrations.asgi import Application, Connection, Message, Receive, Send, note
from infrastructure.errors import Category
from infrastructure.observability.logging import accepted_correlation_id, correlation_id
from infrastructure.resilience.error_handler import ErrorReport, InfrastructureErrorHandler

#: Where a caller's id is looked for, in this order; the first is sent back.
_HEADERS = (b"x-correlation-id", b"x-request-id")
_INTERNAL_ERROR, _TRY_AGAIN_LATER = 1011, 1013


def setup(app: Any, handler: InfrastructureErrorHandler | None = None) -> None:
    """Answer what no handler of the application's own answers, and give each request its id.

    What the framework itself answers stays its own: its `HTTPException`s, its validation, the
    exceptions you have handlers for. The scope of a container, set up before or after, is told
    of the error all the same, so that it rolls back.

    Args:
        app: A FastAPI, Starlette or Litestar application.
        handler: Logs and reports the errors; by default one that is only used here.

    Raises:
        ContainerError: It is no application of theirs.
    """
    if hasattr(app, "add_middleware"):
        app.add_middleware(ErrorMiddleware, handler=handler)
    elif hasattr(app, "asgi_handler"):
        # the framework would answer 500 itself; what is raised again comes through to us
        app.exception_handlers.setdefault(HTTPStatus.INTERNAL_SERVER_ERROR.value, _pass_on)
        app.asgi_handler = ErrorMiddleware(app.asgi_handler, handler=handler)
    else:
        raise ContainerError(
            f"{type(app).__name__} is no application of FastAPI, Starlette or Litestar",
            where="containers.integrations.errors",
            hint="Wrap it: app = ErrorMiddleware(app).",
        )


class ErrorMiddleware:
    """Answers exceptions; nothing internal is in the answer, and the log line has its id.

    The correlation id is the caller's, from `X-Correlation-ID` or `X-Request-ID`, where it is
    safe to repeat, or a new one. It is bound for logs and sent back as `X-Correlation-ID`. An
    error after the response has begun is logged and goes on to the server; so does, unlogged, one
    of a WebSocket whose client is gone. Cancellations and the lifespan pass through.

    Args:
        app: The application inside.
        handler: Logs and reports the errors.
    """

    def __init__(self, app: Application, handler: InfrastructureErrorHandler | None = None) -> None:
        self.app = app
        self.handler = handler or InfrastructureErrorHandler()

    async def __call__(self, connection: Connection, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if connection["type"] not in {"http", "websocket"}:
            await self.app(connection, receive, send)
            return
        with correlation_id(_given(connection["headers"])) as chosen:
            exchange = _Exchange(connection, receive, send, chosen)
            try:
                await self.app(connection, exchange.receive, exchange.send)
            except Exception as error:
                if exchange.is_over:
                    raise
                note(connection, error)
                report = await self.handler.handle_error(error, exchange.context)
                if exchange.is_begun and connection["type"] == "http":
                    raise
                await exchange.answer(report)


class _Exchange:
    """One connection: what has been sent of its answer."""

    def __init__(
        self, connection: Connection, receive: Receive, send: Send, correlation_id: str
    ) -> None:
        self.is_begun = False
        self.is_over = False
        self._connection = connection
        self._receive = receive
        self._send = send
        self._correlation_id = correlation_id

    @property
    def context(self) -> dict[str, Any]:
        """What the log line says of the request."""
        method = self._connection.get("method", "WEBSOCKET")
        known = {"correlation_id": self._correlation_id, "method": method}
        return {**known, "path": self._connection.get("path", "")}

    async def receive(self) -> Message:
        """Pass a message in, and see a WebSocket's client go."""
        message = await self._receive()
        if message["type"] == "websocket.disconnect":
            self.is_over = True
        return message

    async def send(self, message: Message) -> None:
        """Pass a message out, with the id in the headers of the answer."""
        kind = message["type"]
        if kind in {"http.response.start", "websocket.accept"}:
            self.is_begun = True
            message = {**message, "headers": self._identified(message.get("headers") or ())}
        elif kind == "websocket.close":
            self.is_over = True
        await self._send(message)

    async def answer(self, report: ErrorReport) -> None:
        """Send the report; a WebSocket is closed with a code that says whether to come again."""
        if self._connection["type"] == "websocket":
            may_retry = report.category in {Category.TRANSIENT, Category.OVERLOAD}
            code = _TRY_AGAIN_LATER if may_retry else _INTERNAL_ERROR
            await self._send({"type": "websocket.close", "code": code, "reason": ""})
            return
        body = msgspec.json.encode(_problem(report))
        start = {"type": "http.response.start", "status": int(report.status)}
        await self.send({**start, "headers": list(_headers(report, len(body)))})
        await self._send({"type": "http.response.body", "body": body})

    def _identified(self, headers: Iterable[Any]) -> list[Any]:
        given = list(headers)
        if any(bytes(name).lower() == _HEADERS[0] for name, _ in given):
            return given
        return [*given, (_HEADERS[0], self._correlation_id.encode())]


def _given(headers: Iterable[tuple[bytes, bytes]]) -> str | None:
    found = dict(headers)
    for name in _HEADERS:
        accepted = accepted_correlation_id(found.get(name, b"").decode("latin-1"))
        if accepted:
            return accepted
    return None


def _problem(report: ErrorReport) -> dict[str, Any]:
    known = {status.value: status.phrase for status in HTTPStatus}
    return {
        "type": report.problem_type,
        "title": known.get(int(report.status), "Error"),
        "status": int(report.status),
        "detail": report.detail,
        "code": report.code,
        "correlation_id": report.correlation_id,
    }


def _headers(report: ErrorReport, length: int) -> Iterable[tuple[bytes, bytes]]:
    yield b"content-type", b"application/problem+json"
    yield b"content-length", str(length).encode()
    yield b"cache-control", b"no-store"
    if report.retry_after_seconds is not None:
        yield b"retry-after", str(max(0, math.ceil(report.retry_after_seconds))).encode()


def _pass_on(_request: Any, error: Exception) -> NoReturn:
    raise error
