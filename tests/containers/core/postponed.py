"""A module whose annotations are text."""

from __future__ import annotations

from typing import Annotated

from containers import DeclarativeContainer, Provide, inject, providers


class Service: ...


class Container(DeclarativeContainer):
    service = providers.Singleton(Service)


@inject
def handler(a: int, service: Annotated[Service, Provide[Container.service]]) -> tuple[int, Service]:
    return a, service
