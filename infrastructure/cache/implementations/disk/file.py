"""The file of a disk cache: opened by all processes alike, put aside when it is damaged."""

import contextlib
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from infrastructure.errors import (
    ConfigurationError,
    DataError,
    InfrastructureError,
    OverloadedError,
    UnavailableError,
)
from infrastructure.file_locks import wait_for

_PRIMARY_CODE: Final = 0xFF
_DAMAGED: Final = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
_REFUSED: Final = frozenset({sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM, sqlite3.SQLITE_READONLY})
_BUSY: Final = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})
_FORM: Final = 1
_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS entries (
    id INTEGER PRIMARY KEY,
    key BLOB NOT NULL UNIQUE,
    value BLOB NOT NULL,
    expires_at REAL NOT NULL,
    used_at INTEGER NOT NULL,
    size INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS entries_by_end ON entries (expires_at);
CREATE INDEX IF NOT EXISTS entries_by_use ON entries (used_at);
CREATE TABLE IF NOT EXISTS leases (
    key BLOB PRIMARY KEY,
    token TEXT NOT NULL,
    expires_at REAL NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS leases_by_end ON leases (expires_at);
CREATE TABLE IF NOT EXISTS totals (entries INTEGER NOT NULL, bytes INTEGER NOT NULL);
INSERT INTO totals SELECT 0, 0 WHERE NOT EXISTS (SELECT 1 FROM totals);
CREATE TRIGGER IF NOT EXISTS entry_added AFTER INSERT ON entries BEGIN
    UPDATE totals SET entries = entries + 1, bytes = bytes + NEW.size;
END;
CREATE TRIGGER IF NOT EXISTS entry_changed AFTER UPDATE OF size ON entries BEGIN
    UPDATE totals SET bytes = bytes + NEW.size - OLD.size;
END;
CREATE TRIGGER IF NOT EXISTS entry_removed AFTER DELETE ON entries BEGIN
    UPDATE totals SET entries = entries - 1, bytes = bytes - OLD.size;
END;
"""


class CacheFile:
    """One connection to the file, and what is done when the file is not what it was.

    Args:
        path: The file; it and its folders are made when missing, for this user only.
        busy_seconds: Longest wait for another process.
        where: The provider path for errors.

    Attributes:
        put_aside: How many damaged files were put aside; the last one is kept as `<name>.damaged`.
    """

    def __init__(self, path: Path, *, busy_seconds: float, where: str) -> None:
        self.path = path
        self.put_aside = 0
        self._busy_seconds = busy_seconds
        self._where = where
        self._db: sqlite3.Connection | None = None
        self._inherited: list[sqlite3.Connection] = []
        self._inode = 0
        self._pid = 0

    def connection(self) -> sqlite3.Connection:
        """The connection to the file that is at the path now; opened when there is none.

        Raises:
            InfrastructureError: It cannot be opened.
        """
        if self._db is not None and self._pid == os.getpid() and self._is_current():
            return self._db
        self._leave()
        try:
            return self._open()
        except sqlite3.Error as error:
            if not is_damage(error):
                raise translated(error, self._where) from error
        self.put_damaged_aside()
        try:
            return self._open()
        except sqlite3.Error as error:
            raise translated(error, self._where) from error

    def close(self) -> None:
        """Close the connection; the next use opens it again."""
        db, self._db = self._db, None
        if db is not None:
            with contextlib.suppress(sqlite3.Error):  # what it had to say, it said to a call
                db.close()

    def put_damaged_aside(self) -> None:
        """Make place for a new file, unless another process has done so already."""
        with self._alone():
            is_current = self._is_current()
            self.close()
            if is_current:
                for end in ("-wal", "-shm"):
                    Path(f"{self.path}{end}").unlink(missing_ok=True)
                self.path.replace(f"{self.path}.damaged")
                self.put_aside += 1

    def _leave(self) -> None:
        """Close, or after a fork leave alone what is the parent's."""
        if self._db is not None and self._pid != os.getpid():
            self._inherited.append(self._db)  # to let it go would close it
            self._db = None
        self.close()

    def _open(self) -> sqlite3.Connection:
        with self._alone():
            os.close(self._opened(str(self.path)))  # SQLite gives its other files the same mode
            db = sqlite3.connect(
                self.path,
                timeout=self._busy_seconds,
                isolation_level=None,
                check_same_thread=False,
                cached_statements=64,
            )
            self._db, self._pid, self._inode = db, os.getpid(), self.path.stat().st_ino
            _prepare(db)
            return db

    def _is_current(self) -> bool:
        try:
            return self.path.stat().st_ino == self._inode
        except OSError:
            return False

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """Keep other processes from opening and putting aside meanwhile."""
        descriptor = self._opened(f"{self.path}.lock")
        try:
            wait_for(descriptor, self._busy_seconds)
            yield
        except TimeoutError as error:
            what = "another process is opening the cache file"
            raise OverloadedError(what, where=self._where) from error
        finally:
            os.close(descriptor)

    def _opened(self, path: str) -> int:
        """A file, made with its folders when missing, that only this user may read."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            os.fchmod(descriptor, 0o600)
        except OSError as error:
            raise ConfigurationError(
                f"the cache file {path} cannot be opened: {error.strerror}",
                where=self._where,
                hint="Check that `path` names a file that may be written.",
            ) from error
        return descriptor


def is_damage(error: sqlite3.Error) -> bool:
    """Whether the file's content is broken, so that only a new one helps."""
    return _code(error) in _DAMAGED


def translated(error: sqlite3.Error, where: str) -> InfrastructureError:
    """The error in our tree."""
    code, name = _code(error), getattr(error, "sqlite_errorname", "unknown")
    if code in _BUSY:
        return OverloadedError(f"other processes hold the cache file ({name})", where=where)
    if code == sqlite3.SQLITE_FULL:
        return OverloadedError(
            f"there is no room for the cache file ({name})", where=where, hint="Free disk space."
        )
    if code in _REFUSED:
        return ConfigurationError(
            f"the cache file cannot be written ({name})",
            where=where,
            hint="Check that `path` names a file that may be written.",
        )
    if code in _DAMAGED:
        return DataError(f"the cache file is damaged ({name})", where=where)
    return UnavailableError(f"the cache file cannot be used ({name}): {error}", where=where)


def _code(error: sqlite3.Error) -> int:
    return int(getattr(error, "sqlite_errorcode", 0)) & _PRIMARY_CODE


def _prepare(db: sqlite3.Connection) -> None:
    """Settings of the connection, and the tables; a file of another form is begun anew."""
    db.execute("PRAGMA trusted_schema = OFF")
    db.execute("PRAGMA cell_size_check = ON")
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = NORMAL")  # safe against a crash of ours; a cache may lose
    db.execute(f"PRAGMA journal_size_limit = {4 * 2**20}")
    (form,) = db.execute("PRAGMA user_version").fetchone()
    if form not in (0, _FORM):
        for (table,) in db.execute(
            "SELECT name FROM sqlite_schema WHERE type = 'table'"
        ).fetchall():
            db.execute(f'DROP TABLE "{table}"')
    if form != _FORM:
        db.executescript(f"BEGIN IMMEDIATE; {_SCHEMA} PRAGMA user_version = {_FORM}; COMMIT;")
