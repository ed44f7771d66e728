"""Resources that end with the call they were injected into."""

from collections.abc import Iterator
from typing import Any

from dependency_injector import containers, providers
from dependency_injector.wiring import Closing, Provide, inject

events: list[str] = []


def opened() -> Iterator[str]:
    events.append("open")
    yield "file"
    events.append("close")


class Desk(containers.DeclarativeContainer):
    file = providers.Resource(opened)
    reader = providers.Factory(list, file)
    other = providers.Object("other")


@inject
def read(file: str = Closing[Provide[Desk.file]]) -> str:
    events.append("read")
    return file


@inject
def read_by_name(file: str = Closing[Provide["file"]]) -> str:
    events.append("read")
    return file


@inject
def read_through_a_factory(letters: list[str] = Closing[Provide["reader"]]) -> Any:
    events.append("read")
    return letters


@inject
def read_plain(other: str = Closing[Provide["other"]]) -> str:
    return other


def program_each_call_opens_and_closes():
    desk = Desk()
    desk.wire(modules=[__name__])
    assert read() == "file"
    assert events == ["open", "read", "close"]
    assert read_by_name() == "file"
    assert events == ["open", "read", "close"] * 2
    desk.unwire()
    return desk


def program_a_resource_behind_a_factory_is_closed_too():
    desk = Desk()
    desk.wire(modules=[__name__])
    assert read_through_a_factory() == ["f", "i", "l", "e"]
    assert events == ["open", "read", "close"]
    assert read_plain() == "other"
    desk.unwire()
