"""A pool of connections by a configuration."""

from typing import TYPE_CHECKING

from infrastructure.database.connection import DatabaseConfig, manager_of
from infrastructure.errors import ConfigurationError

if TYPE_CHECKING:  # only the types: importing them at run time would import SQLAlchemy
    from sqlalchemy import Connection, Engine

    from infrastructure.connections.database.sql.sync_base import SyncSqlConnectionManager


class ConnectionManager:
    """Hands out connections of one pool to code without an event loop.

    Attributes:
        pool: SQLAlchemy's engine; None before `create_connection_pool` and after `close`.
    """

    def __init__(self) -> None:
        self._manager: SyncSqlConnectionManager | None = None

    @property
    def pool(self) -> "Engine | None":
        """SQLAlchemy's engine, while there is one."""
        return None if self._manager is None else self._manager.engine

    def create_connection_pool(self, config: DatabaseConfig) -> None:
        """Open a pool; one that is open is closed before.

        Raises:
            InfrastructureError: The database could not be opened.
        """
        self.close()
        self._manager = manager_of(config)
        self._manager.connect()

    def get_connection(self) -> "Connection":
        """A connection that its caller closes, best by `with`; each statement commits by itself.

        Raises:
            ConfigurationError: There is no pool.
            OverloadedError: All connections stay in use.
        """
        if self._manager is None:
            raise ConfigurationError(
                "there is no connection pool",
                where="ConnectionManager",
                hint="Call create_connection_pool(DatabaseConfig(url=...)) before.",
            )
        return self._manager.connection()

    def close(self) -> None:
        """Close the pool; harmless when there is none."""
        manager, self._manager = self._manager, None
        if manager is not None:
            manager.disconnect()
