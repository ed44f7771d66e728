"""SQLite: a file, or memory, through aiosqlite."""

import asyncio
import contextlib
import sqlite3
import uuid
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Any, ClassVar, Literal

import aiosqlite
from pydantic import Field
from sqlalchemy import URL, Connection, event
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import AsyncAdaptedQueuePool

from infrastructure.config.models.base import Seconds
from infrastructure.connections.base import ConnectionType, DatabaseRegistry
from infrastructure.connections.database.base import SqlConnectionManager, SqlSettings
from infrastructure.errors import (
    ConfigurationError,
    ConflictError,
    DataError,
    InfrastructureError,
    OverloadedError,
    RejectedError,
    UnavailableError,
)

_PRIMARY_CODE = 0xFF
_INTERRUPT_EVERY_SECONDS = 0.01
_ROLLBACK_ATTEMPTS = 3
_CONFLICTS = frozenset(
    {
        sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY,
        sqlite3.SQLITE_CONSTRAINT_ROWID,
        sqlite3.SQLITE_CONSTRAINT_UNIQUE,
    }
)
_ERRORS: dict[int, type[InfrastructureError]] = {
    sqlite3.SQLITE_BUSY: OverloadedError,
    sqlite3.SQLITE_CANTOPEN: ConfigurationError,
    sqlite3.SQLITE_CORRUPT: DataError,
    sqlite3.SQLITE_FULL: OverloadedError,
    sqlite3.SQLITE_INTERRUPT: UnavailableError,
    sqlite3.SQLITE_IOERR: UnavailableError,
    sqlite3.SQLITE_LOCKED: OverloadedError,
    sqlite3.SQLITE_NOTADB: DataError,
}
_HINTS = {
    sqlite3.SQLITE_BUSY: "Another writer held the lock; raise busy_timeout_seconds.",
    sqlite3.SQLITE_CANTOPEN: "Check that `path` names a file that may be written.",
    sqlite3.SQLITE_FULL: "Free disk space.",
}


class SqliteSettings(SqlSettings):
    """A SQLite file, or a database in memory that lives as long as the connection manager.

    Memory has one connection: a statement waits while a session is open.
    """

    kind: str = "sqlite"
    path: Path | Literal[":memory:"] = Field(
        default=":memory:", description="The file, created with its folders, or :memory:."
    )
    max_overflow: int = Field(default=0, ge=0, description="Connections beyond the pool's size.")
    busy_timeout_seconds: Seconds = Field(
        default=5.0, description="Longest wait for another writer; at most 80 % of the deadline."
    )
    transaction_mode: Literal["immediate", "deferred"] = Field(
        default="immediate",
        description="Whether a session takes the write lock at its first statement, or at its "
        "first write, where it is refused if another session has written since it first read.",
    )


@DatabaseRegistry.register(ConnectionType.SQLITE)
class SqliteConnectionManager(SqlConnectionManager):
    """SQLite in WAL mode with foreign keys: many readers beside one writer."""

    Settings: ClassVar[type[SqlSettings]] = SqliteSettings
    settings: SqliteSettings

    def __init__(self, settings: SqliteSettings, *, name: str = "") -> None:
        super().__init__(settings, name=name)
        self._memory = f"file:/switchgear-{uuid.uuid4().hex}"
        self._keeper: sqlite3.Connection | None = None

    async def _open(self) -> None:
        if isinstance(self.settings.path, Path):
            await asyncio.to_thread(self._create_folder, self.settings.path.parent)
        elif self._keeper is None:
            # a cancelled statement ends its connection; the data stay with this one
            self._keeper = sqlite3.connect(
                f"{self._memory}?vfs=memdb", uri=True, check_same_thread=False
            )
        await super()._open()

    async def _close(self) -> None:
        await super()._close()
        keeper, self._keeper = self._keeper, None
        if keeper is not None:
            keeper.close()

    def _create_engines(self) -> tuple[AsyncEngine, AsyncEngine]:
        settings = self.settings
        is_file = isinstance(settings.path, Path)
        engine = create_async_engine(
            self._address(),
            connect_args={
                "isolation_level": None,  # the driver begins nothing by itself
                "timeout": settings.within_deadline(settings.busy_timeout_seconds),
            },
            poolclass=AsyncAdaptedQueuePool,
            pool_size=settings.pool_size if is_file else 1,
            max_overflow=settings.max_overflow if is_file else 0,
            pool_timeout=settings.within_deadline(settings.pool_timeout_seconds),
            pool_use_lifo=True,
            hide_parameters=True,
        )
        event.listen(engine.sync_engine.pool, "invalidate", self._interrupt)
        sessions = engine.execution_options()
        event.listen(sessions.sync_engine, "begin", self._begin)
        return engine, sessions

    def _address(self) -> URL:
        if isinstance(self.settings.path, Path):
            return URL.create("sqlite+aiosqlite", database=str(self.settings.path))
        query = {"vfs": "memdb", "uri": "true"}
        return URL.create("sqlite+aiosqlite", database=self._memory, query=query)

    def _prepare(self, adapted: Any) -> None:
        connection = adapted.driver_connection
        connection.close = _once(connection.close)  # closing twice at a time hangs in the driver
        cursor = adapted.cursor()
        if isinstance(self.settings.path, Path):
            cursor.execute("PRAGMA journal_mode = WAL")
        cursor.execute("PRAGMA foreign_keys = ON")
        cursor.close()

    def _begin(self, connection: Connection) -> None:
        connection.exec_driver_sql(f"BEGIN {self.settings.transaction_mode}")

    def _interrupt(self, adapted: Any, _record: Any, _error: BaseException | None) -> None:
        """Stop what a cancelled statement is still doing in its thread."""
        if adapted.driver_connection in self._connections:  # else it is being left already
            adapted.run_async(_stop)

    def _create_folder(self, folder: Path) -> None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigurationError(
                f"the folder {folder} cannot be created ({error.strerror})",
                where=self.name,
                hint="Check `path`.",
            ) from error

    def _translate(self, error: BaseException) -> InfrastructureError | None:
        if not isinstance(error, sqlite3.Error):
            return None
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)
        primary = code & _PRIMARY_CODE
        kind = ConflictError if code in _CONFLICTS else _ERRORS.get(primary, RejectedError)
        name = getattr(error, "sqlite_errorname", type(error).__name__)
        return kind(f"{error} ({name})", where=self.name, hint=_HINTS.get(primary, ""))

    async def _leave(self, connection: aiosqlite.Connection) -> None:
        await _stop(connection)
        await _interrupting(connection, connection.close())

    def _abandon(self, connection: aiosqlite.Connection) -> None:
        connection.stop()


def _once(work: Callable[[], Coroutine[Any, Any, None]]) -> Callable[[], Awaitable[None]]:
    """Share one run of `work` among all its callers."""
    runs: list[asyncio.Task[None]] = []

    async def run() -> None:
        if not runs:
            runs.append(asyncio.create_task(work()))
        await asyncio.shield(runs[0])

    return run


async def _stop(connection: aiosqlite.Connection) -> None:
    """End the running statement and the transaction.

    A connection that is closed keeps its locks for as long as a cursor of it is referred to.
    """
    with contextlib.suppress(ValueError, sqlite3.ProgrammingError):  # closed already
        for _ in range(_ROLLBACK_ATTEMPTS):
            if await _interrupting(connection, connection.rollback()):
                return


async def _interrupting(connection: aiosqlite.Connection, work: Coroutine[Any, Any, None]) -> bool:
    """Do `work`, ending each statement before it in the connection's queue; say if it was done."""
    task = asyncio.create_task(work)
    while not task.done():
        with contextlib.suppress(ValueError, sqlite3.ProgrammingError):  # closed meanwhile
            await connection.interrupt()
        await asyncio.wait((task,), timeout=_INTERRUPT_EVERY_SECONDS)
    try:
        task.result()
    except sqlite3.OperationalError:  # it was interrupted itself
        return False
    return True
