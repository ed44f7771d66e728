"""A cache in this process."""

import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, ClassVar

from pydantic import Field

from infrastructure.cache.base import (
    MISSING,
    BaseCacheProvider,
    CacheRegistry,
    CacheType,
    SyncAccess,
)
from infrastructure.cache.implementations.memory.entries import BoundedEntries, Entry, size_of
from infrastructure.cache.implementations.memory.leases import Leases
from infrastructure.cache.implementations.whole_numbers import sum_of
from infrastructure.cache.snapshots import UNCHANGEABLE, is_unchangeable
from infrastructure.config.models.cache import CacheSettings
from infrastructure.observability.metrics import Measurement, counter, gauge
from infrastructure.serialization import decode, encode


class MemoryCacheSettings(CacheSettings):
    """A block under `cache:` with kind memory."""

    kind: str = "memory"
    max_entries: int = Field(
        default=10_000,
        gt=0,
        description="Bound on entries: expired ones go first, then the longest unused.",
    )
    max_bytes: int = Field(
        default=64 * 1024 * 1024,
        gt=0,
        description="Bound on the approximate size of all entries; a larger value is not kept.",
    )


@CacheRegistry.register(CacheType.MEMORY)
class InMemoryCacheProvider(SyncAccess, BaseCacheProvider):
    """Bounded by entries and bytes, and gone when it is closed or the process ends.

    What can be changed is kept as bytes, so a caller's later change of an object changes nothing
    here, and a value that no server could store is refused here too. The size of an entry is
    that of its key and value as Python counts them, or of the value's bytes, and 250 more; a
    value that alone is larger than `max_bytes` is not kept.

    Args:
        clock: Seconds that never go backwards.
    """

    Settings: ClassVar[type[MemoryCacheSettings]] = MemoryCacheSettings
    settings: MemoryCacheSettings
    is_shared = False
    closes_anywhere: ClassVar[bool] = True
    operations: ClassVar[frozenset[str]] = frozenset({"both_now", "set_now"})

    def __init__(
        self,
        settings: MemoryCacheSettings,
        *,
        name: str = "",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(settings, name=name)
        self._clock = clock
        self._kept = BoundedEntries(settings.max_entries, settings.max_bytes, clock)
        self._entries, self._file = self._kept.by_key, self._kept.file  # used at each call
        self._leases = Leases(settings.max_entries, clock)
        self._lock = threading.RLock()

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def bytes(self) -> int:
        """The approximate size of what is kept."""
        return self._kept.bytes

    @property
    def evictions(self) -> int:
        """How many entries had to go before their time."""
        return self._kept.evictions

    def get_now(self, key: str) -> Any:
        """The value, or `MISSING`."""
        entry = self._entries.get(key)
        if entry is None or entry[0] <= self._clock():
            return MISSING
        try:
            self._entries.move_to_end(key)
        except KeyError:
            return MISSING  # another thread removed it meanwhile
        return decode(entry[1]) if entry[2] else entry[1]

    def both_now(self, first: str, second: str) -> tuple[Any, Any]:
        """The values of two keys in one look; `MISSING` twice when one of them is not there."""
        entries, now = self._entries, self._clock()
        one, other = entries.get(first), entries.get(second)
        if one is None or other is None or one[0] <= now or other[0] <= now:
            return MISSING, MISSING
        try:
            entries.move_to_end(first)
            entries.move_to_end(second)
        except KeyError:
            return MISSING, MISSING  # another thread removed it meanwhile
        return (
            decode(one[1]) if one[2] else one[1],
            decode(other[1]) if other[2] else other[1],
        )

    def set_now(self, key: str, value: Any, ttl_seconds: float) -> None:
        """Store one value."""
        entry = self._made(key, value, ttl_seconds)
        with self._lock:
            if self._leases.held:
                self._leases.void(key)
            self._file(key, entry)

    def add_now(self, key: str, value: Any, ttl_seconds: float) -> bool:
        """Store a value unless there is one; say whether it was."""
        entry = self._made(key, value, ttl_seconds)
        with self._lock:
            if self._kept.live(key) is not None:
                return False
            self._put(key, entry)
            return True

    def lease_now(self, key: str, seconds: float) -> str:
        """The right to fill `key`; empty when somebody else holds it."""
        with self._lock:
            return self._leases.grant(key, seconds)

    def fill_now(self, key: str, value: Any, ttl_seconds: float, lease: str) -> bool:
        """Store a value under a lease and end it; nothing is stored when it is void."""
        entry = self._made(key, value, ttl_seconds)
        with self._lock:
            is_good = self._leases.give_back(key, lease)
            if is_good:
                self._file(key, entry)
            return is_good

    def release_now(self, key: str, lease: str) -> None:
        """End a lease without storing; harmless when it is void."""
        with self._lock:
            self._leases.give_back(key, lease)

    def delete_now(self, key: str) -> bool:
        """Remove; say whether it was there."""
        with self._lock:
            self._leases.void(key)
            was_there = self._kept.live(key) is not None
            self._kept.remove(key)
            return was_there

    async def get(self, key: str) -> Any:
        """The value, or `MISSING`."""
        return self.get_now(key)

    async def get_many(self, keys: Sequence[str]) -> list[Any]:
        """The values in the order of `keys`, `MISSING` for each that is not there."""
        return [self.get_now(key) for key in keys]

    async def set(self, key: str, value: Any, ttl_seconds: float) -> None:
        """Store one value."""
        self.set_now(key, value, ttl_seconds)

    async def set_many(self, values: Mapping[str, Any], ttl_seconds: float) -> None:
        """Store all or, when a value is refused, none."""
        made = {key: self._made(key, value, ttl_seconds) for key, value in values.items()}
        with self._lock:
            for key, entry in made.items():
                self._put(key, entry)

    async def delete_many(self, keys: Sequence[str]) -> int:
        """Remove; say how many were there."""
        return sum(map(self.delete_now, keys))

    async def ttl(self, key: str) -> float | None:
        """Seconds the value has left; None when there is no such key."""
        entry, now = self._entries.get(key), self._clock()
        return None if entry is None or entry[0] <= now else entry[0] - now

    async def expire(self, key: str, ttl_seconds: float) -> bool:
        """Give the value a new lifetime from now on; say whether there is one."""
        with self._lock:
            entry = self._kept.live(key)
            if entry is None:
                return False
            self._file(key, (self._clock() + ttl_seconds, *entry[1:]))
            return True

    async def increment(self, key: str, amount: int, ttl_seconds: float) -> int:
        """Add to a whole number; say what it is now."""
        with self._lock:
            entry = self._kept.live(key)
            if entry is None:
                entry = self._made(key, 0, ttl_seconds)
            total = sum_of(entry[1], amount, self.name)
            self._put(key, (entry[0], total, *entry[2:]))
            return total

    async def add(self, key: str, value: Any, ttl_seconds: float) -> bool:
        """Store a value unless there is one; say whether it was."""
        return self.add_now(key, value, ttl_seconds)

    async def lease(self, key: str, seconds: float) -> str:
        """The right to fill `key`; empty when somebody else holds it."""
        return self.lease_now(key, seconds)

    async def fill(self, key: str, value: Any, ttl_seconds: float, lease: str) -> bool:
        """Store a value under a lease and end it; nothing is stored when it is void."""
        return self.fill_now(key, value, ttl_seconds, lease)

    async def release(self, key: str, lease: str) -> None:
        """End a lease without storing; harmless when it is void."""
        self.release_now(key, lease)

    def measurements(self) -> Iterable[Measurement]:
        """What is kept, and what had to go."""
        labels = {"component": self.name, "kind": self.settings.kind}
        yield gauge("switchgear.cache.entries", len(self._entries), labels, unit="{entry}")
        yield gauge("switchgear.cache.size", self.bytes, labels, unit="By")
        yield counter("switchgear.cache.evictions", self.evictions, labels, unit="{entry}")

    async def _open(self) -> None:
        """Nothing to open."""

    async def _close(self) -> None:
        self.clear_now()

    def clear_now(self) -> None:
        """Forget everything, and end every right to fill."""
        with self._lock:
            self._kept.clear()
            self._leases.clear()

    async def disconnect(self) -> None:
        """Forget everything."""
        await super().disconnect()
        await self._close()

    async def _ping(self) -> str:
        return (
            f"{len(self._entries)} of at most {self.settings.max_entries} entries, "
            f"{self.bytes} of at most {self.settings.max_bytes} bytes"
        )

    def _made(self, key: str, value: Any, ttl_seconds: float) -> Entry:
        is_encoded = not (type(value) in UNCHANGEABLE or is_unchangeable(value))
        if is_encoded:
            value = encode(value, where=self.name)
        return (self._clock() + ttl_seconds, value, is_encoded, size_of(key, value))

    def _put(self, key: str, entry: Entry) -> None:
        """Keep it as the latest used, and end the right of others to fill it."""
        if self._leases.held:
            self._leases.void(key)
        self._file(key, entry)
