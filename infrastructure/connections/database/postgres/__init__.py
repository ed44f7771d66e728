"""PostgreSQL through asyncpg or psycopg."""

from infrastructure.connections.database.gaps import Gap
from infrastructure.connections.database.postgres.manager import PostgresConnectionManager
from infrastructure.connections.database.postgres.notifications import Notification
from infrastructure.connections.database.postgres.settings import PostgresSettings

__all__ = ["Gap", "Notification", "PostgresConnectionManager", "PostgresSettings"]
