"""The files that rotation has put aside: their names, their age, and who takes care of them."""

from __future__ import annotations

import datetime as dt
import gzip
import os
import re
import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path

from infrastructure.file_locks import locked
from infrastructure.forks import remember

_STAMP = "%Y%m%dT%H%M%S.%f"
_SECONDS_A_DAY = 86_400
#: Bound on finishing at the end; what is left is done at the next start.
CLOSE_SECONDS = 30.0
_TICK = dt.timedelta(microseconds=1)


class Backups:
    """The backups of one log file: `app.log.20261121T094500.000123`, perhaps with `.gz`.

    The stamp is UTC, so that the names sort by age; a backup is never renamed, so that any number
    of processes may care for them.

    Args:
        path: The log file itself.
        count: How many are kept; None for all.
        days: How old one may get; None for any age.
        compress: Whether they are gzipped.
        clock: Seconds since the epoch.
    """

    def __init__(
        self,
        path: Path,
        *,
        count: int | None = None,
        days: float | None = None,
        compress: bool = False,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._path = path
        self._count = count
        self._days = days
        self._compress = compress
        self._clock = clock
        self._name = re.compile(
            rf"{re.escape(path.name)}\.(?P<stamp>\d{{8}}T\d{{6}}\.\d{{6}})(?P<gz>\.gz)?"
        )

    def listed(self) -> list[Path]:
        """The backups there are, oldest first; one being compressed is there once."""
        found: dict[str, Path] = {}
        for path in sorted(self._path.parent.iterdir()):
            if matched := self._name.fullmatch(path.name):
                found.setdefault(matched["stamp"], path)
        return [found[stamp] for stamp in sorted(found)]

    def next_path(self) -> Path:
        """Where the file goes now; later than every other, even if the clock went back."""
        now = dt.datetime.fromtimestamp(self._clock(), dt.UTC)
        existing = self.listed()
        if existing:
            now = max(now, self._stamp(existing[-1]) + _TICK)
        return self._path.with_name(f"{self._path.name}.{now.strftime(_STAMP)}")

    def tidy(self) -> None:
        """Delete what is too many or too old, and compress the rest."""
        existing = self.listed()
        kept = existing[-self._count or len(existing) :] if self._count is not None else existing
        for backup in existing:
            if backup not in kept or self._is_old(backup):
                backup.unlink(missing_ok=True)
            elif self._compress and backup.suffix != ".gz":
                _compress(backup)

    def _stamp(self, backup: Path) -> dt.datetime:
        matched = self._name.fullmatch(backup.name)
        assert matched  # noqa: S101 - they were listed by this very name
        return dt.datetime.strptime(matched["stamp"], _STAMP).replace(tzinfo=dt.UTC)

    def _is_old(self, backup: Path) -> bool:
        if self._days is None:
            return False
        return self._clock() - self._stamp(backup).timestamp() > self._days * _SECONDS_A_DAY


def _compress(backup: Path) -> None:
    """Compress it unless another process does; it is whole under one of its names at any time."""
    part = backup.with_name(f"{backup.name}.part")
    with part.open("ab") as file:
        if not locked(file.fileno()):
            return
        if not backup.exists():  # another process has finished
            part.unlink(missing_ok=True)
            return
        file.truncate(0)
        with backup.open("rb") as source, gzip.GzipFile(fileobj=file, mode="wb") as packed:
            shutil.copyfileobj(source, packed)
        file.flush()
        os.fsync(file.fileno())
        part.replace(backup.with_name(f"{backup.name}.gz"))
        backup.unlink(missing_ok=True)


class Caretaker:
    """One thread that tidies when told to; many wishes at once are one tidying."""

    def __init__(self, tidy: Callable[[], None], failed: Callable[[Exception], object]) -> None:
        self._tidy = tidy
        self._failed = failed
        self.after_fork()
        remember(self.after_fork)

    def after_fork(self) -> None:
        """Start without the parent's thread."""
        self._wanted = threading.Event()
        self._thread: threading.Thread | None = None
        self._is_closing = False
        self._lock = threading.Lock()

    def wake(self) -> None:
        """Tidy soon, on the thread."""
        self._wanted.set()
        with self._lock:
            if self._thread is not None or self._is_closing:
                return
            thread = threading.Thread(target=self._run, name="log-backups", daemon=True)
            try:
                thread.start()
            except RuntimeError as error:  # the system has none left; the line is not to blame
                self._failed(error)
            else:
                self._thread = thread

    def close(self) -> None:
        """Finish what was begun, and end the thread."""
        with self._lock:
            self._is_closing = True
            self._wanted.set()
        if self._thread is not None:
            self._thread.join(CLOSE_SECONDS)

    def _run(self) -> None:
        is_last = False
        while not is_last:
            self._wanted.wait()
            self._wanted.clear()
            is_last = self._is_closing
            try:
                self._tidy()
            except Exception as error:  # noqa: BLE001 - a full disk must not end the thread
                self._failed(error)
