"""Handlers whose annotations are text."""

from __future__ import annotations

from typing import Annotated

import typer
from fastapi import Depends, FastAPI
from litestar import get
from litestar.params import QueryParameter

from containers import Provide, inject
from tests.containers.integrations.shop import Service, Shop

fastapi_app = FastAPI()
typer_app = typer.Typer()


@fastapi_app.get("/annotated")
@inject
async def annotated(number: int, service: Annotated[Service, Provide[Shop.service]]) -> str:
    return f"{number} {service.name}"


@fastapi_app.get("/depends")
@inject
async def depends(number: int, service: Annotated[Service, Depends(Provide[Shop.service])]) -> str:
    return f"{number} {service.name}"


@fastapi_app.get("/default")
@inject
async def default(number: int, service: Service = Provide[Shop.service]) -> str:
    return f"{number} {service.name}"


@get("/")
@inject
async def litestar_handler(
    number: Annotated[int, QueryParameter()], service: Annotated[Service, Provide[Shop.service]]
) -> str:
    return f"{number} {service.name}"


@typer_app.command()
@inject
def command(number: int, service: Annotated[Service, Provide[Shop.service]]) -> None:
    typer.echo(f"{number} {service.name}")
