"""The port of what speaks to a PostgreSQL server."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator
from typing import Any, ClassVar

from infrastructure.connections.database.postgres.settings import PostgresSettings
from infrastructure.errors import InfrastructureError


class PostgresDriver(ABC):
    """Opens and ends connections, and says what went wrong with them.

    Args:
        where: The manager's name, for errors.

    Attributes:
        dialect: What SQLAlchemy calls it.
        asked: What SQLAlchemy's dialect asks of each connection, by the driver's names.
    """

    dialect: ClassVar[str]

    def __init__(self, where: str) -> None:
        self.where = where
        self.asked: dict[str, Any] = {}
        self._leaving: set[asyncio.Task[None]] = set()

    async def close(self) -> None:
        """Wait for the farewells that were begun."""
        await asyncio.gather(*self._leaving)

    @abstractmethod
    def pool_arguments(self, settings: PostgresSettings) -> dict[str, Any]:
        """What SQLAlchemy's side of each connection is given."""

    @abstractmethod
    async def connect(self, settings: PostgresSettings) -> Any:
        """A new connection.

        Raises:
            InfrastructureError: There is none to be had.
        """

    @abstractmethod
    async def leave(self, connection: Any) -> None:
        """Cancel what runs on the server and say goodbye, or drop the line after a second."""

    @abstractmethod
    def abandon(self, connection: Any) -> None:
        """Let go of a connection whose event loop is gone."""

    @abstractmethod
    def socket_of(self, connection: Any) -> int:
        """The file number of its line; -1 when it is closed."""

    @abstractmethod
    async def subscribe(
        self, connection: Any, channel: str, idle_seconds: float
    ) -> AsyncGenerator[str, None]:
        """Listen on a channel; gives the payloads that come in.

        They end with the connection, and where it gives no sign of life: it is asked for one
        after each `idle_seconds` of silence, and has as long to answer.
        """

    @abstractmethod
    def translated(
        self, error: BaseException, settings: PostgresSettings
    ) -> InfrastructureError | None:
        """Our error for one of the driver's, by its code; None when it is not the driver's."""
