"""Sealed values in one SQLite file, for any thread and any process of this machine."""

import secrets
import sqlite3
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Final, TypeVar

from infrastructure.cache.implementations.disk.file import CacheFile, is_damage, translated

T = TypeVar("T")

_KEYS_A_QUERY: Final = 500
_EXPIRED_A_WRITE: Final = 64
_EVICTED_A_STEP: Final = 128
_MOST_TOUCHED: Final = 512
_ROW_BYTES: Final = 150
_PAGE_BYTES: Final = 4096

_GET = "SELECT key, value FROM entries WHERE expires_at > ? AND key IN ({})"
_PUT = """
INSERT INTO entries (key, value, expires_at, used_at, size) VALUES (?, ?, ?, ?, ?)
ON CONFLICT (key) DO UPDATE SET value = excluded.value, expires_at = excluded.expires_at,
    used_at = excluded.used_at, size = excluded.size
"""


class DiskStore:
    """What a disk cache does, in plain calls; each is one transaction.

    A file found to be damaged is put aside, and the call is made again on a new one.

    Args:
        file: The file.
        max_entries: Bound on entries.
        max_bytes: Bound on the room that keys and values take.
        clock: Seconds that all processes count alike.
        where: The provider path for errors.

    Attributes:
        evictions: How many entries had to go before their time, by this process.
    """

    def __init__(
        self,
        file: CacheFile,
        *,
        max_entries: int,
        max_bytes: int,
        clock: Callable[[], float],
        where: str,
    ) -> None:
        self.file = file
        self.evictions = 0
        self._max_entries = max_entries
        self._max_bytes = max_bytes
        self._clock = clock
        self._where = where
        self._lock = threading.RLock()
        self._touched: dict[bytes, int] = {}
        self._tick = 0

    def open(self) -> None:
        """Open the file, or look whether it is still there."""
        with self._lock:
            self.file.connection()

    def close(self) -> None:
        """Write down what was used, and close the file."""
        with self._lock:
            if self._touched:
                self.change(lambda _: None)
            self.file.close()

    def get(self, keys: Sequence[bytes]) -> dict[bytes, bytes]:
        """The values that are there, by key."""
        with self._lock:
            found = self._safely(lambda db: self._get(db, keys))
            for key in found:
                self._touched[key] = self._next_tick()
            if len(self._touched) > _MOST_TOUCHED:
                self.change(lambda _: None)
            return found

    def totals(self) -> tuple[int, int]:
        """How many entries there are, and the room they take."""
        with self._lock:
            return self._safely(_totals)

    def end_of(self, key: bytes) -> float | None:
        """The seconds that a value has left."""
        query = "SELECT expires_at FROM entries WHERE key = ? AND expires_at > ?"
        with self._lock:
            now = self._clock()
            row = self._safely(lambda db: db.execute(query, (key, now)).fetchone())
            return None if row is None else row[0] - now

    def change(self, body: "Callable[[Transaction], T]") -> T:
        """Run the body as one transaction, alone among all processes."""

        def run(db: sqlite3.Connection) -> T:
            now = self._clock()
            with _transaction(db):
                self._write_touched(db)
                result = body(Transaction(db, now, self._next_tick(), self._max_bytes))
                self._make_room(db, now)
                return result

        with self._lock:
            return self._safely(run)

    def _get(self, db: sqlite3.Connection, keys: Sequence[bytes]) -> dict[bytes, bytes]:
        found: dict[bytes, bytes] = {}
        now = self._clock()
        for start in range(0, len(keys), _KEYS_A_QUERY):
            part = keys[start : start + _KEYS_A_QUERY]
            query = _GET.format(",".join("?" * len(part)))
            found.update(db.execute(query, (now, *part)).fetchall())
        return found

    def _safely(self, call: Callable[[sqlite3.Connection], T]) -> T:
        """Make a call; on a damaged file, once more on a new one."""
        try:
            return call(self.file.connection())
        except sqlite3.Error as error:
            if not is_damage(error):
                raise translated(error, self._where) from error
        self.file.put_damaged_aside()
        try:
            return call(self.file.connection())
        except sqlite3.Error as error:
            raise translated(error, self._where) from error

    def _next_tick(self) -> int:
        """Rises with every use, in this process always and between processes with the clock."""
        self._tick = max(self._tick + 1, int(self._clock() * 1_000_000))
        return self._tick

    def _write_touched(self, db: sqlite3.Connection) -> None:
        touched, self._touched = self._touched, {}
        rows = [(tick, key) for key, tick in touched.items()]
        db.executemany("UPDATE entries SET used_at = ?1 WHERE key = ?2 AND used_at < ?1", rows)

    def _make_room(self, db: sqlite3.Connection, now: float) -> None:
        """Drop some of what has expired; where that is not enough, the longest unused."""
        _drop_expired(db, now)
        entries, size = _totals(db)
        if entries <= self._max_entries and size <= self._max_bytes:
            return
        # a twentieth more than needed, so that not every write has to
        most = (self._max_entries - self._max_entries // 20, self._max_bytes * 19 // 20)
        while entries > most[0] or size > most[1]:
            if not _drop_expired(db, now):
                self.evictions += _drop_unused(db, entries - most[0], size - most[1])
            entries, size = _totals(db)


class Transaction:
    """What can be done within one; `now` is the time of all of it."""

    def __init__(self, db: sqlite3.Connection, now: float, tick: int, max_bytes: int) -> None:
        self._db = db
        self._now = now
        self._tick = tick
        self._max_bytes = max_bytes

    def get(self, key: bytes) -> tuple[bytes, float] | None:
        """The value and when it ends."""
        query = "SELECT value, expires_at FROM entries WHERE key = ? AND expires_at > ?"
        row: tuple[bytes, float] | None = self._db.execute(query, (key, self._now)).fetchone()
        return row

    def put(self, key: bytes, value: bytes, ttl_seconds: float) -> None:
        """Store a value and end the right of others to fill it; one that is too large is not."""
        self.put_until(key, value, self._now + ttl_seconds)

    def put_until(self, key: bytes, value: bytes, expires_at: float) -> None:
        """As `put`, with an end that is known."""
        self._end_lease(key)
        size = _room(key, value)
        if size > self._max_bytes:
            self._db.execute("DELETE FROM entries WHERE key = ?", (key,))
        else:
            self._db.execute(_PUT, (key, value, expires_at, self._tick, size))

    def put_all(self, values: Mapping[bytes, bytes], ttl_seconds: float) -> None:
        """Store all."""
        for key, value in values.items():
            self.put(key, value, ttl_seconds)

    def delete(self, keys: Sequence[bytes]) -> int:
        """Remove, and end the rights to fill; say how many were there."""
        count = 0
        for key in keys:
            self._end_lease(key)
            count += self.get(key) is not None
            self._db.execute("DELETE FROM entries WHERE key = ?", (key,))
        return count

    def expire(self, key: bytes, ttl_seconds: float) -> bool:
        """Give a value another end; say whether there is one."""
        query = "UPDATE entries SET expires_at = ? WHERE key = ? AND expires_at > ?"
        done = self._db.execute(query, (self._now + ttl_seconds, key, self._now))
        return done.rowcount > 0

    def lease(self, key: bytes, seconds: float) -> str:
        """The right to fill the key; empty when somebody holds it."""
        query = "SELECT 1 FROM leases WHERE key = ? AND expires_at > ?"
        if self._db.execute(query, (key, self._now)).fetchone():
            return ""
        token = secrets.token_hex(8)
        query = "INSERT OR REPLACE INTO leases (key, token, expires_at) VALUES (?, ?, ?)"
        self._db.execute(query, (key, token, self._now + seconds))
        return token

    def take_lease(self, key: bytes, token: str) -> bool:
        """End a lease; say whether it was the one that holds."""
        query = "DELETE FROM leases WHERE key = ? AND token = ? AND expires_at > ?"
        return self._db.execute(query, (key, token, self._now)).rowcount > 0

    def _end_lease(self, key: bytes) -> None:
        self._db.execute("DELETE FROM leases WHERE key = ?", (key,))


@contextmanager
def _transaction(db: sqlite3.Connection) -> Iterator[None]:
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise


def _totals(db: sqlite3.Connection) -> tuple[int, int]:
    entries, size = db.execute("SELECT entries, bytes FROM totals").fetchone()
    return entries, size


def _drop_expired(db: sqlite3.Connection, now: float) -> int:
    """Remove some of what has ended; say how many entries."""
    db.execute("DELETE FROM leases WHERE expires_at <= ?", (now,))
    chosen = "SELECT id FROM entries WHERE expires_at <= ? LIMIT ?"
    query = f"DELETE FROM entries WHERE id IN ({chosen})"  # noqa: S608 - the text above
    return db.execute(query, (now, _EXPIRED_A_WRITE)).rowcount


def _drop_unused(db: sqlite3.Connection, entries: int, size: int) -> int:
    """Remove the longest unused until so many entries and so much room are free, or a few steps."""
    query = "SELECT id, size FROM entries ORDER BY used_at LIMIT ?"
    chosen: list[tuple[int]] = []
    for number, each in db.execute(query, (_EVICTED_A_STEP,)):
        if entries <= 0 and size <= 0:
            break
        chosen.append((number,))
        entries, size = entries - 1, size - each
    db.executemany("DELETE FROM entries WHERE id = ?", chosen)
    return len(chosen)


def _room(key: bytes, value: bytes) -> int:
    """What an entry takes in the file: a part of a page, or whole pages."""
    size = 2 * len(key) + len(value) + _ROW_BYTES
    return size if size < _PAGE_BYTES // 2 else -(-size // _PAGE_BYTES) * _PAGE_BYTES
