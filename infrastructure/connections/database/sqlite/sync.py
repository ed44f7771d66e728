"""SQLite for threads: the sync twin, through Python's own sqlite3."""

import contextlib
import sqlite3
import time
import uuid
from collections.abc import Callable
from functools import partial
from operator import attrgetter, gt
from pathlib import Path
from typing import Any, ClassVar

from sqlalchemy import Connection, Engine, create_engine, event

from infrastructure.connections.database.sql.settings import SqlSettings
from infrastructure.connections.database.sql.sync_base import BoundedPool, SyncSqlConnectionManager
from infrastructure.connections.database.sql.transactions import Isolation
from infrastructure.connections.database.sqlite.file import create_folder, refusal
from infrastructure.connections.database.sqlite.manager import SqliteSettings
from infrastructure.connections.sync_calls import seconds_left
from infrastructure.connections.sync_registry import SyncDatabaseRegistry
from infrastructure.errors import (
    DeadlineExceededError,
    InfrastructureError,
    UnavailableError,
    UnsupportedError,
)

#: So many steps of a statement take well under a millisecond; then it looks at the clock.
_STEPS = 10_000


@SyncDatabaseRegistry.register("sqlite.sync")
class SyncSqliteConnectionManager(SyncSqlConnectionManager):
    """SQLite in WAL mode with foreign keys: many readers beside one writer.

    A file is the same database as that of the asynchronous manager; memory is the twin's own.
    """

    Settings: ClassVar[type[SqlSettings]] = SqliteSettings
    settings: SqliteSettings

    def __init__(self, settings: SqliteSettings, *, name: str = "") -> None:
        super().__init__(settings, name=name)
        self._memory = ""
        self._keeper: sqlite3.Connection | None = None

    def _open(self) -> None:
        if isinstance(self.settings.path, Path):
            create_folder(self.settings.path, where=self.name)
        elif self._keeper is None:
            # a statement that is cut ends its connection; the data stay with this one
            self._memory = f"file:/switchgear-{uuid.uuid4().hex}?vfs=memdb"
            self._keeper = self._connect()
        super()._open()

    def _close(self) -> None:
        super()._close()
        keeper, self._keeper = self._keeper, None
        if keeper is not None:
            keeper.close()

    def _disown(self) -> None:
        super()._disown()
        self._inherited.append(self._keeper)
        self._keeper = None

    def _create_engines(self) -> tuple[Engine, Engine]:
        settings = self.settings
        is_file = isinstance(settings.path, Path)
        engine = create_engine(
            "sqlite://",
            creator=self._connect,
            poolclass=BoundedPool,
            pool_size=settings.pool_size if is_file else 1,
            max_overflow=settings.max_overflow if is_file else 0,
            pool_timeout=settings.within_deadline(settings.pool_timeout_seconds),
            pool_use_lifo=True,
            hide_parameters=True,
        )
        sessions = engine.execution_options()
        event.listen(sessions, "begin", self._begin)
        return engine, sessions

    def _connect(self) -> "_Connection":
        settings = self.settings
        is_file = isinstance(settings.path, Path)
        return sqlite3.connect(
            settings.path if is_file else self._memory,
            uri=not is_file,
            timeout=self._patience(),
            isolation_level=None,  # the driver begins nothing by itself
            check_same_thread=False,  # the pool hands it to one thread after the other
            factory=_Connection,
        )

    def _prepare(self, connection: "_Connection") -> None:
        connection.most_seconds = self.settings.timeout_seconds
        connection.patience_seconds = self._patience()
        connection.set_progress_handler(connection.lateness(), _STEPS)
        if isinstance(self.settings.path, Path):
            connection.execute("PRAGMA journal_mode = WAL").close()
        connection.execute(f"PRAGMA synchronous = {self.settings.synchronous}").close()
        connection.execute(f"PRAGMA foreign_keys = {int(self.settings.foreign_keys)}").close()

    def _options(self, isolation: Isolation) -> dict[str, Any]:
        if isolation != "serializable":
            raise UnsupportedError(
                f"there is no isolation '{isolation}'",
                where=self.name,
                hint="Transactions of SQLite are serializable.",
            )
        return {}

    def _begin(self, connection: Connection) -> None:
        connection.exec_driver_sql(f"BEGIN {self.settings.transaction_mode}")

    def _patience(self) -> float:
        return self.settings.within_deadline(self.settings.busy_timeout_seconds)

    def _translate(self, error: BaseException) -> InfrastructureError | None:
        found = refusal(error, where=self.name)
        is_cut = isinstance(found, UnavailableError) and seconds_left(1.0) <= 0
        if is_cut:
            return DeadlineExceededError(self.settings.timeout_seconds, where=self.name)
        return found

    def _cut(self, connection: "_Connection") -> None:
        connection.cut()


class _Connection(sqlite3.Connection):
    """A connection whose statements end in time, or when another thread says so.

    Attributes:
        is_cut: Whether another thread ended it.
        most_seconds: The longest statement where nothing else bounds it.
        patience_seconds: The longest wait for another writer.
        busy_seconds: As long as it waits for one now.
        until: When the running statement is to end, by the monotonic clock.
    """

    is_cut = False
    most_seconds = patience_seconds = until = float("inf")
    busy_seconds = 0.0

    def lateness(self) -> Callable[[], bool]:
        """What tells whether the running statement is to end now.

        There is no Python code in it: a signal's handler would run there, and SQLite would
        swallow what that raises.
        """
        now, until = iter(time.monotonic, None), iter(partial(attrgetter("until"), self), None)
        return map(gt, now, until).__next__

    def cursor(self, *args: Any, **named: Any) -> Any:
        """A cursor for a statement that ends, with its wait for another writer, in time.

        Raises:
            ProgrammingError: (sqlite3) The connection was cut.
        """
        if self.is_cut:
            raise sqlite3.ProgrammingError("closed by another thread")
        seconds = seconds_left(self.most_seconds)
        self.until = time.monotonic() + seconds
        patience = min(self.patience_seconds, seconds)
        if patience != self.busy_seconds:
            self.busy_seconds = patience
            self.execute(f"PRAGMA busy_timeout = {patience * 1000:.0f}").close()
        return super().cursor(*args, **named)

    def close(self) -> None:
        """Undo what is not committed, and close: a cursor in use would keep its locks."""
        with contextlib.suppress(sqlite3.Error):  # closed already
            self.rollback()
        super().close()

    def cut(self) -> None:
        """End what another thread does with it, now and from now on."""
        self.is_cut = True
        self.until = -1.0
        self.interrupt()
