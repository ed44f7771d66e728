"""Qdrant's local mode: the vendor's own engine in this process, in memory or in a folder.

It raises ValueError where the server answers with a status, and blocks where the server is
awaited; here it does neither.
"""

import asyncio
import math
import sqlite3
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from operator import mul
from pathlib import Path
from typing import Any, TypeVar

from qdrant_client import models
from qdrant_client.local.local_collection import LocalCollection
from qdrant_client.local.qdrant_local import QdrantLocal

from infrastructure.connections.base import PoolStats
from infrastructure.connections.vector.qdrant.settings import QdrantSettings
from infrastructure.errors import (
    ConfigurationError,
    ConflictError,
    DataError,
    InfrastructureError,
    NotFoundError,
    OverloadedError,
    RejectedError,
    UnavailableError,
)

T = TypeVar("T")

_MAX_DETAIL = 300


class LocalEngine:
    """The vendor's local mode, in memory or in a folder, on a thread of its own.

    Its calls block, and its files belong to one thread; a call whose caller has left runs to its
    end there. A folder is locked: one engine at a time. The vendor pickles what it stores in it,
    so open only folders that nobody else can write.

    Attributes:
        settings: What it was made by.
    """

    def __init__(self, settings: QdrantSettings, where: str) -> None:
        self.settings = settings
        self._path = settings.path
        self._where = where
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="qdrant")
        self._waiting = 0
        self._client: _Local | None = None

    async def open(self) -> None:
        """Load the folder; what was loaded is released when the caller has left meanwhile."""
        try:
            await self._run(self._load)
        except BaseException:
            self._thread.submit(self._release)
            raise

    async def close(self) -> None:
        """Release the folder."""
        released = self._thread.submit(self._release)
        self._thread.shutdown(wait=False)
        await asyncio.shield(asyncio.wrap_future(released))

    async def call(self, method: str, **arguments: Any) -> Any:
        """Run the vendor's method of that name, after the calls before it."""
        self._waiting += 1
        try:
            return await self._run(partial(self._do, method, arguments))
        finally:
            self._waiting -= 1

    def pool_stats(self) -> PoolStats:
        """One thread."""
        size = 0 if self._client is None else 1
        return PoolStats(size=size, in_use=min(self._waiting, size), limit=size)

    async def _run(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    def _load(self) -> None:
        if self._client is not None:
            return
        try:
            self._client = _Local(self._path)
        except Exception as error:
            raise self._refused(error) from error

    def _refused(self, error: Exception) -> InfrastructureError:
        code = getattr(error, "sqlite_errorcode", None)
        if isinstance(error, RuntimeError) or code == sqlite3.SQLITE_BUSY:
            return ConflictError(
                f"the folder {self._path} is in use by another store or process",
                where=self._where,
                hint="Close that one, or run a Qdrant server and set url instead of path.",
            )
        if isinstance(error, OSError) or code == sqlite3.SQLITE_CANTOPEN:
            return ConfigurationError(
                f"the folder {self._path} cannot be used: {error}",
                where=self._where,
                hint="Check that `path` names a folder that may be written.",
            )
        return DataError(
            f"the folder {self._path} cannot be read: {type(error).__name__}",
            where=self._where,
            hint="Put a copy in its place, or set path to another folder.",
        )

    def _release(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            client.release()

    def _do(self, method: str, arguments: dict[str, Any]) -> Any:
        client = self._client
        if client is None:
            raise UnavailableError("closed while the call waited", where=self._where)
        self._check(client, method, arguments)
        try:
            return client.run(method, arguments)
        except sqlite3.OperationalError as error:
            raise OverloadedError(
                f"the folder {self._path} takes no writes: {error}",
                where=self._where,
                hint="Check the free disk space.",
            ) from error
        except sqlite3.Error as error:
            raise self._refused(error) from error
        except ValueError as error:
            raise RejectedError(str(error)[:_MAX_DETAIL], where=self._where) from error

    def _check(self, client: "_Local", method: str, arguments: dict[str, Any]) -> None:
        name = arguments.get("collection_name")
        if name is None or method in {"create_collection", "delete_collection"}:
            return
        if name not in client.collections:
            raise NotFoundError(f"there is no collection '{name}'", where=self._where)


class _Local(QdrantLocal):
    """The vendor's local mode with fast, durable writes and without its warnings."""

    LARGE_DATA_THRESHOLD = sys.maxsize

    def __init__(self, path: Path | None) -> None:
        self.collections = {}
        self._flock_file = None
        self._lock = _lock(path) if path else None
        try:
            super().__init__(str(path) if path else ":memory:")
        except BaseException:
            self.release()
            raise
        for collection in self.collections.values():
            _prepare(collection)

    def run(self, method: str, arguments: dict[str, Any]) -> Any:
        """Run the vendor's method of that name."""
        name = arguments.get("collection_name", "")
        known = self.collections.get(name)
        if method == "upsert" and known and self.persistent:
            _scale(known, arguments["points"])
        if method == "delete_collection" and known:
            known.close()  # the vendor leaves its file open
        result = getattr(self, method)(**arguments)
        if method == "create_collection":
            _prepare(self.collections[name])
        if method in {"upsert", "delete", "batch_update_points"}:
            _make_durable(self.collections[name])
        return result

    def release(self) -> None:
        """Close the files and the lock, also of a folder that did not open."""
        for collection in self.collections.values():
            collection.close()
        if self._flock_file is not None:
            self._flock_file.close()
        if self._lock is not None:
            self._lock.close()


def _lock(path: Path) -> sqlite3.Connection:
    """Lock the folder before the vendor reads it, who locks only afterwards.

    SQLite's lock is the system's own on every platform, and ends with the process.
    """
    path.mkdir(parents=True, exist_ok=True)
    lock = sqlite3.connect(path / ".in_use", timeout=0, isolation_level=None)
    try:
        lock.execute("BEGIN EXCLUSIVE")
    except BaseException:
        lock.close()
        raise
    return lock


def _prepare(collection: LocalCollection) -> None:
    """Sync once a call instead of once a record: 7 times the speed, and a kill loses nothing."""
    collection.LARGE_DATA_THRESHOLD = sys.maxsize
    if collection.storage is not None:
        collection.storage.storage.execute("PRAGMA journal_mode=WAL")
        collection.storage.storage.execute("PRAGMA synchronous=NORMAL")


def _make_durable(collection: LocalCollection) -> None:
    if collection.storage is not None:
        collection.storage.storage.execute("PRAGMA wal_checkpoint(PASSIVE)")


def _scale(collection: LocalCollection, points: list[models.PointStruct]) -> None:
    """Under cosine, store unit length: the vendor scales in memory but not on disk."""
    shape = collection.config.vectors
    if isinstance(shape, models.VectorParams) and shape.distance is models.Distance.COSINE:
        for point in points:
            if isinstance(point.vector, dict):
                point.vector[""] = _unit(point.vector[""])
            else:
                point.vector = _unit(point.vector)


def _unit(vector: Any) -> list[float]:
    length = math.sqrt(sum(map(mul, vector, vector)))
    return [value / length for value in vector] if length else vector
