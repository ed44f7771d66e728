"""A Starlette application that begins and ends with its container."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from dependency_injector import containers, providers
from dependency_injector.wiring import Provide, inject
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

steps: list[str] = []


async def clock() -> AsyncIterator[str]:
    steps.append("begun")
    yield "noon"
    steps.append("ended")


class Site(containers.DeclarativeContainer):
    clock = providers.Resource(clock)
    text = providers.Factory(str, "text")


@inject
async def page(request: Request, text: str = Provide[Site.text]) -> PlainTextResponse:
    return PlainTextResponse(f"{text} {request.path_params['name']}")


def program_an_application_with_a_lifespan():
    site = Site()
    site.wire(modules=[__name__])

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        await site.init_resources()
        yield
        await site.shutdown_resources()

    app = Starlette(routes=[Route("/{name}", page)], lifespan=lifespan)
    with TestClient(app) as client:
        assert client.get("/ada").text == "text ada"
        assert steps == ["begun"]
    assert steps == ["begun", "ended"]
    site.unwire()
    return site
