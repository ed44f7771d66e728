"""What an application takes of its container ends with the application."""

import gc
from collections.abc import AsyncIterator, Callable
from typing import Any
from weakref import ref

import click
import pytest
import typer
from fastapi import FastAPI
from flask import Flask
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.testclient import TestClient

from containers import DeclarativeContainer, Provide, inject, providers
from containers.errors import WiringError
from containers.integrations import fastapi as on_fastapi
from containers.integrations import flask as on_flask
from containers.integrations import starlette as on_starlette
from containers.integrations import typer as on_typer
from containers.integrations.hosting import Wiring, running
from tests.containers.integrations.shop import Service, Shop, SyncShop


@pytest.fixture
def asked() -> Callable[[], Any]:
    """An injected function; one of the module would be looked at by every test that wires."""

    @inject
    def ask(service: Service = Provide["service"]) -> Service:
        return service

    return ask


def served(container: Any) -> Starlette:
    @inject
    async def serve(request: Request, service: Service = Provide["service"]) -> Response:
        return PlainTextResponse(service.name)

    app = Starlette(routes=[Route("/", serve)])
    on_starlette.setup(app, container)
    return app


def is_wired(asked: Callable[[], Any]) -> bool:
    try:
        asked()
    except WiringError:
        return False
    return True


def test_an_application_that_has_ended_leaves_nothing_wired(shop, asked):
    with TestClient(served(shop)):
        assert is_wired(asked)
    assert not is_wired(asked)


def test_what_the_user_has_wired_himself_stays_wired(shop, asked):
    shop.wire()
    with TestClient(served(shop)):
        pass
    assert asked() is shop.service()


def test_two_applications_of_one_container_end_one_after_the_other(shop, asked):
    with TestClient(served(shop)):
        with TestClient(served(shop)):
            pass
        assert is_wired(asked)
    assert not is_wired(asked)


def test_an_application_may_serve_again_after_its_end(shop):
    app = served(shop)
    for _ in range(2):
        with TestClient(app) as client:
            assert client.get("/").text == "service"
        assert TestClient(app).get("/").text == "service"


def flask_app(container: Any) -> Any:
    app = Flask("shop")
    on_flask.setup(app, container)
    return app


def typer_app(container: Any) -> Any:
    app = typer.Typer()
    on_typer.setup(app, container)
    return app


def click_command(container: Any) -> Any:
    app = click.Command("shop", callback=print)
    on_typer.setup(app, container)
    return app


def fastapi_app(container: Any) -> Any:
    app = FastAPI()
    on_fastapi.setup(app, container)
    return app


@pytest.mark.parametrize("build", [served, flask_app, typer_app, click_command, fastapi_app])
def test_an_application_that_is_thrown_away_leaves_nothing_wired(build, asked):
    container = SyncShop()
    app = build(container)
    assert is_wired(asked)
    del app
    gc.collect()
    assert not is_wired(asked)


def test_an_application_that_is_thrown_away_lets_go_of_its_container():
    container: Any = Shop()
    known = ref(container)
    app = served(container)
    with TestClient(app):
        pass
    del app, container
    gc.collect()
    assert known() is None


async def test_a_provider_named_is_started_does_not_keep_the_container_from_starting():
    log: list[str] = []

    async def resource() -> AsyncIterator[None]:
        log.append("begin")
        yield
        log.append("end")

    class Named(DeclarativeContainer):
        is_started = providers.Object(True)  # type: ignore[assignment]  # the case in hand
        resource_ = providers.Resource(resource)

    async with running(Wiring(Named(), is_set_up=False)):
        assert log == ["begin"]
    assert log == ["begin", "end"]
