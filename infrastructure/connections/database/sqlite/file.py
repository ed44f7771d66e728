"""A SQLite file, whichever driver opens it: its folder, and what its refusals mean."""

import sqlite3
from pathlib import Path

from infrastructure.connections.database.conflicts import TransactionConflictError
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
#: By the extended code, else by the primary one.
_ERRORS: dict[int, type[InfrastructureError]] = {
    sqlite3.SQLITE_BUSY_SNAPSHOT: TransactionConflictError,
    sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY: ConflictError,
    sqlite3.SQLITE_CONSTRAINT_ROWID: ConflictError,
    sqlite3.SQLITE_CONSTRAINT_UNIQUE: ConflictError,
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
    sqlite3.SQLITE_BUSY_SNAPSHOT: "Run the whole transaction again.",
    sqlite3.SQLITE_BUSY: "Another writer held the lock; raise busy_timeout_seconds.",
    sqlite3.SQLITE_CANTOPEN: "Check that `path` names a file that may be written.",
    sqlite3.SQLITE_FULL: "Free disk space.",
}


def refusal(error: BaseException, *, where: str) -> InfrastructureError | None:
    """Our error for one of SQLite's, by its code; None when it is another's."""
    if not isinstance(error, sqlite3.Error):
        return None
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)
    primary = code & _PRIMARY_CODE
    kind = _ERRORS.get(code) or _ERRORS.get(primary, RejectedError)
    hint = _HINTS.get(code) or _HINTS.get(primary, "")
    name = getattr(error, "sqlite_errorname", type(error).__name__)
    return kind(f"{error} ({name})", where=where, hint=hint)


def create_folder(path: Path, *, where: str) -> None:
    """Create the folder of a file, and those above it.

    Raises:
        ConfigurationError: It cannot be created.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigurationError(
            f"the folder {path.parent} cannot be created ({error.strerror})",
            where=where,
            hint="Check `path`.",
        ) from error
