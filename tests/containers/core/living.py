"""What the tests of the lifecycle start and end: all of it writes into one log."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

from dependency_injector import providers as plain

from containers import DeclarativeContainer, DynamicContainer, providers
from infrastructure.health import Health, Status

LOG: list[str] = []


class Thing:
    def __init__(self, name: str, *needs: object, fails: str = "", hangs: bool = False) -> None:
        self.name, self.needs, self.fails, self.hangs = name, needs, fails, hangs

    async def connect(self) -> None:
        if self.hangs:
            await asyncio.Event().wait()
        if self.fails == "connect":
            raise ConnectionError("refused")
        LOG.append(f"+{self.name}")

    async def disconnect(self) -> None:
        LOG.append(f"-{self.name}")
        if self.fails == "disconnect":
            raise ConnectionError("reset")

    async def health_check(self) -> Health:
        return Health(Status.UP, detail=self.name)


class Chain(DeclarativeContainer):
    c = providers.Managed(Thing, "c")
    b = providers.Managed(Thing, "b", c)
    between: providers.Factory[list[Thing]] = providers.Factory(list, plain.List(b))
    a = providers.Managed(Thing, "a", between)


class Plain:
    def __init__(self, name: str, *needs: object) -> None:
        self.name = name

    def start(self) -> None:
        LOG.append(f"+{self.name}")

    def stop(self) -> None:
        LOG.append(f"-{self.name}")


def file(need: object) -> Iterator[str]:
    LOG.append("+file")
    yield "file"
    LOG.append("-file")


class Sync(DeclarativeContainer):
    b = providers.Managed(Plain, "b")
    a = providers.Managed(Plain, "a", b)
    file = plain.Resource(file, a)


NUMBERS = range(5)


async def async_link(number: int, *_needs: object, fails: str = "") -> AsyncIterator[int]:
    if fails == "start":
        raise ConnectionError("refused")
    LOG.append(f"+{number}")
    yield number
    LOG.append(f"-{number}")
    if fails == "stop":
        raise ConnectionError("reset")


def sync_link(number: int, *_needs: object, fails: str = "") -> Iterator[int]:
    if fails == "start":
        raise ConnectionError("refused")
    LOG.append(f"+{number}")
    yield number
    LOG.append(f"-{number}")
    if fails == "stop":
        raise ConnectionError("reset")


class Link:
    """The same with `start` and `stop`, to be managed."""

    def __init__(self, number: int, *_needs: object, fails: str = "") -> None:
        self.number, self.fails = number, fails

    def start(self) -> None:
        if self.fails == "start":
            raise ConnectionError("refused")
        LOG.append(f"+{self.number}")

    def stop(self) -> None:
        LOG.append(f"-{self.number}")
        if self.fails == "stop":
            raise ConnectionError("reset")


class AsyncLink(Link):
    async def start(self) -> None:  # type: ignore[override]  # the async kind
        super().start()

    async def stop(self) -> None:  # type: ignore[override]  # the async kind
        super().stop()


def chain(kind: str, fails: dict[int, str]) -> Any:
    """Five that need each other in a row, and one that needs none of them."""
    container = DynamicContainer()
    make: Any = providers.Managed if kind.startswith("managed") else providers.Resource
    targets = {
        "resource": async_link,
        "sync resource": sync_link,
        "managed": AsyncLink,
        "managed, sync": Link,
    }
    need: tuple[Any, ...] = ()
    for number in (*NUMBERS, 9):
        link = make(targets[kind], number, *need, fails=fails.get(number, ""))
        setattr(container, f"link{number}", link)
        need = () if number == NUMBERS[-1] else (link,)
    return container


KINDS = ["resource", "sync resource", "managed", "managed, sync"]


def paired() -> bool:
    """Whether everything that started ended again, and in reverse."""
    names = [line[1:] for line in LOG if line[0] == "+"]
    return [f"-{name}" for name in reversed(names)] == [line for line in LOG if line[0] == "-"]
