"""Where finished lines go."""

import sys
from pathlib import Path
from typing import BinaryIO, Protocol

from infrastructure.config.models.logging import LogFile
from infrastructure.errors import ConfigurationError


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


class RotatingFile:
    """A file that moves to `.1`, `.2`, ... when the next line would pass its size.

    Every line is handed to the system at once, so a killed process loses none. One process
    writes one file: two that rotate the same path lose lines.
    """

    def __init__(self, settings: LogFile) -> None:
        self._settings = settings
        self._path = settings.path.absolute()
        self._torn = False
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._file = self._opened()
        except OSError as error:
            raise ConfigurationError(
                f"cannot write the log file {self._path}: {error.strerror}",
                where="logging.file.path",
                hint="Name a path this process may write.",
            ) from error

    def __str__(self) -> str:
        return f"the file {self._path}"

    def write(self, line: bytes) -> None:
        """Append, rotating first when the line does not fit."""
        if self._size and self._size + len(line) > self._settings.max_bytes:
            self._rotate()
        whole = b"\n" + line if self._torn else line
        written = self._file.write(whole)
        self._size += written
        self._torn = written < len(whole)
        if self._torn:
            raise OSError(f"{written} of {len(whole)} bytes were written")

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _opened(self) -> BinaryIO:
        file = self._path.open("ab", buffering=0)
        self._size = file.seek(0, 2)
        return file

    def _rotate(self) -> None:
        self._file.close()
        try:
            self._shift()
        finally:
            self._file = self._opened()

    def _shift(self) -> None:
        for number in range(self._settings.backup_count, 0, -1):
            older = self._backup(number - 1)
            if older.exists():
                older.replace(self._backup(number))
        if not self._settings.backup_count:
            self._path.unlink(missing_ok=True)

    def _backup(self, number: int) -> Path:
        return self._path.with_name(f"{self._path.name}.{number}") if number else self._path
