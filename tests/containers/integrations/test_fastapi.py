"""FastAPI: every place where it calls a function of the application can be injected."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from typing import Annotated, Any

import httpx
import pytest
from fastapi import APIRouter, Depends, FastAPI, HTTPException, Request, WebSocket
from fastapi.responses import StreamingResponse
from starlette.requests import ClientDisconnect
from starlette.testclient import TestClient

from containers import Provide, inject, providers
from containers.core.scopes import current_scope
from containers.errors import ContainerError, LifecycleError
from containers.integrations.fastapi import setup
from tests.containers.integrations.shop import Service, Session, Shop


@pytest.fixture
def app() -> FastAPI:
    return FastAPI()


@pytest.fixture
def client(app) -> TestClient:
    return TestClient(app)


async def test_a_marker_as_default_is_filled(app, client, shop):
    @app.get("/")
    @inject
    async def endpoint(session: Session = Provide["session"]) -> bool:
        return session is await shop.session()

    setup(app, shop)
    assert client.get("/").json() is True
    assert shop.log() == ["open", "commit"]


def test_a_marker_of_the_containers_class_is_filled(app, client, shop):
    @app.get("/")
    @inject
    async def endpoint(service: Service = Provide[Shop.service]) -> str:
        return service.name

    setup(app, shop)
    assert client.get("/").json() == "service"


def test_an_annotated_marker_is_filled(app, client, shop):
    @app.get("/{number}")
    @inject
    async def endpoint(number: int, service: Annotated[Service, Provide["service"]]) -> str:
        return f"{number} {service.name}"

    setup(app, shop)
    assert client.get("/7").json() == "7 service"


def test_a_marker_inside_depends_is_filled(app, client, shop):
    @app.get("/")
    @inject
    async def endpoint(
        service: Annotated[Service, Depends(Provide[Shop.service])],
        default: Service = Depends(Provide[Shop.service]),  # noqa: B008 - FastAPI's way
    ) -> bool:
        return service is default is shop.service()

    setup(app, shop)
    assert client.get("/").json() is True


async def test_sub_dependencies_share_the_scope_of_their_request(app, client, shop):
    @inject
    async def user(name: str, session: Session = Provide[Shop.session]) -> str:
        return f"{name} {session.number}"

    @app.get("/")
    @inject
    async def endpoint(
        user: Annotated[str, Depends(user)], session: Session = Provide[Shop.session]
    ) -> bool:
        return user == f"ada {session.number}"

    setup(app, shop)
    assert client.get("/", params={"name": "ada"}).json() is True
    assert shop.log() == ["open", "commit"]


def test_yield_dependencies_end_before_the_scope(app, client, shop):
    @inject
    async def audit(session: Session = Provide[Shop.session]) -> AsyncIterator[int]:
        yield session.number
        shop.log().append("audited")

    @inject
    def sync_audit(session: Session = Provide[Shop.sync_session]) -> Iterator[int]:
        yield session.number
        shop.log().append("audited too")

    @app.get("/")
    async def endpoint(
        first: Annotated[int, Depends(audit)], second: Annotated[int, Depends(sync_audit)]
    ) -> bool:
        return first != second

    setup(app, shop)
    assert client.get("/").json() is True
    assert shop.log() == ["open", "open", "audited too", "audited", "commit", "commit"]


def test_a_class_a_method_and_a_callable_object_can_be_dependencies(app, client, shop):
    @inject
    class Page:
        def __init__(self, size: int = 10, service: Service = Provide[Shop.service]) -> None:
            self.text = f"{size} {service.name}"

    class Desk:
        @inject
        def method(self, service: Service = Provide[Shop.service]) -> str:
            return service.name

        @classmethod
        @inject
        def of_class(cls, service: Service = Provide[Shop.service]) -> str:
            return service.name

        @staticmethod
        @inject
        def static(service: Service = Provide[Shop.service]) -> str:
            return service.name

        @inject
        async def __call__(self, service: Service = Provide[Shop.service]) -> str:
            return service.name

    desk = Desk()

    @app.get("/")
    async def endpoint(
        page: Annotated[Page, Depends(Page)],
        method: Annotated[str, Depends(desk.method)],
        of_class: Annotated[str, Depends(Desk.of_class)],
        static: Annotated[str, Depends(Desk.static)],
        called: Annotated[str, Depends(desk)],
    ) -> list[str]:
        return [page.text, method, of_class, static, called]

    setup(app, shop)
    assert client.get("/", params={"size": 3}).json() == ["3 service", *["service"] * 4]


def test_methods_can_be_endpoints(app, client, shop):
    class Desk:
        @inject
        async def sell(self, amount: int, service: Service = Provide[Shop.service]) -> str:
            return f"{amount} {service.name}"

    app.add_api_route("/", Desk().sell)
    setup(app, shop)
    assert client.get("/", params={"amount": 2}).json() == "2 service"


def test_a_closure_decorated_after_setup_is_filled(app, client, shop):
    setup(app, shop)

    def add(path: str) -> None:
        @app.get(path)
        @inject
        async def endpoint(service: Service = Provide[Shop.service]) -> str:
            return path + service.name

    add("/late")
    assert client.get("/late").json() == "/lateservice"


def test_a_plain_endpoint_runs_in_a_thread_with_the_scope_of_its_request(app, client, shop):
    @app.get("/")
    @inject
    def endpoint(session: Session = Provide[Shop.sync_session]) -> bool:
        return session is shop.sync_session()

    setup(app, shop)
    assert client.get("/").json() is True
    assert shop.log() == ["open", "commit"]


async def test_a_generator_endpoint_streams_inside_the_scope(app, client, shop):
    @app.get("/")
    @inject
    async def endpoint(session: Session = Provide[Shop.session]) -> AsyncIterator[int]:
        for number in range(2):
            shop.log().append("piece")
            assert session is await shop.session()
            yield number

    setup(app, shop)
    assert client.get("/").text.split() == ["0", "1"]
    assert shop.log() == ["open", "piece", "piece", "commit"]


def test_a_streamed_response_keeps_the_scope_open(app, client, shop):
    @app.get("/")
    @inject
    async def endpoint(session: Session = Provide[Shop.session]) -> StreamingResponse:
        async def pieces() -> AsyncIterator[str]:
            shop.log().append("piece")
            yield str(session is await shop.session())

        return StreamingResponse(pieces())

    setup(app, shop)
    assert client.get("/").text == "True"
    assert shop.log() == ["open", "piece", "commit"]


@pytest.mark.parametrize("spec", ["2.3", "2.4"])
async def test_a_client_that_leaves_a_stream_rolls_back(app, shop, spec):
    gone = asyncio.Event()

    @app.get("/")
    @inject
    async def endpoint(session: Session = Provide[Shop.session]) -> StreamingResponse:
        async def pieces() -> AsyncIterator[str]:
            while True:
                yield "piece"
                await asyncio.sleep(0)

        return StreamingResponse(pieces())

    async def receive() -> Any:
        await gone.wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        if gone.is_set() and spec == "2.4":
            raise OSError
        if message["type"] == "http.response.body":
            gone.set()

    setup(app, shop)
    connection = {"type": "http", "method": "GET", "path": "/", "query_string": b"", "headers": []}
    with contextlib.suppress(ClientDisconnect):
        await app({**connection, "asgi": {"spec_version": spec}}, receive, send)
    opened, ended = shop.log()
    assert (opened, ended.split()[0]) == ("open", "rollback")


def test_a_web_socket_is_injected_and_has_one_scope(app, client, shop):
    @app.websocket("/")
    @inject
    async def endpoint(websocket: WebSocket, session: Session = Provide[Shop.session]) -> None:
        await websocket.accept()
        await websocket.send_json(session is await shop.session())
        await websocket.close()

    setup(app, shop)
    with client.websocket_connect("/") as socket:
        assert socket.receive_json() is True
    assert shop.log() == ["open", "commit"]


def test_an_http_exception_rolls_back_though_it_becomes_a_response(app, client, shop):
    @app.get("/")
    @inject
    async def endpoint(session: Session = Provide[Shop.session]) -> None:
        raise HTTPException(409)

    setup(app, shop)
    assert client.get("/").status_code == 409
    assert shop.log() == ["open", "rollback HTTPException"]


def test_an_exception_with_a_handler_of_the_application_rolls_back(app, client, shop):
    @app.exception_handler(LookupError)
    async def answer(request: Request, error: LookupError) -> Any:
        return StreamingResponse(iter("gone"), 410)

    @app.get("/")
    @inject
    async def endpoint(session: Session = Provide[Shop.session]) -> None:
        raise KeyError

    setup(app, shop)
    assert client.get("/").status_code == 410
    assert shop.log() == ["open", "rollback KeyError"]


def test_an_exception_nobody_handles_rolls_back(app, client, shop):
    @app.get("/")
    @inject
    async def endpoint(session: Session = Provide[Shop.session]) -> None:
        raise ZeroDivisionError

    setup(app, shop)
    with pytest.raises(ZeroDivisionError):
        client.get("/")
    assert shop.log() == ["open", "rollback ZeroDivisionError"]


def test_an_exception_while_injecting_is_an_answer_and_not_a_hang(app, shop):
    @app.get("/")
    @inject
    async def endpoint(service: Service = Provide[Shop.service]) -> None: ...

    def broken() -> Service:
        raise OSError("no service today")

    setup(app, shop)
    shop.service.set_provides(broken)
    assert TestClient(app, raise_server_exceptions=False).get("/").status_code == 500


async def test_ten_requests_at_once_have_ten_sessions(app, shop):
    together = asyncio.Barrier(10)

    @app.get("/")
    @inject
    async def endpoint(session: Session = Provide[Shop.session]) -> int:
        await together.wait()
        number = session.number
        assert session is await shop.session()
        return number

    setup(app, shop)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://x") as client:
        answers = await asyncio.gather(*(client.get("/") for _ in range(10)))
    assert len({answer.json() for answer in answers}) == 10
    assert shop.log().count("commit") == 10


@pytest.mark.parametrize("included", ["before", "after"])
def test_routers_are_injected_whenever_they_are_included(app, client, shop, included):
    router = APIRouter()

    @inject
    async def guard(service: Service = Provide[Shop.service]) -> None:
        shop.log().append(service.name)

    @router.get("/", dependencies=[Depends(guard)])
    @inject
    async def endpoint(service: Service = Provide[Shop.service]) -> str:
        return service.name

    if included == "before":
        app.include_router(router, prefix="/shop", dependencies=[Depends(guard)])
    setup(app, shop)
    if included == "after":
        app.include_router(router, prefix="/shop", dependencies=[Depends(guard)])
    assert client.get("/shop/").json() == "service"
    assert shop.log()[0] == "service"


def test_the_schema_shows_the_callers_parameters_only(app, client, shop):
    @inject
    async def paging(size: int = 10, session: Session = Provide[Shop.session]) -> int:
        return size

    @app.get("/{number}")
    @inject
    async def endpoint(
        number: int,
        paging: Annotated[int, Depends(paging)],
        default: Service = Provide[Shop.service],
        *,
        annotated: Annotated[Service, Provide[Shop.service]],
        depends: Annotated[Service, Depends(Provide[Shop.service])],
    ) -> None: ...

    setup(app, shop)
    shown = client.get("/openapi.json").json()["paths"]["/{number}"]["get"]
    assert [one["name"] for one in shown["parameters"]] == ["number", "size"]
    assert "requestBody" not in shown


def test_overrides_of_fastapi_and_of_the_container_both_work(app, client, shop):
    @inject
    async def name(service: Service = Provide[Shop.service]) -> str:
        return service.name

    @app.get("/")
    @inject
    async def endpoint(
        name: Annotated[str, Depends(name)], service: Service = Provide[Shop.service]
    ) -> list[str]:
        return [name, service.name]

    class Fake(Service):
        name = "fake"

    setup(app, shop)
    with shop.override(service=Fake()):
        assert client.get("/").json() == ["fake", "fake"]
    app.dependency_overrides[name] = lambda: "theirs"
    assert client.get("/").json() == ["theirs", "service"]


def test_the_request_is_a_context_value_of_the_scope(app, client, shop):
    @app.get("/{name}")
    async def endpoint(name: str) -> str:
        scope = current_scope()
        assert scope is not None
        return str(scope.context["request"].path_params["name"])

    setup(app, shop)
    assert client.get("/ada").json() == "ada"


@pytest.mark.skipif(not hasattr(providers, "ContextValue"), reason="the provider is to come")
def test_the_request_is_injectable_into_what_the_container_makes(app, client):
    class Asked(Shop):
        request: Any = getattr(providers, "ContextValue")("request", Request)  # noqa: B009 - to come
        path: Any = providers.Scoped(lambda request: request.url.path, request)

    @app.get("/{name}")
    @inject
    async def endpoint(
        name: str, path: str = Provide[Asked.path], request: Request = Provide[Asked.request]
    ) -> list[str]:
        return [path, request.path_params["name"]]

    container = Asked()
    setup(app, container)
    answer = client.get("/ada").json()
    container.unwire()
    assert answer == ["/ada", "ada"]


def test_the_container_lives_as_long_as_the_application(app, shop):
    setup(app, shop)
    with TestClient(app):
        assert shop.is_started
    assert shop.log() == ["start", "stop"]


def test_a_router_included_after_setup_keeps_the_containers_life(app, shop):
    setup(app, shop)
    app.include_router(APIRouter())
    with TestClient(app):
        assert shop.is_started
    assert not shop.is_started


def test_a_failed_start_fails_the_applications(app, client, shop):
    setup(app, shop)
    with (
        shop.override(failure="no route to host"),
        pytest.raises(LifecycleError, match="no route to host"),
        client,
    ):
        pass


def test_a_second_setup_is_an_error(app, shop):
    setup(app, shop)
    with pytest.raises(ContainerError, match="set up before"):
        setup(app, shop)
