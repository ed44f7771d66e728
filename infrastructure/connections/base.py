"""The connection manager port, the kinds of connections and the registry of databases."""

from abc import abstractmethod
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

from infrastructure.component import Component
from infrastructure.config.models.db import ConnectionSettings
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

    @abstractmethod
    def pool_stats(self) -> PoolStats:
        """How many connections there are; zeros when not connected."""


DatabaseRegistry: Registry[AsyncBaseConnectionManager] = Registry(
    "db",
    port=AsyncBaseConnectionManager,
    package="infrastructure.connections.database",
    kinds=DATABASES,
)
