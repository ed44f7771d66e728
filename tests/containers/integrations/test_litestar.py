"""Litestar: handlers and dependencies are injected, and each connection has a scope."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any

import httpx
import litestar.di
import pytest
from litestar import Controller, Litestar, Request, WebSocket, get, post, websocket
from litestar.di import NamedDependency
from litestar.exceptions import HTTPException
from litestar.params import FromPath, FromQuery, JSONBody
from litestar.response import Stream
from litestar.testing import TestClient

from containers import Provide, inject
from containers.core.scopes import current_scope
from containers.errors import ContainerError, LifecycleError
from containers.integrations.litestar import setup
from tests.containers.integrations.shop import Service, Session, Shop


def served(container: Any, *handlers: Any, **options: Any) -> TestClient[Litestar]:
    """A client of an application with these handlers."""
    app = Litestar(list(handlers), **options)
    setup(app, container)
    return TestClient(app)


@get("/")
@inject
async def sell(session: Session = Provide[Shop.session]) -> str:
    return str(session.number)


@get("/")
@inject
async def fail(session: Session = Provide[Shop.session]) -> None:
    raise HTTPException(status_code=409)


def test_default_and_annotated_markers_are_filled_beside_parameters(shop):
    @get("/{number:int}")
    @inject
    async def handler(
        number: FromPath[int],
        size: FromQuery[int],
        annotated: Annotated[Service, Provide[Shop.service]],
        default: Service = Provide[Shop.service],
    ) -> str:
        return f"{number} {size} {annotated is default}"

    with served(shop, handler) as client:
        assert client.get("/7", params={"size": 3}).text == "7 3 True"


def test_a_request_has_one_scope_that_ends_with_it(shop):
    with served(shop, sell) as client:
        first, second = client.get("/").text, client.get("/").text
    assert first != second
    assert shop.log() == ["start", "open", "commit", "open", "commit", "stop"]


def test_methods_of_a_controller_are_injected(shop):
    class Till(Controller):
        path = "/till"

        @post()
        @inject
        async def pay(
            self, data: JSONBody[dict[str, int]], service: Service = Provide[Shop.service]
        ) -> str:
            return f"{data['amount']} {service.name}"

    with served(shop, Till) as client:
        assert client.post("/till", json={"amount": 3}).text == "3 service"


def test_dependencies_of_litestar_share_the_scope(shop):
    @inject
    async def number(session: Session = Provide[Shop.session]) -> int:
        return session.number

    @get("/", dependencies={"number": litestar.di.Provide(number)})
    @inject
    async def handler(
        number: NamedDependency[int], session: Session = Provide[Shop.session]
    ) -> bool:
        return number == session.number

    with served(shop, handler) as client:
        assert client.get("/").json() is True


def test_a_plain_handler_in_a_thread_sees_the_scope_of_its_request(shop):
    @get("/", sync_to_thread=True)
    @inject
    def handler(session: Session = Provide[Shop.sync_session]) -> bool:
        return session is shop.sync_session()

    with served(shop, handler) as client:
        assert client.get("/").json() is True


def test_a_web_socket_has_one_scope(shop):
    @websocket("/")
    @inject
    async def handler(
        socket: WebSocket[Any, Any, Any], session: Session = Provide[Shop.session]
    ) -> None:
        await socket.accept()
        await socket.send_json(session is await shop.session())
        await socket.close()

    with served(shop, handler) as client, client.websocket_connect("/") as socket:
        assert socket.receive_json() is True


def test_an_exception_that_becomes_a_response_rolls_back(shop):
    with served(shop, fail) as client:
        assert client.get("/").status_code == 409
    assert "rollback HTTPException" in shop.log()


def test_the_scope_stays_open_until_a_streamed_response_has_been_sent(shop):
    @get("/")
    @inject
    async def handler(session: Session = Provide[Shop.session]) -> Stream:
        async def pieces() -> AsyncIterator[str]:
            shop.log().append("piece")
            yield str(session is await shop.session())

        return Stream(pieces())

    with served(shop, handler) as client:
        assert client.get("/").text == "True"
    assert shop.log() == ["start", "open", "piece", "commit", "stop"]


async def test_ten_requests_at_once_have_ten_sessions(shop):
    together = asyncio.Barrier(10)

    @get("/")
    @inject
    async def handler(session: Session = Provide[Shop.session]) -> str:
        await together.wait()
        return str(session is await shop.session() and session.number)

    app: Any = Litestar([handler])
    setup(app, shop)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://x") as client:
        answers = await asyncio.gather(*(client.get("/") for _ in range(10)))
    assert len({answer.text for answer in answers}) == 10


def test_the_request_is_a_context_value_of_the_scope(shop):
    @get("/{name:str}")
    async def handler(name: FromPath[str]) -> bool:
        scope = current_scope()
        assert scope is not None
        known = scope.context["request"]
        return isinstance(known, Request) and known.path_params["name"] == name

    with served(shop, handler) as client:
        assert client.get("/ada").json() is True


def test_the_schema_shows_the_callers_parameters_only(shop):
    @get("/{number:int}")
    @inject
    async def handler(number: FromPath[int], session: Session = Provide[Shop.session]) -> None: ...

    with served(shop, handler) as client:
        shown = client.get("/schema/openapi.json").json()["paths"]["/{number}"]["get"]
    assert [one["name"] for one in shown["parameters"]] == ["number"]


def test_the_applications_own_lifespan_runs_inside_the_containers(shop):
    @asynccontextmanager
    async def lifespan(app: Litestar) -> AsyncIterator[None]:
        shop.log().append("begin")
        yield
        shop.log().append("end")

    with served(shop, lifespan=[lifespan]):
        pass
    assert shop.log() == ["start", "begin", "end", "stop"]


async def test_a_failed_start_fails_the_applications(shop):
    app = Litestar()
    setup(app, shop)
    with shop.override(failure="no route"), pytest.raises(ExceptionGroup) as failed:
        async with app.lifespan():
            pass
    assert failed.group_contains(LifecycleError, match="no route")


def test_overrides_reach_handlers(shop):
    class Fake(Service):
        name = "fake"

    @get("/")
    @inject
    async def handler(service: Service = Provide[Shop.service]) -> str:
        return service.name

    with served(shop, handler) as client, shop.override(service=Fake()):
        assert client.get("/").text == "fake"


def test_a_second_setup_is_an_error(shop):
    app = Litestar()
    setup(app, shop)
    with pytest.raises(ContainerError, match="set up before"):
        setup(app, shop)
