"""A cache in a file, shared by the processes of this machine."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, ClassVar, Final, TypeVar

from pydantic import Field

from infrastructure.cache.base import (
    MISSING,
    BaseCacheProvider,
    CacheRegistry,
    CacheType,
    SyncAccess,
)
from infrastructure.cache.implementations.disk.file import CacheFile
from infrastructure.cache.implementations.disk.store import DiskStore, Transaction
from infrastructure.cache.implementations.whole_numbers import sum_of
from infrastructure.config.models.cache import CacheSettings
from infrastructure.config.models.serialization import EnvelopeSettings
from infrastructure.errors import (
    DeadlineExceededError,
    OutcomeUnknownError,
)
from infrastructure.observability.metrics import Measurement, counter
from infrastructure.resilience import deadline
from infrastructure.serialization import Envelope, UnreadableError

T = TypeVar("T")

#: SQLite gives up before the deadline does, so that a locked file is said to be one.
_BUSY_SHARE: Final = 0.8


class DiskCacheSettings(CacheSettings):
    """A block under `cache:` with kind disk."""

    kind: str = "disk"
    path: Path = Field(
        default=Path(".switchgear/data/cache.sqlite3"),
        description="The file, made with its folders for this user only.",
    )
    max_entries: int = Field(
        default=100_000,
        gt=0,
        description="Bound on entries: expired ones go first, then the longest unused.",
    )
    max_bytes: int = Field(
        default=256 * 2**20,
        gt=0,
        description="Bound on the room entries take in the file; a larger value is not kept.",
    )
    envelope: EnvelopeSettings = EnvelopeSettings()


@CacheRegistry.register(CacheType.DISK)
class DiskCacheProvider(SyncAccess, BaseCacheProvider):
    """One SQLite file, safe between processes and after the end of any of them.

    A stored value that cannot be read counts as not there. A file that is damaged is put aside
    as `<path>.damaged` and begun anew. Lifetimes go by the clock of the machine.

    Args:
        clock: Seconds that all processes count alike.

    Attributes:
        unreadable: How many stored values could not be read, by reason.
    """

    Settings: ClassVar[type[DiskCacheSettings]] = DiskCacheSettings
    settings: DiskCacheSettings
    closes_anywhere: ClassVar[bool] = True

    def __init__(
        self,
        settings: DiskCacheSettings,
        *,
        name: str = "",
        clock: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(settings, name=name)
        self.unreadable: Counter[str] = Counter()
        self._envelope = Envelope.of(settings.envelope, where=self.name)
        busy_seconds = settings.timeout_seconds * _BUSY_SHARE
        self._store = DiskStore(
            CacheFile(settings.path, busy_seconds=busy_seconds, where=self.name),
            max_entries=settings.max_entries,
            max_bytes=settings.max_bytes,
            clock=clock,
            where=self.name,
        )
        self._worker: ThreadPoolExecutor | None = None

    def get_now(self, key: str) -> Any:
        """The value, or `MISSING`."""
        return self._get((key,))[0]

    def set_now(self, key: str, value: Any, ttl_seconds: float) -> None:
        """Store one value."""
        name, data = _name(key), self._envelope.seal(value, key)
        self._store.change(lambda entries: entries.put(name, data, ttl_seconds))

    def add_now(self, key: str, value: Any, ttl_seconds: float) -> bool:
        """Store a value unless there is one; say whether it was."""
        name, data = _name(key), self._envelope.seal(value, key)

        def add(entries: Transaction) -> bool:
            found = entries.get(name)
            if found is not None and self._opened(key, found[0]) is not MISSING:
                return False
            entries.put(name, data, ttl_seconds)
            return True

        return self._store.change(add)

    def lease_now(self, key: str, seconds: float) -> str:
        """The right to fill `key`; empty when somebody else holds it."""
        return self._store.change(lambda entries: entries.lease(_name(key), seconds))

    def fill_now(self, key: str, value: Any, ttl_seconds: float, lease: str) -> bool:
        """Store a value under a lease and end it; nothing is stored when it is void."""
        name, data = _name(key), self._envelope.seal(value, key)

        def fill(entries: Transaction) -> bool:
            if not entries.take_lease(name, lease):
                return False
            entries.put(name, data, ttl_seconds)
            return True

        return self._store.change(fill)

    def release_now(self, key: str, lease: str) -> None:
        """End a lease without storing; harmless when it is void."""
        self._store.change(lambda entries: entries.take_lease(_name(key), lease))

    def delete_now(self, key: str) -> bool:
        """Remove; say whether it was there."""
        return self._store.change(lambda entries: entries.delete([_name(key)])) > 0

    async def get_many(self, keys: Sequence[str]) -> list[Any]:
        """The values in the order of `keys`, `MISSING` for each that is not there."""
        return await self._run(lambda: self._get(keys)) if keys else []

    async def set_many(self, values: Mapping[str, Any], ttl_seconds: float) -> None:
        """Store all in one transaction; when a value is refused, none."""
        sealed = {_name(key): self._envelope.seal(value, key) for key, value in values.items()}
        if sealed:
            await self._change(lambda entries: entries.put_all(sealed, ttl_seconds))

    async def delete_many(self, keys: Sequence[str]) -> int:
        """Remove; say how many were there."""
        names = list(dict.fromkeys(map(_name, keys)))
        return await self._change(lambda entries: entries.delete(names)) if names else 0

    async def ttl(self, key: str) -> float | None:
        """Seconds the value has left; None when there is no such key."""
        return await self._run(lambda: self._store.end_of(_name(key)))

    async def expire(self, key: str, ttl_seconds: float) -> bool:
        """Give the value a new lifetime from now on; say whether there is one."""
        return await self._change(lambda entries: entries.expire(_name(key), ttl_seconds))

    async def increment(self, key: str, amount: int, ttl_seconds: float) -> int:
        """Add to a whole number, in one step for all processes; say what it is now.

        Raises:
            ConflictError: The value is not an int, or the sum is beyond 64 bits.
            OutcomeUnknownError: The deadline passed while it was being written.
        """
        name = _name(key)

        def add(entries: Transaction) -> int:
            found = entries.get(name)
            value = MISSING if found is None else self._opened(key, found[0])
            if found is None or value is MISSING:
                entries.put(
                    name, self._envelope.seal(sum_of(0, amount, self.name), key), ttl_seconds
                )
                return amount
            total = sum_of(value, amount, self.name)
            entries.put_until(name, self._envelope.seal(total, key), found[1])
            return total

        return await self._once(lambda: self._store.change(add))

    async def add(self, key: str, value: Any, ttl_seconds: float) -> bool:
        """Store a value unless there is one, in one step for all processes; say whether it was.

        Raises:
            OutcomeUnknownError: The deadline passed while it was being written.
        """
        return await self._once(lambda: self.add_now(key, value, ttl_seconds))

    async def lease(self, key: str, seconds: float) -> str:
        """The right to fill `key`; empty when somebody else holds it.

        One that was asked for and whose answer nobody waits for is given up by the worker.
        """
        future: Future[str] | None = None
        try:
            async with deadline(self.settings.timeout_seconds, self.name):
                future = await self._submitted(lambda: self.lease_now(key, seconds))
                return await asyncio.wrap_future(future)
        except BaseException:
            if future is not None:
                future.add_done_callback(lambda done: self._give_up(key, done))
            raise

    def _give_up(self, key: str, done: "Future[str]") -> None:
        if not done.cancelled() and done.exception() is None and (token := done.result()):
            self.release_now(key, token)

    async def fill(self, key: str, value: Any, ttl_seconds: float, lease: str) -> bool:
        """Store a value under a lease and end it; nothing is stored when it is void."""
        return await self._once(lambda: self.fill_now(key, value, ttl_seconds, lease))

    async def release(self, key: str, lease: str) -> None:
        """End a lease without storing; harmless when it is void."""
        await self._run(lambda: self.release_now(key, lease))

    async def disconnect(self) -> None:
        """Close the file, also where it was used without an event loop."""
        await super().disconnect()
        self._store.close()

    def measurements(self) -> Iterable[Measurement]:
        """What had to go, and what could not be read."""
        labels = {"component": self.name, "kind": self.settings.kind}
        evictions, damaged = self._store.evictions, self._store.file.put_aside
        yield counter("switchgear.cache.evictions", evictions, labels, unit="{entry}")
        yield counter("switchgear.cache.damaged_files", damaged, labels, unit="{file}")
        for reason, count in self.unreadable.copy().items():
            labelled = {**labels, "reason": reason}
            yield counter("switchgear.cache.unreadable", count, labelled, unit="{value}")

    async def _open(self) -> None:
        worker = ThreadPoolExecutor(1, thread_name_prefix="switchgear-disk-cache")
        try:
            await asyncio.wrap_future(worker.submit(self._store.open))
        except BaseException:
            worker.shutdown(wait=False)
            raise
        self._worker = worker

    async def _close(self) -> None:
        worker, self._worker = self._worker, None
        if worker is not None:
            try:
                await asyncio.wrap_future(worker.submit(self._store.close))
            finally:
                worker.shutdown(wait=False)

    async def _ping(self) -> str:
        entries, size = await self._run(self._store.totals)
        most = self.settings
        return (
            f"{entries} of at most {most.max_entries} entries, "
            f"{size} of at most {most.max_bytes} bytes"
        )

    async def _change(self, body: Callable[[Transaction], T]) -> T:
        return await self._run(lambda: self._store.change(body))

    async def _run(self, call: Callable[[], T]) -> T:
        """Run a call that may be made again, in the worker thread and within the deadline."""
        async with deadline(self.settings.timeout_seconds, self.name):
            return await asyncio.wrap_future(await self._submitted(call))

    async def _once(self, call: Callable[[], T]) -> T:
        """Run a call that must not be made again: what was begun may have been done."""
        future: Future[T] | None = None
        try:
            async with deadline(self.settings.timeout_seconds, self.name):
                future = await self._submitted(call)
                return await asyncio.wrap_future(future)
        except DeadlineExceededError as error:
            if future is None or future.cancelled():
                raise
            raise OutcomeUnknownError(
                f"no answer within {error.seconds:g} s, while it was being written",
                where=self.name,
            ) from error

    async def _submitted(self, call: Callable[[], T]) -> "Future[T]":
        await self.connect()
        assert self._worker is not None  # noqa: S101 - connect made it
        return self._worker.submit(call)

    def _get(self, keys: Sequence[str]) -> list[Any]:
        stored = self._store.get([*dict.fromkeys(map(_name, keys))])
        sealed = ((key, stored.get(_name(key))) for key in keys)
        return [MISSING if data is None else self._opened(key, data) for key, data in sealed]

    def _opened(self, key: str, data: bytes) -> Any:
        try:
            return self._envelope.open(data, key)
        except UnreadableError as error:
            self.unreadable[error.reason] += 1
            return MISSING


def _name(key: str) -> bytes:
    return key.encode(errors="surrogatepass")
