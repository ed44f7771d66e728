"""A file that any number of processes append whole lines to, and that one puts aside in time."""

import errno
import os
import time
from collections.abc import Callable
from pathlib import Path
from stat import S_ISREG, ST_DEV, ST_INO, ST_SIZE

from infrastructure.file_locks import locked, unlock, wait_for
from infrastructure.forks import remember
from infrastructure.observability.logging.backups import Backups
from infrastructure.observability.logging.periods import Periods

#: How long another process may hold the file. It does for microseconds, unless it is frozen.
LOCK_SECONDS = 2.0


class AppendedFile:
    """Appends under a lock of the file itself, so that nobody writes to one that was put aside.

    After taking the lock a writer looks whether the path still leads to its file: another
    process may have put it aside in the meantime.

    Args:
        path: The file; its folder must exist.
        backups: Where it goes when it is full or old.
        max_bytes: The size that the next line must not pass.
        periods: Says when it is old; None when it never is.
        mode: The permissions of a new file.
        put_aside: Called after that, with the lock let go.
        failed: Called when that failed; the line is written all the same.
        clock: Seconds since the epoch.

    Attributes:
        descriptor: The open file; -1 when there is none.
        inode: What file that is, and on what device.
    """

    def __init__(
        self,
        path: Path,
        backups: Backups,
        *,
        max_bytes: int,
        periods: Periods | None,
        mode: int = 0o666,
        put_aside: Callable[[], object],
        failed: Callable[[Exception], object],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.descriptor = -1
        self._path = path
        self._name = str(path)
        self._backups = backups
        self._max_bytes = max_bytes
        self._periods = periods
        self._mode = mode
        self._put_aside = put_aside
        self._failed = failed
        self._clock = clock
        self.inode = (-1, -1)
        self._patience = LOCK_SECONDS
        self.open()
        remember(self.after_fork)

    def open(self) -> None:
        """Open the file, making it if it is not there."""
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | getattr(os, "O_CLOEXEC", 0)
        self.descriptor = os.open(self._name, flags, self._mode)
        status = os.fstat(self.descriptor)
        self.inode = (status.st_ino, status.st_dev)

    def close(self) -> None:
        """Close it, letting go of the lock; harmless when closed."""
        descriptor, self.descriptor = self.descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    def after_fork(self) -> None:
        """Open a file of our own: the parent's lock would be ours as well."""
        self.close()

    def add(self, line: bytes) -> bool:
        """Append the line if nothing is in its way, as for most; whether that was so.

        Raises:
            OSError: The disk is full, or worse.
        """
        descriptor = self.descriptor
        if descriptor < 0 or self._periods is not None or not locked(descriptor):
            return False
        try:
            size = self._size_if_it_fits(len(line))
            if size >= 0:
                self.append(line, size)
            return size >= 0
        finally:
            unlock(descriptor)

    def ready(self, length: int) -> int:
        """Lock the file that the next line of this length belongs to, and tell its size.

        Raises:
            OSError: It cannot be opened, or another process does not let go of it.
        """
        if self.descriptor >= 0 and self._periods is None and locked(self.descriptor):
            size = self._size_if_it_fits(length)
            if size >= 0:
                return size
        try:
            is_kept = False
            while True:
                status = self._locked()
                if status is None:
                    self.close()
                elif is_kept or not self._is_due(status, length):
                    return status.st_size
                else:
                    is_kept = not self._rotated()
        except BaseException:
            self.close()
            raise

    def append(self, data: bytes, size: int) -> None:
        """Write all of it at the end, or nothing.

        Args:
            data: Whole lines.
            size: What `ready` has told.

        Raises:
            OSError: The disk is full, or worse.
        """
        written = os.write(self.descriptor, data)
        if written < len(data):
            os.ftruncate(self.descriptor, size)
            raise OSError(errno.ENOSPC, f"{written} of {len(data)} bytes could be written")

    def release(self) -> None:
        """Let go of the lock."""
        if self.descriptor >= 0:
            unlock(self.descriptor)

    def last_byte(self, size: int) -> bytes:
        """What the file ends with."""
        return os.pread(self.descriptor, 1, size - 1)

    def _size_if_it_fits(self, length: int) -> int:
        """What `ready` tells of most lines; -1 when it must look closer."""
        try:
            status = os.stat(self._name)  # noqa: PTH116 - a Path costs more than the call
        except OSError:
            return -1
        if self.inode != (status[ST_INO], status[ST_DEV]):
            return -1
        size = status[ST_SIZE]
        return size if size + length <= self._max_bytes else -1

    def _locked(self) -> os.stat_result | None:
        """The status of the locked file; None when the path leads to another by now."""
        if self.descriptor < 0:
            self.open()
        if not locked(self.descriptor):
            # Who has waited in vain once does not wait again: a frozen process freezes nobody.
            patience, self._patience = self._patience, 0.0
            wait_for(self.descriptor, patience)
        self._patience = LOCK_SECONDS
        try:
            status = os.stat(self._name)  # noqa: PTH116 - a Path costs more than the call
        except FileNotFoundError:
            return None
        return status if self.inode == (status.st_ino, status.st_dev) else None

    def _is_due(self, status: os.stat_result, length: int) -> bool:
        size = status.st_size
        is_full = size + length > self._max_bytes
        is_old = self._periods is not None and self._periods.is_over(status.st_mtime, self._clock())
        return (is_full or is_old) and size > 0 and S_ISREG(status.st_mode)

    def _rotated(self) -> bool:
        try:
            self._path.rename(self._backups.next_path())
        except OSError as error:
            self._failed(error)
            return False
        self.close()
        self._put_aside()
        return True
