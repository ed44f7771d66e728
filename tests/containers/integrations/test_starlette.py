"""Starlette: the container lives with the application, and each connection has a scope."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.endpoints import HTTPEndpoint
from starlette.exceptions import HTTPException
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.testclient import TestClient
from starlette.websockets import WebSocket

from containers import Closing, Provide, inject
from containers.core.scopes import current_scope
from containers.errors import ContainerError, LifecycleError
from containers.integrations.starlette import setup
from tests.containers.integrations.shop import Service, Session, Shop


def served(container: Any, *routes: Any, **options: Any) -> TestClient:
    """A client of an application with these routes."""
    app = Starlette(routes=list(routes), **options)
    setup(app, container)
    return TestClient(app)


@inject
async def sell(request: Request, session: Session = Provide[Shop.session]) -> Response:
    return PlainTextResponse(str(session.number))


@inject
async def fail(request: Request, session: Session = Provide[Shop.session]) -> Response:
    raise HTTPException(409)


def test_the_container_starts_and_stops_with_the_application(shop):
    with served(shop, Route("/", sell)):
        assert shop.is_started
    assert shop.log() == ["start", "stop"]


def test_the_applications_own_lifespan_runs_inside_the_containers(shop):
    @asynccontextmanager
    async def lifespan(app: Any) -> AsyncIterator[dict[str, str]]:
        shop.log().append("begin")
        yield {"shop": "open"}
        shop.log().append("end")

    async def state(request: Request) -> Response:
        return PlainTextResponse(request.state.shop)

    with served(shop, Route("/", state), lifespan=lifespan) as client:
        assert client.get("/").text == "open"
    assert shop.log() == ["start", "begin", "end", "stop"]


def test_the_lifespan_of_the_application_can_be_injected(shop):
    @asynccontextmanager
    @inject
    async def lifespan(app: Any, service: Service = Provide[Shop.service]) -> AsyncIterator[None]:
        shop.log().append(service.name)
        yield

    with served(shop, lifespan=lifespan):
        assert shop.log() == ["start", "service"]


def test_a_failed_start_fails_the_applications(shop):
    client = served(shop, Route("/", sell))
    with (
        shop.override(failure="no route to host"),
        pytest.raises(LifecycleError, match="no route to host"),
        client,
    ):
        pass


def test_a_failing_lifespan_stops_the_container(shop):
    @asynccontextmanager
    async def lifespan(app: Any) -> AsyncIterator[None]:
        raise OSError("no port")
        yield

    with pytest.raises(OSError, match="no port"), served(shop, lifespan=lifespan):
        pass
    assert shop.log() == ["start", "stop"]


def test_an_application_can_start_again(shop):
    client = served(shop, Route("/", sell))
    for _ in range(2):
        with client:
            assert client.get("/").status_code == 200
    assert shop.log().count("start") == shop.log().count("stop") == 2


async def test_a_container_that_runs_is_left_to_whoever_started_it(shop):
    app = Starlette()
    setup(app, shop)
    async with shop:
        async with app.router.lifespan_context(app):
            assert shop.is_started
        assert shop.is_started
    assert shop.log() == ["start", "stop"]


def test_a_second_setup_is_an_error(shop):
    app = Starlette()
    setup(app, shop)
    with pytest.raises(ContainerError, match="set up before"):
        setup(app, shop)


def test_an_endpoint_of_the_application_is_injected_without_a_lifespan(shop):
    assert served(shop, Route("/", sell)).get("/").status_code == 200
    assert shop.log() == ["open", "commit"]


def test_methods_of_a_class_are_injected(shop):
    class Till(HTTPEndpoint):
        @inject
        async def get(self, request: Request, service: Service = Provide[Shop.service]) -> Response:
            return PlainTextResponse(service.name)

    assert served(shop, Route("/", Till)).get("/").text == "service"


def test_a_plain_function_in_the_thread_pool_sees_the_scope_of_its_request(shop):
    @inject
    def endpoint(request: Request, session: Session = Provide[Shop.sync_session]) -> Response:
        return PlainTextResponse(str(session is shop.sync_session()))

    assert served(shop, Route("/", endpoint)).get("/").text == "True"
    assert shop.log() == ["open", "commit"]


def test_a_web_socket_has_one_scope_for_its_whole_life(shop):
    @inject
    async def endpoint(websocket: WebSocket, session: Session = Provide[Shop.session]) -> None:
        await websocket.accept()
        async for _ in websocket.iter_text():
            await websocket.send_text(str(session is await shop.session()))

    client = served(shop, WebSocketRoute("/", endpoint))
    with client.websocket_connect("/") as socket:
        for _ in range(2):
            socket.send_text("?")
            assert socket.receive_text() == "True"
        assert shop.log() == ["open"]
    assert shop.log() == ["open", "commit"]


@pytest.mark.parametrize("handler", ["default", "async", "sync"])
def test_an_exception_that_becomes_a_response_rolls_back(shop, handler):
    async def of_async(request: Request, error: Exception) -> Response:
        return PlainTextResponse("taken", 409)

    def of_sync(request: Request, error: Exception) -> Response:
        return PlainTextResponse("taken", 409)

    handlers: Any = {"default": {}, "async": {409: of_async}, "sync": {HTTPException: of_sync}}
    client = served(shop, Route("/", fail), exception_handlers=handlers[handler])
    assert client.get("/").status_code == 409
    assert shop.log() == ["open", "rollback HTTPException"]


def test_an_unhandled_exception_rolls_back_and_goes_on(shop):
    @inject
    async def endpoint(request: Request, session: Session = Provide[Shop.session]) -> Response:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        served(shop, Route("/", endpoint)).get("/")
    assert shop.log() == ["open", "rollback ZeroDivisionError"]


def test_an_exception_that_a_mounted_application_answers_rolls_back(shop):
    inner = Starlette(routes=[Route("/", fail)])
    assert served(shop, Mount("/inner", app=inner)).get("/inner/").status_code == 409
    assert shop.log() == ["open", "rollback HTTPException"]


def test_the_scope_stays_open_until_a_streamed_response_has_been_sent(shop):
    @inject
    async def pieces(session: Session = Provide[Shop.session]) -> AsyncIterator[str]:
        for _ in range(2):
            shop.log().append("piece")
            yield str(session is await shop.session())

    async def endpoint(request: Request) -> Response:
        return StreamingResponse(pieces())

    assert served(shop, Route("/", endpoint)).get("/").text == "TrueTrue"
    assert shop.log() == ["open", "piece", "piece", "commit"]


def test_a_background_task_has_the_scope_of_its_request(shop):
    @inject
    async def later(session: Session = Provide[Shop.session]) -> None:
        shop.log().append("later")

    async def endpoint(request: Request) -> Response:
        await shop.session()
        return PlainTextResponse("", background=BackgroundTask(later))

    served(shop, Route("/", endpoint)).get("/")
    assert shop.log() == ["open", "later", "commit"]


def test_middleware_of_the_application_shares_the_scope_of_its_endpoints(shop):
    class Audit(BaseHTTPMiddleware):
        async def dispatch(self, request: Request, call_next: Any) -> Any:
            response = await call_next(request)
            response.headers["session"] = str((await shop.session()).number)
            return response

    app = Starlette(routes=[Route("/", sell)])
    app.add_middleware(Audit)
    setup(app, shop)
    answer = TestClient(app).get("/")
    assert answer.headers["session"] == answer.text


def test_the_request_is_a_context_value_and_knows_the_path(shop):
    async def endpoint(request: Request) -> Response:
        scope = current_scope()
        assert scope is not None
        known = scope.context["request"]
        return PlainTextResponse(f"{type(known).__name__} {known.path_params['name']}")

    assert served(shop, Route("/{name}", endpoint)).get("/ada").text == "Request ada"


async def test_the_messages_of_a_request_are_the_endpoints(shop):
    async def endpoint(request: Request) -> Response:
        scope = current_scope()
        assert scope is not None
        with pytest.raises(RuntimeError, match="Receive channel"):
            await scope.context["request"].body()
        return Response(await request.body())

    assert served(shop, Route("/", endpoint, methods=["POST"])).post("/", content="x").text == "x"


async def test_ten_requests_at_once_have_ten_sessions(shop):
    together = asyncio.Barrier(10)

    @inject
    async def endpoint(request: Request, session: Session = Provide[Shop.session]) -> Response:
        await together.wait()
        return PlainTextResponse(str(session is await shop.session() and session.number))

    app = Starlette(routes=[Route("/", endpoint)])
    setup(app, shop)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://x") as client:
        answers = await asyncio.gather(*(client.get("/") for _ in range(10)))
    assert len({answer.text for answer in answers}) == 10
    assert shop.log().count("commit") == 10


def test_closing_ends_before_the_request(shop):
    @inject
    async def short(session: Session = Closing[Provide[Shop.session]]) -> int:
        return session.number

    @inject
    async def endpoint(request: Request, session: Session = Provide[Shop.session]) -> Response:
        assert await short() != session.number
        shop.log().append("after")
        return PlainTextResponse("")

    served(shop, Route("/", endpoint)).get("/")
    assert shop.log() == ["open", "open", "commit", "after", "commit"]
