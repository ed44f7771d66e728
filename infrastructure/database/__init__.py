"""A database by a few plain words: what `db.default` is, or what a URL says.

`init_database`, `get_db_session` and `check_database_health` are about the default container's
database; the classes are for code without an event loop and have what a `DatabaseConfig` says.
"""

from infrastructure.database.connection import (
    DatabaseConfig,
    DatabaseConnection,
    check_database_health,
    init_database,
)
from infrastructure.database.connection_manager import ConnectionManager
from infrastructure.database.session import DatabaseSession, get_db_session

__all__ = [
    "ConnectionManager",
    "DatabaseConfig",
    "DatabaseConnection",
    "DatabaseSession",
    "check_database_health",
    "get_db_session",
    "init_database",
]
