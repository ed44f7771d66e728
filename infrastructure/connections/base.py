"""The connection manager port, the kinds of connections and the registry of databases."""

from abc import abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

from infrastructure.component import Component
from infrastructure.config.models.db import ConnectionSettings
from infrastructure.observability.metrics import COMPONENT, KIND, Measurement, gauge
from infrastructure.registry import Registry


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
    """Opens, checks, recovers and closes one connection or pool, the same way for every kind."""

    Settings: ClassVar[type[ConnectionSettings]]
    settings: ConnectionSettings
    operations = frozenset({"execute", "execute_query", "ping"})

    @abstractmethod
    def pool_stats(self) -> PoolStats:
        """How many connections there are; zeros when not connected."""

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


DatabaseRegistry: Registry[AsyncBaseConnectionManager] = Registry(
    "db",
    port=AsyncBaseConnectionManager,
    package="infrastructure.connections.database",
    kinds=DATABASES,
)
