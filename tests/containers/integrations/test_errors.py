"""Errors become problem documents that tell nothing internal, in every framework."""

import asyncio
import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest
from fastapi import FastAPI, HTTPException
from litestar import Litestar, WebSocket, get, websocket
from litestar.exceptions import HTTPException as LitestarException
from litestar.exceptions import WebSocketDisconnect as LitestarDisconnect
from litestar.params import FromPath
from litestar.testing import TestClient as LitestarClient
from starlette.applications import Starlette
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.routing import Route, WebSocketRoute
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from containers.errors import ContainerError
from containers.integrations import fastapi as fastapi_scopes
from containers.integrations.errors import ErrorMiddleware, setup
from infrastructure.errors import BusinessError, OverloadedError, UnavailableError
from infrastructure.observability.logging import RecordingLogger, current_correlation_id
from infrastructure.resilience.error_handler import InfrastructureErrorHandler

SECRET = "postgres://user:hunter2@db-7.internal"


class OrderTooLargeError(BusinessError):
    code = "order_too_large"


FAULTS: dict[str, Callable[[], Exception]] = {
    "down": lambda: UnavailableError(SECRET, where="db.default"),
    "busy": lambda: OverloadedError(SECRET, retry_after_seconds=2.1),
    "bug": lambda: RuntimeError(SECRET),
    "refused": lambda: OrderTooLargeError("At most 10 pieces."),
}


def failing(name: str) -> Any:
    """Say the current id; or raise what is named."""
    if name == "id":
        return {"id": current_correlation_id()}
    fault = FAULTS[name]()
    raise fault


def with_fastapi(handler: Any) -> TestClient:
    app = FastAPI()
    setup(app, handler)
    app.get("/missing")(missing)
    app.get("/{name}")(failing)
    return TestClient(app)


def missing() -> Any:
    raise HTTPException(404, "no such thing")


def with_starlette(handler: Any) -> TestClient:
    async def endpoint(request: Any) -> Any:
        name = request.path_params["name"]
        return JSONResponse(missing() if name == "missing" else failing(name))

    app = Starlette(routes=[Route("/{name}", endpoint)])
    setup(app, handler)
    return TestClient(app)


def with_litestar(handler: Any) -> LitestarClient[Litestar]:
    @get("/{name:str}", sync_to_thread=False)
    def endpoint(name: FromPath[str]) -> Any:
        if name == "missing":
            raise LitestarException(status_code=404, detail="no such thing")
        return failing(name)

    app = Litestar([endpoint])
    setup(app, handler)
    return LitestarClient(app)


@pytest.fixture
def log() -> RecordingLogger:
    return RecordingLogger()


FRAMEWORKS = {"fastapi": with_fastapi, "starlette": with_starlette, "litestar": with_litestar}


@pytest.fixture(params=FRAMEWORKS)
def client(request: Any, log: RecordingLogger) -> Iterator[Any]:
    served: Any = FRAMEWORKS[request.param](InfrastructureErrorHandler(logger=log))
    with served as client:
        yield client


@pytest.mark.parametrize(
    ("name", "status", "title"),
    [
        ("down", 503, "Service Unavailable"),
        ("busy", 503, "Service Unavailable"),
        ("bug", 500, "Internal Server Error"),
        ("refused", 422, None),
    ],
)
def test_error_is_a_problem_document_without_anything_internal(client, name, status, title):
    answer = client.get(f"/{name}")
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert (answer.status_code, problem["status"], problem["type"]) == (
        status,
        status,
        "about:blank",
    )
    assert title is None or problem["title"] == title
    assert "hunter2" not in answer.text
    assert "db." not in answer.text


def test_business_error_tells_its_message_and_its_code(client):
    problem = client.get("/refused").json()
    assert (problem["detail"], problem["code"]) == ("At most 10 pieces.", "order_too_large")


def test_when_to_come_again_is_a_header_in_whole_seconds(client):
    assert client.get("/busy").headers["retry-after"] == "3"
    assert "retry-after" not in client.get("/down").headers


def test_error_is_logged_once_under_the_id_of_the_answer(client, log):
    answer = client.get("/down", headers={"X-Request-ID": "req-1"})
    (line,) = log.lines
    assert line.correlation_id == "req-1" == answer.json()["correlation_id"]
    assert (line.fields["path"], type(line.error)) == ("/down", UnavailableError)


def test_callers_id_is_bound_for_logs_and_sent_back(client):
    answer = client.get("/id", headers={"X-Correlation-ID": "order-42"})
    assert (answer.json(), answer.headers["x-correlation-id"]) == ({"id": "order-42"}, "order-42")


@pytest.mark.parametrize("forged", ["a b", "x" * 200, '"quoted"', ""])
def test_id_that_is_not_safe_to_repeat_is_replaced(client, forged):
    answer = client.get("/id", headers={"X-Correlation-ID": forged})
    assert answer.headers["x-correlation-id"] == answer.json()["id"]
    assert answer.json()["id"] != forged
    assert len(answer.json()["id"]) == 32


def test_what_the_framework_answers_stays_its_own(client, log):
    answer = client.get("/missing")
    assert (answer.status_code, "no such thing" in answer.text) == (404, True)
    assert log.lines == []


def test_exception_with_a_handler_of_the_applications_own_goes_there():
    async def mine(*_: Any) -> PlainTextResponse:
        return PlainTextResponse("mine", 418)

    app = FastAPI(exception_handlers={UnavailableError: mine})
    setup(app)
    app.get("/{name}")(failing)
    assert TestClient(app).get("/down").text == "mine"


@pytest.mark.parametrize("is_scope_first", [True, False])
def test_scope_of_the_container_rolls_back_in_either_order(shop, is_scope_first):
    from containers import Provide, inject
    from tests.containers.integrations.shop import Session, Shop

    app = FastAPI()
    steps: list[Callable[[], None]] = [
        lambda: fastapi_scopes.setup(app, shop),
        lambda: setup(app, InfrastructureErrorHandler(logger=RecordingLogger())),
    ]
    for step in steps if is_scope_first else reversed(steps):
        step()

    @app.get("/")
    @inject
    async def sell(session: Session = Provide[Shop.session]) -> None:
        raise UnavailableError("gone")

    with TestClient(app) as client:
        assert client.get("/").status_code == 503
    assert "rollback UnavailableError" in shop.log()


@pytest.mark.parametrize(("name", "code"), [("down", 1013), ("bug", 1011)])
def test_websocket_is_closed_with_a_code_that_says_whether_to_come_again(log, name, code):
    async def endpoint(socket: Any) -> None:
        await socket.accept()
        failing(name)

    app = Starlette(routes=[WebSocketRoute("/", endpoint)])
    setup(app, InfrastructureErrorHandler(logger=log))
    with TestClient(app) as client, client.websocket_connect("/") as socket:
        with pytest.raises(WebSocketDisconnect) as closed:
            socket.receive_text()
        assert closed.value.code == code
    assert len(log.lines) == 1


def test_client_that_goes_away_is_no_error(log):
    left = []

    async def endpoint(socket: Any) -> None:
        await socket.accept()
        try:
            await socket.receive_text()
        except WebSocketDisconnect:
            left.append(True)
            raise

    app = Starlette(routes=[WebSocketRoute("/", endpoint)])
    setup(app, InfrastructureErrorHandler(logger=log))
    with TestClient(app) as client, suppress(WebSocketDisconnect), client.websocket_connect("/"):
        pass
    assert (left, log.lines) == ([True], [])


def test_litestar_closes_its_websockets_itself(log):
    @websocket("/")
    async def endpoint(socket: WebSocket[Any, Any, Any]) -> None:
        await socket.accept()
        failing("bug")

    app = Litestar([endpoint])
    setup(app, InfrastructureErrorHandler(logger=log))
    with LitestarClient(app) as client, client.websocket_connect("/") as socket:
        with pytest.raises(LitestarDisconnect) as closed:
            socket.receive_text()
        assert closed.value.code == 4500


async def serve(app: Any, log: RecordingLogger, **connection: Any) -> list[Any]:
    """What plain ASGI sends for one connection."""
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        return {"type": "http.request"}

    middleware = ErrorMiddleware(app, InfrastructureErrorHandler(logger=log))
    given = {"type": "http", "headers": [], "method": "GET", "path": "/", **connection}
    try:
        await middleware(given, receive, send)
    except Exception as error:  # noqa: BLE001 - the server sees it
        sent.append(error)
    return sent


async def test_error_after_the_response_has_begun_is_logged_and_goes_on(log):
    async def app(connection: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        raise UnavailableError("gone")

    sent = await serve(app, log)
    assert [type(one) for one in sent] == [dict, UnavailableError]
    assert len(log.lines) == 1


async def test_cancellation_passes(log):
    async def app(connection: Any, receive: Any, send: Any) -> None:
        raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await serve(app, log)
    assert log.lines == []


async def test_lifespan_passes_untouched(log):
    async def app(connection: Any, receive: Any, send: Any) -> None:
        await send({"type": "lifespan.startup.failed"})
        raise RuntimeError("no")

    sent = await serve(app, log, type="lifespan")
    assert sent[0] == {"type": "lifespan.startup.failed"}
    assert (type(sent[1]), log.lines) == (RuntimeError, [])


async def test_any_asgi_application_is_answered_for(log):
    async def app(connection: Any, receive: Any, send: Any) -> None:
        raise failing("refused")

    start, body = await serve(app, log)
    headers = dict(start["headers"])
    assert headers[b"x-correlation-id"].decode() == json.loads(body["body"])["correlation_id"]
    assert int(headers[b"content-length"]) == len(body["body"])


async def test_id_the_application_sends_itself_is_left(log):
    async def app(connection: Any, receive: Any, send: Any) -> None:
        headers = [(b"X-Correlation-ID", b"mine")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})

    (start,) = await serve(app, log)
    assert start["headers"] == [(b"X-Correlation-ID", b"mine")]


def test_what_is_no_application_of_theirs_is_refused():
    with pytest.raises(ContainerError, match="Wrap it: app = ErrorMiddleware"):
        setup(object())
