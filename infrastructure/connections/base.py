"""The connection manager port, the kinds of connections and the registry of databases."""

import asyncio
import inspect
from abc import abstractmethod
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, ClassVar

from infrastructure.component import Component
from infrastructure.config.models.db import ConnectionSettings
from infrastructure.connections.calls import Bounded, Calling
from infrastructure.connections.drain import Drain
from infrastructure.connections.opening import Opening
from infrastructure.errors import (
    DeadlineExceededError,
    InfrastructureError,
    OverloadedError,
    UnavailableError,
)
from infrastructure.health import Health, Status
from infrastructure.observability.logging import get_logger
from infrastructure.observability.metrics import COMPONENT, KIND, Measurement, gauge
from infrastructure.registry import Registry

_log = get_logger(__name__)


class ConnectionType(StrEnum):
    """The built-in kinds, over databases and vector stores."""

    POSTGRES = "postgres"
    """PostgreSQL through SQLAlchemy and asyncpg."""
    REDIS = "redis"
    """A Redis or Valkey server."""
    SQLITE = "sqlite"
    """A SQLite file, or memory, through SQLAlchemy and aiosqlite."""
    MEMORY = "memory"
    """Vectors in this process."""
    QDRANT = "qdrant"
    """Qdrant: a server, or its local mode in this process."""


#: Kinds that live in `infrastructure.connections.database`; the part `db` is made of them.
DATABASES = (ConnectionType.POSTGRES, ConnectionType.REDIS, ConnectionType.SQLITE)
#: Kinds that live in `infrastructure.connections.vector`; the part `vector` is made of them.
VECTOR_STORES = (ConnectionType.MEMORY, ConnectionType.QDRANT)
#: Kinds that live in `infrastructure.connections.external`; the part `external` is made of them.
EXTERNAL: tuple[ConnectionType, ...] = ()


class ConnectionState(StrEnum):
    """Where a connection manager is in its life."""

    NEW = "new"
    """Constructed; nothing was opened yet."""
    CONNECTING = "connecting"
    """Being opened; callers wait for it."""
    READY = "ready"
    """Open, and the last call or check was answered."""
    DEGRADED = "degraded"
    """Open, and the last call or check was refused for now: the pool or the server is full."""
    UNAVAILABLE = "unavailable"
    """It could not be opened, or the last call or check got no answer; the next one tries."""
    CLOSED = "closed"
    """Closed, or being closed; connecting opens it again."""


_STATES = {
    Status.UP: ConnectionState.READY,
    Status.UNKNOWN: ConnectionState.READY,
    Status.DEGRADED: ConnectionState.DEGRADED,
    Status.DOWN: ConnectionState.UNAVAILABLE,
}

#: Gives what of the settings changes, by name, such as a password or a token.
Credentials = Callable[[], Mapping[str, Any] | Awaitable[Mapping[str, Any]]]


@dataclass(frozen=True, slots=True)
class PoolStats:
    """Connections of a pool, counted now.

    Attributes:
        size: Open connections, in use or idle.
        in_use: Connections handed out.
        limit: The most that may be open at once.
    """

    size: int
    in_use: int
    limit: int


class AsyncBaseConnectionManager(Component):
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

    def __init__(self, settings: ConnectionSettings, *, name: str = "") -> None:
        super().__init__(settings, name=name)
        self.drain = Drain(self.name)
        self._way = Opening(settings, self.name)
        self._closed_as = ConnectionState.NEW

    @property
    def state(self) -> ConnectionState:
        """Where it is in its life, as far as is known without asking."""
        if self.drain.is_closing:
            return ConnectionState.CLOSED
        if len(self._opening):
            return ConnectionState.CONNECTING
        return self._closed_as if self.loop is None else _STATES[self._health.status]

    async def disconnect(self) -> None:
        """Let the calls in flight end and close; harmless when never opened or closed already."""
        async with self.drain.closing(self.settings.drain_timeout_seconds):
            await self._closed()
        if self._closed_as is not ConnectionState.NEW:
            self._closed_as = ConnectionState.CLOSED

    async def health_check(self) -> Health:
        """Open if needed and try one real operation, within `connect_timeout_seconds`."""
        try:
            await self.drain.begin()
        except UnavailableError as error:
            return Health(Status.DOWN, detail=str(error))
        try:
            return await super().health_check()
        finally:
            self.drain.end()

    async def rotate(self, **changes: Any) -> bool:
        """Go on with other settings, such as `rotate(password=...)`; say whether any differed.

        Where it is open, calls in flight end first and new ones wait until it is open again.

        Raises:
            ValidationError: (pydantic) They are no settings of this kind; the old ones stay.
            InfrastructureError: It could not be opened with them; the next call tries again.
        """
        self._changed(changes)
        async with self.drain.pausing(self.settings.drain_timeout_seconds):
            settings = self._changed(changes)
            if settings == self.settings:
                return False
            is_open = self.loop is not None
            await self._closed()
            self.settings = settings
            self._way = Opening(settings, self.name)
            if is_open:
                await self.connect()
        return True

    @abstractmethod
    def pool_stats(self) -> PoolStats:
        """How many connections there are; zeros when not connected."""

    def translated(self, error: Exception) -> InfrastructureError | None:  # noqa: ARG002 - a hook
        """Our error for one of the driver's, by its type or code; None when it is not its."""
        return None

    def calling(self) -> Calling:
        """Around a whole call: opened if needed, bounded, its errors ours, closing waits for it."""
        return Calling(self)

    def bounded(self) -> Bounded:
        """Around a piece of work on what is open: bounded, and its errors ours."""
        return Bounded(self)

    def note_answer(self) -> None:
        """Remember that a call was answered."""
        if self._health.status is not Status.UP:
            self._remember(Health(Status.UP, detail="the last call was answered"))

    def note_failure(self, error: InfrastructureError) -> None:
        """Remember what a failed call says about the connection; a refusal says it is there."""
        if isinstance(error, UnavailableError):
            self._remember(Health(Status.DOWN, detail=str(error)))
        elif isinstance(error, OverloadedError):
            self._remember(Health(Status.DEGRADED, detail=str(error)))

    def measurements(self) -> Iterable[Measurement]:
        """The pool as it is now; nothing of what has no pool."""
        stats = self.pool_stats()
        if not stats.limit:
            return
        pool, unit = {COMPONENT: self.name, KIND: str(self.settings.kind)}, "{connection}"
        for state, number in (("used", stats.in_use), ("idle", stats.size - stats.in_use)):
            labels = {**pool, "db.client.connection.state": state}
            yield gauge("db.client.connection.count", number, labels, unit=unit)
        yield gauge("db.client.connection.max", stats.limit, pool, unit=unit)

    async def _open_once(self) -> None:
        if self.loop is asyncio.get_running_loop():
            return
        await self._renew()
        try:
            await self._way.run(super()._open_once)
        except InfrastructureError as error:
            self._closed_as = ConnectionState.UNAVAILABLE
            self.note_failure(error)
            raise
        self._closed_as = ConnectionState.CLOSED

    async def _closed(self) -> None:
        try:
            await super().disconnect()
        except DeadlineExceededError:  # the other side hears of it by itself
            _log.warning("connection cut, since it did not close in time", where=self.name)

    async def _renew(self) -> None:
        """Take the credentials that count now."""
        if self.credentials is None:
            return
        found = self.credentials()
        self.settings = self._changed(await found if inspect.isawaitable(found) else found)

    def _changed(self, changes: Mapping[str, Any]) -> ConnectionSettings:
        given = {name: getattr(self.settings, name) for name in type(self.settings).model_fields}
        return type(self.settings).model_validate({**given, **changes})

    def _remember(self, health: Health) -> None:
        """Keep the answer; a line is logged when it went down or came back, not for each call."""
        before, self._health = self._health.status, health
        if health.status is Status.DOWN and before is not Status.DOWN:
            _log.warning("connection down", where=self.name, reason=health.detail)
        elif health.is_up and before is Status.DOWN:
            _log.info("connection up again", where=self.name)


DatabaseRegistry: Registry[AsyncBaseConnectionManager] = Registry(
    "db",
    port=AsyncBaseConnectionManager,
    package="infrastructure.connections.database",
    kinds=DATABASES,
)
