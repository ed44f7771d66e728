"""SQLite: a file, or memory, through aiosqlite."""

from infrastructure.connections.database.sqlite.manager import (
    SqliteConnectionManager,
    SqliteSettings,
)

__all__ = ["SqliteConnectionManager", "SqliteSettings"]
