"""What goes wrong with plain wiring works here, or is an error with file and line.

A marker never reaches the code of the user.
"""

import asyncio
import contextlib
import inspect
from collections.abc import AsyncIterator, Callable, Iterator
from functools import partial, wraps
from typing import Annotated, Any, Optional

import click
import flask
import httpx
import litestar
import pytest
import typer
from click.testing import CliRunner as ClickRunner
from dependency_injector.providers import ContextLocalResource
from fastapi import Depends, FastAPI
from flask.views import MethodView
from starlette.applications import Starlette
from starlette.endpoints import HTTPEndpoint
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route
from starlette.testclient import TestClient
from typer.testing import CliRunner

from containers import Closing, DeclarativeContainer, Provide, inject, providers
from containers.errors import ValidationError, WiringError
from containers.integrations import fastapi as on_fastapi
from containers.integrations import flask as on_flask
from containers.integrations import litestar as on_litestar
from containers.integrations import starlette as on_starlette
from containers.integrations import typer as on_typer
from tests.containers.integrations import postponed
from tests.containers.integrations.shop import Service, Session, Shop, SyncShop, session

HERE = r"test_miswiring\.py:\d+: 'service' of .*"


def endpoint(service: Any = Provide[Shop.service]) -> str:
    """Lacks the decorator, as those that follow."""
    return type(service).__name__


def annotated(service: Annotated[Any, Provide[Shop.service]] = None) -> str:
    return type(service).__name__


def depends(service: Any = Depends(Provide[Shop.service])) -> str:  # noqa: B008 - FastAPI's way
    return type(service).__name__


class Method(HTTPEndpoint):
    def get(self, request: Any, service: Any = Provide[Shop.service]) -> Any: ...


class View(MethodView):
    def get(self, service: Any = Provide[Shop.service]) -> str:
        return type(service).__name__


async def lifespan(app: Any, service: Any = Provide["service"]) -> AsyncIterator[None]:
    yield


class NeedsService:
    def __init__(self, service: Any = Provide[Shop.service]) -> None: ...


def fastapi_with(function: Any, **options: Any) -> FastAPI:
    app = FastAPI()
    app.get("/", **options)(function)
    return app


def fastapi_depending_on(function: Any) -> FastAPI:
    async def top(value: Annotated[Any, Depends(function)]) -> None: ...

    return fastapi_with(top)


def flask_with(function: Any) -> flask.Flask:
    app = flask.Flask("shop")
    app.add_url_rule("/", view_func=function)
    return app


def typer_with(function: Any) -> typer.Typer:
    app = typer.Typer()
    app.command()(function)
    return app


def typer_group_of(app: typer.Typer) -> typer.Typer:
    group = typer.Typer()
    group.add_typer(app, name="group")
    return group


def mounted_on_fastapi() -> FastAPI:
    app = FastAPI()
    app.mount("/in", Starlette(routes=[Route("/", endpoint)]))
    return app


UNINJECTED: dict[str, tuple[Any, Callable[[], Any]]] = {
    "fastapi, default": (on_fastapi, lambda: fastapi_with(endpoint)),
    "fastapi, annotated": (on_fastapi, lambda: fastapi_with(annotated)),
    "fastapi, depends": (on_fastapi, lambda: fastapi_with(depends)),
    "fastapi, sub-dependency": (on_fastapi, lambda: fastapi_depending_on(endpoint)),
    "fastapi, class as dependency": (on_fastapi, lambda: fastapi_depending_on(NeedsService)),
    "fastapi, partial": (on_fastapi, lambda: fastapi_with(partial(endpoint))),
    "starlette": (on_starlette, lambda: Starlette(routes=[Route("/", endpoint)])),
    "starlette, class": (on_starlette, lambda: Starlette(routes=[Route("/", Method)])),
    "starlette, mounted": (
        on_starlette,
        lambda: Starlette(routes=[Mount("/in", routes=[Route("/", endpoint)])]),
    ),
    "starlette mounted on fastapi": (on_fastapi, mounted_on_fastapi),
    "litestar": (
        on_litestar,
        lambda: litestar.Litestar([litestar.get("/", sync_to_thread=False)(endpoint)]),
    ),
    "flask": (on_flask, lambda: flask_with(endpoint)),
    "flask, class": (on_flask, lambda: flask_with(View.as_view("view"))),
    "typer": (on_typer, lambda: typer_with(endpoint)),
    "typer, group": (on_typer, lambda: typer_group_of(typer_with(endpoint))),
    "click": (on_typer, lambda: click.command()(endpoint)),
    "click, group": (on_typer, lambda: click.group()(endpoint)),
    "click, in a group": (on_typer, lambda: click.Group("g", commands=[click.command()(endpoint)])),
}


def handler(request: Any, error: Any, service: Any = Provide["service"]) -> Any: ...


def flask_error(error: Any, service: Any = Provide["service"]) -> Any: ...


def flask_handling() -> flask.Flask:
    app = flask.Flask("shop")
    app.register_error_handler(404, flask_error)
    return app


def flask_hooked() -> flask.Flask:
    app = flask.Flask("shop")
    app.before_request(endpoint)
    return app


UNINJECTED |= {
    "fastapi, handler": (on_fastapi, lambda: FastAPI(exception_handlers={404: handler})),
    "starlette, handler": (on_starlette, lambda: Starlette(exception_handlers={404: handler})),
    "starlette, lifespan": (
        on_starlette,
        lambda: Starlette(lifespan=contextlib.asynccontextmanager(lifespan)),
    ),
    "litestar, handler": (
        on_litestar,
        lambda: litestar.Litestar(exception_handlers={404: handler}),
    ),
    "litestar, hook": (on_litestar, lambda: litestar.Litestar(on_startup=[endpoint])),
    "flask, handler": (on_flask, flask_handling),
    "flask, hook": (on_flask, flask_hooked),
}


@pytest.mark.filterwarnings("ignore:.*deprecated inferred style")  # Litestar's, of the marker
@pytest.mark.parametrize("case", UNINJECTED)
def test_a_marker_without_inject_is_an_error_of_setup_with_file_and_line(sync_shop, case):
    integration, build = UNINJECTED[case]
    with pytest.raises(WiringError, match=HERE):
        integration.setup(build(), sync_shop)


def test_inject_above_the_frameworks_decorator_is_an_error_of_setup(shop):
    app = FastAPI()

    @inject
    @app.get("/")
    async def endpoint(service: Any = Provide[Shop.service]) -> None: ...

    with pytest.raises(WiringError, match=HERE):
        on_fastapi.setup(app, shop)


@pytest.mark.parametrize("with_lifespan", [True, False])
@pytest.mark.parametrize(
    ("integration", "app"), [(on_fastapi, FastAPI()), (on_starlette, Starlette())]
)
def test_a_route_added_after_setup_is_looked_at_before_the_first_request(
    shop, integration, app, with_lifespan
):
    app = type(app)()
    integration.setup(app, shop)
    app.router.routes.append(Route("/", endpoint))
    client = TestClient(app)
    with pytest.raises(WiringError, match=HERE):
        client.__enter__() if with_lifespan else client.get("/")


def test_a_view_added_after_setup_is_looked_at_by_the_first_request(sync_shop):
    app = flask.Flask("shop")
    on_flask.setup(app, sync_shop)
    app.add_url_rule("/", view_func=endpoint)
    with pytest.raises(WiringError, match=HERE):
        app.test_client().get("/")


def test_a_command_added_after_setup_is_looked_at_when_it_is_added(sync_shop):
    for app in (typer.Typer(), click.Group("shop")):
        on_typer.setup(app, sync_shop)
        with pytest.raises(WiringError, match=HERE):
            app.command()(endpoint)


def test_the_callback_of_a_group_is_looked_at_when_it_is_added(sync_shop):
    app = typer.Typer()
    on_typer.setup(app, sync_shop)
    with pytest.raises(WiringError, match=HERE):
        app.callback()(endpoint)


def test_all_endpoints_without_inject_are_named_at_once(shop):
    app = fastapi_with(endpoint)
    app.get("/other")(annotated)
    with pytest.raises(WiringError, match=r"(?s)of endpoint .*of annotated "):
        on_fastapi.setup(app, shop)


def test_a_marker_in_a_list_of_dependencies_is_an_error(shop):
    async def listed() -> None: ...

    app = fastapi_with(listed, dependencies=[Depends(Provide[Shop.service])])
    with pytest.raises(WiringError, match=r"test_miswiring\.py:\d+: .* in a list of dependencies"):
        on_fastapi.setup(app, shop)


def test_a_provider_in_dependency_overrides_is_an_error(shop):
    app = FastAPI()
    on_fastapi.setup(app, shop)
    with pytest.raises(WiringError, match=r"dependency_overrides.*container\.override"):
        app.dependency_overrides[Shop.service] = Service
    with pytest.raises(WiringError, match=r"dependency_overrides.*container\.override"):
        app.dependency_overrides.update({Provide[Shop.service]: Service})


def test_an_endpoint_nobody_wired_is_an_error_and_gets_no_marker():
    with pytest.raises(WiringError, match=rf"{HERE}wire\(\)"):
        TestClient(fastapi_with(inject(endpoint))).get("/")


def test_an_unknown_name_is_an_error_of_setup(shop):
    @inject
    async def wrong(request: Any, service: Service = Provide["nope"]) -> None: ...

    with pytest.raises(WiringError, match=HERE + "nope"):
        on_starlette.setup(Starlette(routes=[Route("/", wrong)]), shop)


def test_an_unknown_name_that_came_later_is_an_error_of_the_start(shop):
    app = Starlette()
    on_starlette.setup(app, shop)

    @inject
    async def wrong(request: Any, service: Service = Provide["nope"]) -> None: ...

    app.router.routes.append(Route("/", wrong))
    with pytest.raises(ValidationError, match=r"test_miswiring\.py:\d+.*nope"), TestClient(app):
        pass
    with pytest.raises(WiringError, match=HERE + "nope"):
        TestClient(app).get("/")


def test_a_dependency_that_was_not_set_is_an_error_of_the_start():
    class Unset(DeclarativeContainer):
        service: Any = providers.Dependency(instance_of=Service)

    container = Unset()
    app = FastAPI()
    on_fastapi.setup(app, container)
    try:
        with pytest.raises(ValidationError, match="unset-dependency"), TestClient(app):
            pass
    finally:
        container.unwire()


def test_an_object_that_must_be_awaited_is_an_error_of_setup_in_a_plain_endpoint(shop):
    def plain(session: Session = Provide[Shop.session]) -> None: ...

    with pytest.raises(WiringError, match=r"test_miswiring\.py:\d+: 'session' .*async def"):
        on_fastapi.setup(fastapi_with(inject(plain)), shop)


def test_a_marker_inside_an_optional_type_is_not_lost(shop):
    @inject
    async def outer(service: Annotated[Service | None, Provide[Shop.service]] = None) -> str:
        return type(service).__name__

    app = fastapi_with(outer)
    on_fastapi.setup(app, shop)
    assert TestClient(app).get("/").json() == "Service"


def test_a_marker_that_an_optional_type_hides_is_an_error_at_decoration():
    def inner(service: Optional[Annotated[Service, Provide[Shop.service]]] = None) -> None: ...  # noqa: UP045 - the old spelling

    with pytest.raises(WiringError, match=r"test_miswiring\.py:\d+: the marker of 'service'"):
        inject(inner)


@pytest.mark.parametrize("path", ["/annotated", "/depends", "/default"])
def test_postponed_annotations_work_on_fastapi(shop, path):
    app = FastAPI(routes=postponed.fastapi_app.routes)
    on_fastapi.setup(app, shop)
    assert TestClient(app).get(path, params={"number": 7}).json() == "7 service"


def test_postponed_annotations_work_on_litestar(shop):
    from litestar.testing import TestClient

    app = litestar.Litestar([postponed.litestar_handler])
    on_litestar.setup(app, shop)
    with TestClient(app) as client:
        assert client.get("/", params={"number": 7}).text == "7 service"


def test_postponed_annotations_work_on_typer(shop):
    app = typer.Typer()
    app.command()(postponed.command)
    on_typer.setup(app, shop)
    assert CliRunner().invoke(app, ["7"]).output == "7 service\n"


def test_plain_wiring_without_arguments_is_enough(shop):
    @inject
    def call(service: Service = Provide[Shop.service]) -> Service:
        return service

    shop.wire()
    assert call() is shop.service()


def test_the_second_application_leaves_the_first_its_container(shop):
    second = Shop()

    @inject
    async def who(service: Service = Provide[Shop.service]) -> bool:
        return service is second.service()

    app = fastapi_with(who)
    on_fastapi.setup(app, shop)
    on_fastapi.setup(FastAPI(), second)
    second.unwire()
    assert TestClient(app).get("/").json() is False


def test_each_of_two_applications_injects_from_its_own_container(shop):
    second = Shop()

    @inject
    async def who(service: Service = Provide[Shop.service]) -> bool:
        return service is shop.service()

    first_app, second_app = fastapi_with(who), fastapi_with(who)
    on_fastapi.setup(first_app, shop)
    on_fastapi.setup(second_app, second)
    answers = [TestClient(app).get("/").json() for app in (first_app, second_app)]
    second.unwire()
    assert answers == [True, False]


def test_decorators_may_stand_above_and_below_inject(shop):
    def passing(function: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(function)
        async def call(*args: Any, **kwargs: Any) -> Any:
            return await function(*args, **kwargs)

        return call

    @passing
    @inject
    @passing
    async def call(number: int, service: Service = Provide[Shop.service]) -> str:
        return f"{number} {service.name}"

    app = fastapi_with(call)
    on_fastapi.setup(app, shop)
    assert TestClient(app).get("/", params={"number": 7}).json() == "7 service"


def test_a_partial_of_an_injected_function_can_be_an_endpoint(shop):
    @inject
    async def call(number: int, sign: str, service: Service = Provide[Shop.service]) -> str:
        return f"{number}{sign}{service.name}"

    app = fastapi_with(partial(call, sign="-"))
    on_fastapi.setup(app, shop)
    assert TestClient(app).get("/", params={"number": 7}).json() == "7-service"


def test_injecting_takes_no_thread(shop):
    import threading

    threads: list[int] = []

    def service() -> Service:
        threads.append(threading.get_ident())
        return Service()

    shop.service.set_provides(service)

    @inject
    async def call(service: Annotated[Service, Depends(Provide[Shop.service])]) -> int:
        return threading.get_ident()

    app = fastapi_with(call)
    on_fastapi.setup(app, shop)
    assert TestClient(app).get("/").json() == threads[0]


def test_closing_on_a_generator_ends_after_its_body_and_keeps_its_kind(sync_shop):
    @inject
    def pieces(session: Session = Closing[Provide[SyncShop.session]]) -> Iterator[str]:
        sync_shop.log().append("body")
        yield "piece"

    sync_shop.wire()
    assert inspect.isgeneratorfunction(pieces)
    assert list(pieces()) == ["piece"]
    assert sync_shop.log() == ["open", "body", "commit"]


async def test_closing_in_two_requests_at_once_gives_each_its_own(shop):
    together = asyncio.Barrier(2)

    @inject
    async def call(session: Session = Closing[Provide[Shop.session]]) -> int:
        await together.wait()
        return session.number

    app = fastapi_with(call)
    on_fastapi.setup(app, shop)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://x") as client:
        first, second = await asyncio.gather(client.get("/"), client.get("/"))
    assert first.json() != second.json()
    assert shop.log() == ["open", "open", "commit", "commit"]


async def test_an_inner_closing_leaves_the_outer_its_session(shop):
    @inject
    async def inner(session: Session = Closing[Provide[Shop.session]]) -> int:
        return session.number

    @inject
    async def outer(session: Session = Closing[Provide[Shop.session]]) -> bool:
        different = await inner() != session.number
        shop.log().append("outer")
        return different

    shop.wire()
    assert await outer()
    assert shop.log() == ["open", "open", "commit", "outer", "commit"]


async def test_the_exception_of_a_handler_reaches_what_closing_opened(shop):
    @inject
    async def call(session: Session = Closing[Provide[Shop.session]]) -> None:
        raise LookupError

    shop.wire()
    with pytest.raises(LookupError):
        await call()
    assert shop.log() == ["open", "rollback LookupError"]


class OfResources(DeclarativeContainer):
    log: Any = providers.Singleton(list)
    plain: Any = providers.Resource(session, log)
    by_context: Any = ContextLocalResource(session, log)


@pytest.fixture
def resources() -> Iterator[Any]:
    container = OfResources()
    container.wire()
    yield container
    container.unwire()


async def test_closing_opens_a_resource_that_was_not_started(resources):
    @inject
    async def call(session: Any = Closing[Provide[OfResources.plain]]) -> None:
        resources.log().append("body")

    await call()
    assert resources.log() == ["open", "body", "commit"]


async def test_closing_a_resource_of_the_context_gives_each_task_its_own(resources):
    together = asyncio.Barrier(2)

    @inject
    async def call(session: Any = Closing[Provide[OfResources.by_context]]) -> int:
        await together.wait()
        number: int = session.number
        return number

    first, second = await asyncio.gather(call(), call())
    assert first != second


async def test_the_exception_of_a_handler_reaches_a_resource_that_closing_opened(resources):
    @inject
    async def call(session: Any = Closing[Provide[OfResources.plain]]) -> None:
        raise LookupError

    with pytest.raises(LookupError):
        await call()
    assert resources.log() == ["open", "rollback LookupError"]


async def test_an_inner_closing_leaves_the_outer_its_resource(resources):
    @inject
    async def inner(session: Any = Closing[Provide[OfResources.by_context]]) -> None: ...

    @inject
    async def outer(session: Any = Closing[Provide[OfResources.by_context]]) -> None:
        await inner()
        resources.log().append("outer")

    await outer()
    assert resources.log()[-2:] == ["outer", "commit"]


async def test_two_closing_parameters_end_in_reverse_order():
    async def opened(log: list[str], name: str) -> AsyncIterator[str]:
        log.append(f"+{name}")
        yield name
        log.append(f"-{name}")

    class Two(DeclarativeContainer):
        log: Any = providers.Singleton(list)
        service = providers.Singleton(Service)
        first = providers.Scoped(opened, log, "first")
        second = providers.Scoped(opened, log, "second")

    @inject
    async def call(
        first: str = Closing[Provide[Two.first]], second: str = Closing[Provide[Two.second]]
    ) -> None: ...

    container = Two().wire()
    await call()
    container.unwire()
    assert container.log() == ["+first", "+second", "-second", "-first"]


async def test_when_one_of_two_injected_objects_fails_the_other_is_ended():
    log: list[str] = []

    async def opened() -> AsyncIterator[str]:
        log.append("open")
        try:
            yield "works"
        finally:
            log.append("closed")

    async def broken() -> AsyncIterator[str]:
        raise OSError("no route to host")
        yield

    class Two(DeclarativeContainer):
        service = providers.Singleton(Service)
        works = providers.Scoped(opened)
        fails = providers.Scoped(broken)

    @inject
    async def call(
        works: str = Closing[Provide[Two.works]], fails: str = Closing[Provide[Two.fails]]
    ) -> None: ...

    container = Two().wire()
    with pytest.raises(OSError, match="no route"):
        await call()
    container.unwire()
    assert log == ["open", "closed"]


def test_click_fills_a_default(sync_shop):
    @click.command()
    @click.option("--number", type=int)
    @inject
    def command(number: int, service: Service = Provide[SyncShop.service]) -> None:
        click.echo(f"{number} {service.name}")

    on_typer.setup(command, sync_shop)
    assert ClickRunner().invoke(command, ["--number", "7"]).output == "7 service\n"


def test_starlette_fills_a_default(shop):
    @inject
    async def page(request: Any, service: Service = Provide[Shop.service]) -> Any:
        return PlainTextResponse(service.name)

    app = Starlette(routes=[Route("/", page)])
    on_starlette.setup(app, shop)
    assert TestClient(app).get("/").text == "service"
