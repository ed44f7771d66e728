"""The connection manager port, the kinds of connections and the registry of databases."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from enum import StrEnum
from typing import Any, ClassVar

from infrastructure.component import Component
from infrastructure.config.models.db import ConnectionSettings
from infrastructure.connections.calls import Bounded, Calling
from infrastructure.connections.credentials import CurrentSettings
from infrastructure.connections.drain import Drain
from infrastructure.connections.opening import Opening
from infrastructure.connections.standing import ConnectionState, PoolStats, Standing
from infrastructure.connections.sync_base import BaseConnectionManager
from infrastructure.connections.sync_registry import SyncDatabaseRegistry, sync_twin
from infrastructure.errors import DeadlineExceededError, InfrastructureError
from infrastructure.observability.logging import get_logger
from infrastructure.registry import Registry

__all__ = [
    "DATABASES",
    "EXTERNAL",
    "VECTOR_STORES",
    "AsyncBaseConnectionManager",
    "BaseConnectionManager",
    "ConnectionState",
    "ConnectionType",
    "Credentials",
    "DatabaseRegistry",
    "PoolStats",
    "SyncDatabaseRegistry",
    "sync_twin",
]

_log = get_logger(__name__)


class ConnectionType(StrEnum):
    """The built-in kinds, over databases and vector stores."""

    POSTGRES = "postgres"
    """PostgreSQL through SQLAlchemy and asyncpg, or psycopg."""
    MONGODB = "mongodb"
    """MongoDB: a server, a replica set or a sharded cluster."""
    REDIS = "redis"
    """A Redis or Valkey server."""
    SQLITE = "sqlite"
    """A SQLite file, or memory, through SQLAlchemy and aiosqlite."""
    MEMORY = "memory"
    """Vectors in this process."""
    QDRANT = "qdrant"
    """Qdrant: a server, or its local mode in this process."""
    PGVECTOR = "pgvector"
    """PostgreSQL with the extension pgvector."""
    CHROMADB = "chromadb"
    """Chroma: a server, or embedded in this process."""
    HTTP = "http"
    """An HTTP interface of any kind."""
    JIRA = "jira"
    """Jira, Cloud or Data Center."""
    CONFLUENCE = "confluence"
    """Confluence, Cloud or Data Center."""
    S3 = "s3"
    """A bucket of an object store that speaks S3."""
    DYNAMODB = "dynamodb"
    """DynamoDB, or a server that speaks as it does."""


#: Kinds that live in `infrastructure.connections.database`; the part `db` is made of them.
DATABASES = (
    ConnectionType.MONGODB,
    ConnectionType.POSTGRES,
    ConnectionType.REDIS,
    ConnectionType.SQLITE,
)
#: Kinds that live in `infrastructure.connections.vector`; the part `vector` is made of them.
VECTOR_STORES = (
    ConnectionType.MEMORY,
    ConnectionType.QDRANT,
    ConnectionType.PGVECTOR,
    ConnectionType.CHROMADB,
)
#: Kinds that live in `infrastructure.connections.external`; the part `external` is made of them.
EXTERNAL = (
    ConnectionType.HTTP,
    ConnectionType.JIRA,
    ConnectionType.CONFLUENCE,
    ConnectionType.S3,
    ConnectionType.DYNAMODB,
)

#: Gives what of the settings changes, by name, such as a password or a token.
Credentials = Callable[[], Mapping[str, Any] | Awaitable[Mapping[str, Any]]]


class AsyncBaseConnectionManager(Standing, Component):
    """Opens, checks, recovers and closes one connection or pool, the same way for every kind.

    A call that finds it closed opens it: a few attempts within `connect_timeout_seconds`, and
    none for a moment where they keep failing. Closing lets calls in flight end, for up to
    `drain_timeout_seconds`, and refuses new ones meanwhile.

    Attributes:
        credentials: Asked before each opening, where a password or a token changes by itself.
    """

    Settings: ClassVar[type[ConnectionSettings]]
    settings: ConnectionSettings
    operations = frozenset({"execute", "execute_query", "ping"})
    credentials: Credentials | None = None
    drain: Drain

    def __init__(self, settings: ConnectionSettings, *, name: str = "") -> None:
        super().__init__(settings, name=name)
        self.drain = Drain(self)
        self._way = Opening(settings, self.name)
        self._current = CurrentSettings(self)
        self._closed_as = ConnectionState.NEW

    @property
    def state(self) -> ConnectionState:
        """Where it is in its life, as far as is known without asking."""
        if self.drain.is_closing:
            return ConnectionState.CLOSED
        if len(self._opening):
            return ConnectionState.CONNECTING
        return self._state(is_open=self.loop is not None)

    async def disconnect(self) -> None:
        """Let the calls in flight end and close; harmless when never opened or closed already."""
        async with self.drain.closing(self.settings.drain_timeout_seconds):
            await self._closed()
        if self._closed_as is not ConnectionState.NEW:
            self._closed_as = ConnectionState.CLOSED

    def _after_fork(self) -> None:
        """Be closed, in a forked child; calls in flight are the parent's."""
        super()._after_fork()
        self.drain = Drain(self)
        self._closed_as = ConnectionState.NEW

    async def rotate(self, **changes: Any) -> bool:
        """Go on with other settings, such as `rotate(password=...)`; say whether any differed.

        Where it is open, calls in flight end first and new ones wait until it is open again.

        Raises:
            ConfigurationError: They are no settings of this kind, or it is open in another event
                loop; the old ones stay.
            InfrastructureError: It could not be opened with them; the next call tries again.
        """
        self._refuse_second_loop()
        self.changed(changes, by="`rotate`")
        async with self.drain.pausing(self.settings.drain_timeout_seconds):
            settings = self.changed(changes, by="`rotate`")
            if settings == self.settings:
                return False
            is_open, closings = self.loop is not None, self._closings
            self.settings = settings  # before closing: who opens it meanwhile does so with them
            self._way = Opening(settings, self.name)
            await self._closed()
            if is_open and self._closings == closings + 1:  # nobody else has closed it meanwhile
                await self.connect()
        return True

    def calling(self) -> Calling:
        """Around a whole call: opened if needed, bounded, its errors ours, closing waits for it."""
        return Calling(self)

    @asynccontextmanager
    async def held(self) -> AsyncIterator[None]:
        """Open for the whole body, which has no bound of its own: closing waits for its end."""
        await self.drain.begin()
        try:
            await self.connect()
            yield
        finally:
            self.drain.end()

    def bounded(self) -> Bounded:
        """Around a piece of work on what is open: bounded, and its errors ours."""
        return Bounded(self)

    async def _open_once(self) -> None:
        if self.loop is asyncio.get_running_loop():
            return
        try:
            await self._way.run(self._attempt)
        except InfrastructureError as error:
            self._closed_as = ConnectionState.UNAVAILABLE
            self.note_failure(error)
            raise
        self._closed_as = ConnectionState.CLOSED

    async def _attempt(self) -> None:
        self.settings = await self._current.take()
        await super()._open_once()

    async def _proof_of_life(self) -> str:
        await self.drain.begin()
        try:
            return await super()._proof_of_life()
        finally:
            self.drain.end()

    async def _closed(self) -> None:
        try:
            await super().disconnect()
        except DeadlineExceededError:  # the other side hears of it by itself
            _log.warning("connection cut, since it did not close in time", where=self.name)


DatabaseRegistry: Registry[AsyncBaseConnectionManager] = Registry(
    "db",
    port=AsyncBaseConnectionManager,
    package="infrastructure.connections.database",
    kinds=DATABASES,
)
