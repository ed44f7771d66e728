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
from infrastructure.connections.database.sql.base import SqlConnectionManager
from infrastructure.connections.database.sql.settings import SqlSettings
from infrastructure.connections.database.sql.transactions import Isolation
from infrastructure.connections.database.sqlite.file import create_folder, refusal
from infrastructure.errors import InfrastructureError, UnsupportedError

_INTERRUPT_EVERY_SECONDS = 0.01
_ROLLBACK_ATTEMPTS = 3
#: What an execution option and a mark on a connection are called.
_READ_ONLY = "switchgear_read_only"


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
    synchronous: Literal["off", "normal", "full", "extra"] = Field(
        default="full",
        description="What a commit outlives: `full` a loss of power, `normal` the end of the "
        "process alone.",
    )
    foreign_keys: bool = Field(default=True, description="Enforce foreign keys.")


@DatabaseRegistry.register(ConnectionType.SQLITE)
class SqliteConnectionManager(SqlConnectionManager):
    """SQLite in WAL mode with foreign keys: many readers beside one writer."""

    Settings: ClassVar[type[SqlSettings]] = SqliteSettings
    settings: SqliteSettings

    def __init__(self, settings: SqliteSettings, *, name: str = "") -> None:
        super().__init__(settings, name=name)
        self._memory = ""
        self._keeper: sqlite3.Connection | None = None

    def _after_fork(self) -> None:
        super()._after_fork()
        self._keeper = None  # what is in memory is the parent's, with the locks it had

    async def _open(self) -> None:
        if isinstance(self.settings.path, Path):
            await asyncio.to_thread(create_folder, self.settings.path, where=self.name)
        elif self._keeper is None:
            # a cancelled statement ends its connection; the data stay with this one
            self._memory = f"file:/switchgear-{uuid.uuid4().hex}"
            self._keeper = sqlite3.connect(
                f"{self._memory}?vfs=memdb", uri=True, check_same_thread=False
            )
        await super()._open()

    async def _close(self) -> None:
        await super()._close()
        keeper, self._keeper = self._keeper, None
        if keeper is not None:
            keeper.close()

    def _create_engine(self) -> AsyncEngine:
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
        event.listen(engine.sync_engine.pool, "reset", self._allow_writing)
        return engine

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
        cursor.execute(f"PRAGMA synchronous = {self.settings.synchronous}")
        cursor.execute(f"PRAGMA foreign_keys = {int(self.settings.foreign_keys)}")
        cursor.close()

    def _session_engine(
        self, engine: AsyncEngine, isolation: Isolation | None, *, read_only: bool
    ) -> AsyncEngine:
        if isolation not in {None, "serializable"}:
            raise UnsupportedError(
                f"there is no isolation '{isolation}'",
                where=self.name,
                hint="Transactions of SQLite are serializable.",
            )
        sessions = engine.execution_options(**{_READ_ONLY: read_only})
        event.listen(sessions.sync_engine, "begin", self._begin)
        return sessions

    def _begin(self, connection: Connection) -> None:
        if not connection.get_execution_options().get(_READ_ONLY):
            connection.exec_driver_sql(f"BEGIN {self.settings.transaction_mode}")
            return
        connection.info[_READ_ONLY] = True
        connection.exec_driver_sql("PRAGMA query_only = ON")
        connection.exec_driver_sql("BEGIN DEFERRED")

    def _allow_writing(self, adapted: Any, record: Any, _state: Any) -> None:
        if record.info.pop(_READ_ONLY, False) and adapted is not None:
            cursor = adapted.cursor()
            cursor.execute("PRAGMA query_only = OFF")
            cursor.close()

    def _interrupt(self, adapted: Any, _record: Any, _error: BaseException | None) -> None:
        """Stop what a cancelled statement is still doing in its thread."""
        if adapted.driver_connection in self._connections:  # else it is being left already
            adapted.run_async(_stop)

    def _translate(self, error: BaseException) -> InfrastructureError | None:
        return refusal(error, where=self.name)

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
