"""Where finished lines go."""

import sys
import time
from collections.abc import Callable
from typing import Protocol

from infrastructure.config.models.logging import AuditFile, LogFile
from infrastructure.errors import ConfigurationError
from infrastructure.observability.logging.appending import AppendedFile
from infrastructure.observability.logging.backups import Backups, Caretaker
from infrastructure.observability.logging.periods import Periods

Failed = Callable[[Exception], object]


class Destination(Protocol):
    """Takes finished lines, one call at a time; may raise, the sink copes."""

    def write(self, line: bytes) -> None:
        """Write one line that ends with a newline."""
        ...

    def close(self) -> None:
        """Release what is held; harmless when closed already."""
        ...


class Console:
    """Standard error, looked up at each line, so that a redirection is followed."""

    def __str__(self) -> str:
        return "the console"

    def write(self, line: bytes) -> None:
        """Write and flush."""
        if sys.stderr is None:
            raise OSError("this process has no standard error")
        sys.stderr.write(line.decode())
        sys.stderr.flush()

    def close(self) -> None:
        """Leave standard error open: it is not ours."""


def ignored(_: Exception) -> None:
    """For a file that has nobody to tell about its backups."""


class RotatingFile:
    """A file that is put aside when the next line would pass its size, or when it is old.

    Every line is handed to the system at once, so a killed process loses none; any number of
    processes may write it.

    Args:
        settings: The block `file:`.
        failed: Told when a backup could not be made or cared for.
        clock: Seconds since the epoch.
    """

    def __init__(
        self, settings: LogFile, *, failed: Failed = ignored, clock: Callable[[], float] = time.time
    ) -> None:
        self._path = settings.path.absolute()
        backups = Backups(
            self._path,
            count=settings.backup_count,
            days=settings.backup_days,
            compress=settings.compress,
            clock=clock,
        )
        self._caretaker = Caretaker(backups.tidy, failed)
        self._file = opened(
            settings,
            backups,
            self._caretaker,
            failed=failed,
            clock=clock,
            where="logging.file.path",
        )
        self._is_torn = self._ends_torn()

    def __str__(self) -> str:
        return f"the file {self._path}"

    def write(self, line: bytes) -> None:
        """Append, rotating first when the line does not fit."""
        if not self._is_torn and self._file.add(line):
            return
        size = self._file.ready(len(line))
        try:
            if self._is_torn:
                line = b"\n" + line if size else line
                self._is_torn = False
            self._file.append(line, size)
        finally:
            self._file.release()

    def close(self) -> None:
        """Finish the care for the backups, and close the file."""
        self._caretaker.close()
        self._file.close()

    def _ends_torn(self) -> bool:
        """Whether a crash has left half a line behind."""
        size = self._path.stat().st_size
        return bool(size) and self._path.is_file() and self._file.last_byte(size) != b"\n"


def opened(
    settings: LogFile | AuditFile,
    backups: Backups,
    caretaker: Caretaker,
    *,
    failed: Failed,
    clock: Callable[[], float],
    where: str,
    mode: int = 0o666,
) -> AppendedFile:
    """The file of the settings, in a folder that is made.

    Raises:
        ConfigurationError: It cannot be opened.
    """
    path, every = settings.path.absolute(), settings.rotate_every_seconds
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = AppendedFile(
            path,
            backups,
            max_bytes=settings.max_bytes,
            periods=Periods(every, utc=settings.utc) if every else None,
            mode=mode,
            put_aside=caretaker.wake,
            failed=failed,
            clock=clock,
        )
        if backups.listed():
            caretaker.wake()
    except OSError as error:
        raise ConfigurationError(
            f"cannot write the log file {path}: {error.strerror}",
            where=where,
            hint="Name a path this process may write.",
        ) from error
    return file
