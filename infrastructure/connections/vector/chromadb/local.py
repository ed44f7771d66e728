"""Chroma embedded in this process: its calls wait for files and locks, so threads make them."""

import asyncio
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

from chromadb.api.rust import RustBindingsAPI
from chromadb.config import Settings, System
from chromadb.errors import ChromaError

from infrastructure.connections.base import PoolStats
from infrastructure.connections.vector.chromadb.errors import refusal
from infrastructure.connections.vector.chromadb.settings import ChromadbSettings
from infrastructure.errors import (
    ConfigurationError,
    ConflictError,
    DataError,
    RejectedError,
    UnavailableError,
)
from infrastructure.file_locks import locked

_LOCK = ".in_use"


class LocalEngine:
    """A folder or memory, used by one store at a time, with at most `pool_size` calls at once.

    A call that is given up goes on in its thread; closing waits for it.

    Attributes:
        settings: What it was made with.
        max_batch_size: The most records Chroma takes in one call; 0 before it is open.
    """

    def __init__(self, settings: ChromadbSettings, where: str) -> None:
        self.settings = settings
        self._where = where
        self._path, self._size = settings.path, settings.pool_size
        # opening and closing happen one after the other, also where their caller has left
        self._keeper = ThreadPoolExecutor(1, thread_name_prefix="chromadb-keeper")
        self._threads: ThreadPoolExecutor | None = None
        self._system: System | None = None
        self._api: RustBindingsAPI | None = None
        self._lock = -1
        self._in_flight = 0
        self.max_batch_size = 0

    async def open(self) -> None:
        """Lock the folder and load what is in it."""
        try:
            await asyncio.get_running_loop().run_in_executor(self._keeper, self._load)
        except BaseException:
            self._keeper.submit(self._release)
            raise

    async def close(self) -> None:
        """Let the calls end, and let go of the files and the lock."""
        released = self._keeper.submit(self._release)
        self._keeper.shutdown(wait=False)
        await asyncio.shield(asyncio.wrap_future(released))

    async def call(self, method: str, **arguments: Any) -> Any:
        """Run the vendor's method of that name, when a thread is free."""
        api, threads = self._api, self._threads
        if api is None or threads is None:
            raise UnavailableError("closed while the call waited", where=self._where)
        work = partial(self._do, getattr(api, method), arguments)
        self._in_flight += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(threads, work)
        finally:
            self._in_flight -= 1

    def pool_stats(self) -> PoolStats:
        """Calls in flight; there is nothing idle."""
        in_use = min(self._in_flight, self._size)
        return PoolStats(size=in_use, in_use=in_use, limit=self._size if self._api else 0)

    def _load(self) -> None:
        if self._api is not None:
            return
        if self._path is not None:
            self._lock_folder(self._path)
        # its defaults alone: neither the environment nor a file `.env` has a say
        settings = Settings.model_construct(
            anonymized_telemetry=False,
            is_persistent=self._path is not None,
            persist_directory=str(self._path or ""),
        )
        system = System(settings)
        api = system.instance(RustBindingsAPI)
        try:
            system.start()
        except ChromaError as error:
            raise DataError(
                f"the folder {self._path} cannot be read: {error}", where=self._where
            ) from error
        self.max_batch_size = api.get_max_batch_size()
        self._threads = ThreadPoolExecutor(self._size, thread_name_prefix="chromadb")
        self._system, self._api = system, api

    def _lock_folder(self, path: Path) -> None:
        try:
            path.mkdir(parents=True, exist_ok=True)
            self._lock = os.open(path / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise ConfigurationError(
                f"the folder {path} cannot be used: {error}",
                where=self._where,
                hint="Check that `path` names a folder that may be written.",
            ) from error
        if not locked(self._lock):
            raise ConflictError(
                f"the folder {path} is in use by another store",
                where=self._where,
                hint="Share that one, or run a Chroma server and set url instead of path.",
            )

    def _release(self) -> None:
        threads, self._threads = self._threads, None
        if threads is not None:
            threads.shutdown()
        system, self._system, self._api = self._system, None, None
        if system is not None:
            system.stop()
        lock, self._lock = self._lock, -1
        if lock >= 0:
            os.close(lock)

    def _do(self, method: Callable[..., Any], arguments: dict[str, Any]) -> Any:
        try:
            return method(**arguments)
        except ChromaError as error:
            raise refusal(error.code(), str(error), self._where) from error
        except (OverflowError, TypeError, ValueError) as error:
            raise RejectedError(str(error), where=self._where) from error
