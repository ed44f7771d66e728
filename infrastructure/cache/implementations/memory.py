"""A cache in this process."""

import heapq
import secrets
import sys
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, ClassVar, Final, NamedTuple

from pydantic import Field

from infrastructure.cache.base import (
    MISSING,
    BaseCacheProvider,
    CacheRegistry,
    CacheType,
    SyncAccess,
)
from infrastructure.cache.snapshots import UNCHANGEABLE, is_unchangeable
from infrastructure.config.models.cache import CacheSettings
from infrastructure.errors import ConflictError
from infrastructure.observability.metrics import Measurement, counter, gauge
from infrastructure.serialization import decode, encode

#: What an entry takes beside its key and value: its record, and its places in the two orders.
_ENTRY_BYTES: Final = 250
_INT64: Final = 2**63
_size_of = sys.getsizeof


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


def _inner_size(value: tuple[Any, ...]) -> int:
    """What a tuple that is kept as it is holds, beside itself."""
    return sum(_size_of(each) + (_inner_size(each) if type(each) is tuple else 0) for each in value)


#: Until when, the value or its bytes, whether it is bytes of a value, and the size.
_Entry = tuple[float, Any, bool, int]


class _Lease(NamedTuple):
    token: str
    expires_at: float


@CacheRegistry.register(CacheType.MEMORY)
class InMemoryCacheProvider(SyncAccess, BaseCacheProvider):
    """Bounded by entries and bytes, and gone when it is closed or the process ends.

    What can be changed is kept as bytes, so a caller's later change of an object changes nothing
    here, and a value that no server could store is refused here too. The size of an entry is
    that of its key and value as Python counts them, or of the value's bytes, and 250 more; a
    value that alone is larger than `max_bytes` is not kept.

    Args:
        clock: Seconds that never go backwards.

    Attributes:
        bytes: The approximate size of what is kept.
        evictions: How many entries had to go before their time.
    """

    Settings: ClassVar[type[MemoryCacheSettings]] = MemoryCacheSettings
    settings: MemoryCacheSettings
    is_shared = False
    closes_anywhere: ClassVar[bool] = True
    operations: ClassVar[frozenset[str]] = frozenset({"set_now"})

    def __init__(
        self,
        settings: MemoryCacheSettings,
        *,
        name: str = "",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(settings, name=name)
        self.bytes = 0
        self.evictions = 0
        self._clock = clock
        self._max_entries = settings.max_entries
        self._max_bytes = settings.max_bytes
        self._entries: OrderedDict[str, _Entry] = OrderedDict()
        self._deadlines: list[tuple[float, str]] = []
        self._leases: OrderedDict[str, _Lease] = OrderedDict()
        self._lock = threading.RLock()

    def __len__(self) -> int:
        return len(self._entries)

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

    def set_now(self, key: str, value: Any, ttl_seconds: float) -> None:
        """Store one value."""
        entry = self._made(key, value, ttl_seconds)
        with self._lock:
            if self._leases:
                self._leases.pop(key, None)
            self._file(key, entry)

    def add_now(self, key: str, value: Any, ttl_seconds: float) -> bool:
        """Store a value unless there is one; say whether it was."""
        entry = self._made(key, value, ttl_seconds)
        with self._lock:
            if self._live(key) is not None:
                return False
            self._put(key, entry)
            return True

    def lease_now(self, key: str, seconds: float) -> str:
        """The right to fill `key`; empty when somebody else holds it."""
        with self._lock:
            now = self._clock()
            held = self._leases.get(key)
            if held is not None and held.expires_at > now:
                return ""
            if held is None and len(self._leases) >= self._max_entries:
                self._leases.popitem(last=False)  # its holder will find that it cannot fill
            token = secrets.token_hex(8)
            self._leases[key] = _Lease(token, now + seconds)
            self._leases.move_to_end(key)
            return token

    def fill_now(self, key: str, value: Any, ttl_seconds: float, lease: str) -> bool:
        """Store a value under a lease and end it; nothing is stored when it is void."""
        entry = self._made(key, value, ttl_seconds)
        with self._lock:
            held = self._leases.get(key)
            if held is None or held.token != lease:
                return False
            is_void = held.expires_at <= self._clock()
            del self._leases[key]
            if not is_void:
                self._put(key, entry)
            return not is_void

    def release_now(self, key: str, lease: str) -> None:
        """End a lease without storing; harmless when it is void."""
        with self._lock:
            held = self._leases.get(key)
            if held is not None and held.token == lease:
                del self._leases[key]

    def delete_now(self, key: str) -> bool:
        """Remove; say whether it was there."""
        with self._lock:
            self._leases.pop(key, None)
            was_there = self._live(key) is not None
            self._remove(key)
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
            entry = self._live(key)
            if entry is None:
                return False
            self._file(key, (self._clock() + ttl_seconds, *entry[1:]))
            return True

    async def increment(self, key: str, amount: int, ttl_seconds: float) -> int:
        """Add to a whole number; say what it is now."""
        with self._lock:
            entry = self._live(key)
            if entry is None:
                entry = self._made(key, 0, ttl_seconds)
            total = self._sum(entry[1], amount)
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
            self._entries.clear()
            self._deadlines.clear()
            self._leases.clear()
            self.bytes = 0

    async def disconnect(self) -> None:
        """Forget everything."""
        await super().disconnect()
        await self._close()

    async def _ping(self) -> str:
        return (
            f"{len(self._entries)} of at most {self._max_entries} entries, "
            f"{self.bytes} of at most {self._max_bytes} bytes"
        )

    def _made(self, key: str, value: Any, ttl_seconds: float) -> _Entry:
        is_encoded = not (type(value) in UNCHANGEABLE or is_unchangeable(value))
        if is_encoded:
            value = encode(value, where=self.name)
        size = _size_of(value) + len(key) + _ENTRY_BYTES
        if type(value) is tuple:
            size += _inner_size(value)
        return (self._clock() + ttl_seconds, value, is_encoded, size)

    def _put(self, key: str, entry: _Entry) -> None:
        """Keep it as the latest used, and end the right of others to fill it."""
        if self._leases:
            self._leases.pop(key, None)
        self._file(key, entry)

    def _file(self, key: str, entry: _Entry) -> None:
        """Keep it; among the deadlines each entry has one that is not later than its own."""
        entries, deadlines = self._entries, self._deadlines
        old = entries.get(key)
        entries[key] = entry
        if old is None:
            self.bytes += entry[3]
            heapq.heappush(deadlines, (entry[0], key))
        else:
            self.bytes += entry[3] - old[3]
            entries.move_to_end(key)
            if entry[0] < old[0]:
                heapq.heappush(deadlines, (entry[0], key))
                self._tidy()
        if deadlines[0][0] <= self._clock():
            self._drop_expired()
        if entry[3] > self._max_bytes:
            self._remove(key)  # it alone would push out all others
        elif self.bytes > self._max_bytes or len(entries) > self._max_entries:
            self._make_room()

    def _live(self, key: str) -> _Entry | None:
        entry = self._entries.get(key)
        return None if entry is None or entry[0] <= self._clock() else entry

    def _remove(self, key: str) -> None:
        entry = self._entries.pop(key, None)
        if entry is not None:
            self.bytes -= entry[3]
            self._tidy()

    def _tidy(self) -> None:
        """Drop deadlines of what is gone, once they are most of them."""
        if len(self._deadlines) > 2 * len(self._entries) + 1000:
            entries = self._entries  # not gone through: readers move entries without the lock
            live = {key: entries[key][0] for _, key in self._deadlines if key in entries}
            self._deadlines[:] = [(until, key) for key, until in live.items()]
            heapq.heapify(self._deadlines)

    def _make_room(self) -> None:
        while len(self._entries) > self._max_entries or self.bytes > self._max_bytes:
            _, entry = self._entries.popitem(last=False)
            self.bytes -= entry[3]
            self.evictions += 1
        self._tidy()

    def _drop_expired(self) -> None:
        now = self._clock()
        while self._deadlines and self._deadlines[0][0] <= now:
            key = heapq.heappop(self._deadlines)[1]
            entry = self._entries.get(key)
            if entry is not None and entry[0] > now:
                heapq.heappush(self._deadlines, (entry[0], key))
            elif entry is not None:
                self._remove(key)

    def _sum(self, value: Any, amount: int) -> int:
        if type(value) is not int:
            raise ConflictError(
                f"cannot increment a value of type '{type(value).__name__}'", where=self.name
            )
        if not -_INT64 <= value + amount < _INT64:
            raise ConflictError("the sum is beyond 64 bits", where=self.name)
        return value + amount
