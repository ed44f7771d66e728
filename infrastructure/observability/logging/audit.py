"""The audit file: numbered lines, each with the hash of the one before."""

import os
import time
from collections.abc import Callable
from pathlib import Path

from infrastructure.config.models.logging import AuditFailure, AuditFile
from infrastructure.observability.logging.backups import Backups, Caretaker
from infrastructure.observability.logging.chain import (
    FIRST,
    Link,
    backwards,
    end_in,
    end_of,
    link_after,
    sealed,
)
from infrastructure.observability.logging.destinations import Failed, ignored, opened
from infrastructure.observability.logging.entries import Entry
from infrastructure.observability.logging.formats import json_line

#: What the number, the hashes and the key's id may add to a line, with their names.
_LINK_BYTES = 260


class ChainedFile:
    """Appends audit entries, over restarts, rotations and processes.

    Half a line that a crash has left stays where it is, on a line of its own: the next line has
    its hash, and `verify_audit` accepts it.

    Args:
        settings: The block `logging.streams.audit.file`.
        failed: Told when a backup could not be made or cared for.
        clock: Seconds since the epoch.
    """

    def __init__(
        self,
        settings: AuditFile,
        *,
        failed: Failed = ignored,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.raises = settings.on_failure is AuditFailure.RAISE
        self._path = settings.path.absolute()
        self._fsync = settings.fsync
        key = settings.key
        self._key_id = key.id if key else None
        self._secret = key.secret.get_secret_value().encode() if key else None
        self._backups = Backups(
            self._path,
            count=settings.backup_count,
            days=settings.backup_days,
            compress=settings.compress,
            clock=clock,
        )
        self._caretaker = Caretaker(self._backups.tidy, failed)
        self._file = opened(
            settings,
            self._backups,
            self._caretaker,
            failed=failed,
            clock=clock,
            where="logging.streams.audit.file.path",
            mode=0o600,
        )
        self._last = Link(0, FIRST)
        # The file and the size it has if nobody else has written since.
        self._known = ((-1, -1), -1)
        self._is_torn = False
        self._is_closed = False

    def __str__(self) -> str:
        return f"the audit file {self._path}"

    def append(self, entry: Entry) -> None:
        """Number the entry, link it to the one before and write it.

        Raises:
            OSError: It is not in the file, and has no number.
        """
        if self._is_closed:
            raise OSError("it is closed")
        size = self._file.ready(len(json_line(entry)) + _LINK_BYTES)
        try:
            if self._known != (self._file.inode, size):
                self._last = self._found(size)
            self._write(entry, size)
        finally:
            self._file.release()

    def close(self) -> None:
        """Finish the care for the backups, and close the file."""
        self._is_closed = True
        self._caretaker.close()
        self._file.close()

    def _write(self, entry: Entry, size: int) -> None:
        entry.seq, entry.prev, entry.key = self._last.seq + 1, self._last.hash, self._key_id
        line, seal = sealed(json_line(entry), self._secret)
        data = b"\n" + line if self._is_torn else line
        # Unknown until it is whole and, where that was asked for, on the disk.
        self._known = ((-1, -1), -1)
        self._file.append(data, size)
        if self._fsync:
            os.fsync(self._file.descriptor)
        self._last = Link(entry.seq, seal)
        self._known = (self._file.inode, size + len(data))
        self._is_torn = False

    def _found(self, size: int) -> Link:
        """The end of the chain, from the file or, if that is new, the newest backup."""
        self._is_torn = bool(size) and self._file.last_byte(size) != b"\n"
        end = end_in(backwards(self._file.descriptor, size))
        before = end.link or self._found_in_backups(self._backups.listed())
        return link_after(before, end.torn)

    def _found_in_backups(self, backups: list[Path]) -> Link:
        if not backups:
            return Link(0, FIRST)
        *older, newest = backups
        try:
            end = end_of(newest)
        except FileNotFoundError:  # compressed or deleted just now
            return self._found_in_backups(self._backups.listed())
        return link_after(end.link or self._found_in_backups(older), end.torn)
