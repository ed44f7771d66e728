"""Asynchronous resources that end with the call they were injected into."""

from collections.abc import AsyncIterator

from dependency_injector import containers, providers
from dependency_injector.wiring import Closing, Provide, inject

events: list[str] = []


async def opened_async() -> AsyncIterator[str]:
    events.append("open")
    yield "stream"
    events.append("close")


class AsyncDesk(containers.DeclarativeContainer):
    stream = providers.Resource(opened_async)


@inject
async def read_async(stream: str = Closing[Provide[AsyncDesk.stream]]) -> str:
    events.append("read")
    return stream


async def program_an_async_call_opens_and_closes():
    desk = AsyncDesk()
    desk.wire(modules=[__name__])
    assert await read_async() == "stream"
    assert await read_async() == "stream"
    assert events == ["open", "read", "close"] * 2
    desk.unwire()
    return desk
