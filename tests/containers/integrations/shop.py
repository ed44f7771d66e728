"""The container of these tests: what it does is told by its log."""

from collections.abc import AsyncIterator, Iterator
from typing import Any

from containers import DeclarativeContainer, providers


class Service:
    name = "service"


class Session:
    """A unit of work; its number tells it from others."""

    made = 0

    def __init__(self) -> None:
        type(self).made += 1
        self.number = self.made


class Server:
    """Something that runs as long as the application."""

    def __init__(self, log: list[str], failure: str) -> None:
        self.log = log
        self.failure = failure

    async def start(self) -> None:
        if self.failure:
            raise ConnectionError(self.failure)
        self.log.append("start")

    async def stop(self) -> None:
        self.log.append("stop")


async def session(log: list[str]) -> AsyncIterator[Session]:
    log.append("open")
    try:
        yield Session()
    except BaseException as error:
        log.append(f"rollback {type(error).__name__}")
        raise
    log.append("commit")


def sync_session(log: list[str]) -> Iterator[Session]:
    log.append("open")
    try:
        yield Session()
    except BaseException as error:
        log.append(f"rollback {type(error).__name__}")
        raise
    log.append("commit")


class SyncServer(Server):
    """The same without an event loop."""

    def start(self) -> None:  # type: ignore[override]  # that is the difference
        self.log.append("start")

    def stop(self) -> None:  # type: ignore[override]  # that is the difference
        self.log.append("stop")


class SyncShop(DeclarativeContainer):
    """What needs no event loop."""

    log: Any = providers.Singleton(list)
    service = providers.Singleton(Service)
    session = providers.Scoped(sync_session, log)
    server = providers.Managed(SyncServer, log, failure="")


class Shop(DeclarativeContainer):
    """What an application on an event loop has."""

    log: Any = providers.Singleton(list)
    failure: Any = providers.Object("")
    service = providers.Singleton(Service)
    session = providers.Scoped(session, log)
    sync_session = providers.Scoped(sync_session, log)
    server = providers.Managed(Server, log, failure)
