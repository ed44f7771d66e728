"""A cache in this process."""

import heapq
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, NamedTuple

from pydantic import Field

from infrastructure.cache.base import MISSING, BaseCacheProvider, CacheRegistry, CacheType
from infrastructure.config.models.cache import CacheSettings
from infrastructure.serialization import freeze, thaw


class MemoryCacheSettings(CacheSettings):
    """A block under `cache:` with kind memory."""

    kind: str = "memory"
    max_entries: int = Field(
        default=10_000,
        gt=0,
        description="Bound on entries: expired ones go first, then the longest unused.",
    )


class _Entry(NamedTuple):
    expires_at: float
    frozen: Any


@CacheRegistry.register(CacheType.MEMORY)
class InMemoryCacheProvider(BaseCacheProvider):
    """Bounded, and gone when it is closed or the process ends.

    What can be changed is kept as bytes, so a caller's later change of an object changes nothing
    here, and a value that no server could store is refused here too.

    Args:
        clock: Seconds that never go backwards.
    """

    Settings: ClassVar[type[MemoryCacheSettings]] = MemoryCacheSettings
    settings: MemoryCacheSettings

    def __init__(
        self,
        settings: MemoryCacheSettings,
        *,
        name: str = "",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(settings, name=name)
        self._clock = clock
        self._entries: OrderedDict[str, _Entry] = OrderedDict()
        self._deadlines: list[tuple[float, str]] = []

    def __len__(self) -> int:
        return len(self._entries)

    async def get(self, key: str) -> Any:
        """The value, or `MISSING`."""
        entry = self._live(key)
        if entry is None:
            return MISSING
        self._entries.move_to_end(key)
        return thaw(entry.frozen)

    async def get_many(self, keys: Sequence[str]) -> list[Any]:
        """The values in the order of `keys`, `MISSING` for each that is not there."""
        return [await self.get(key) for key in keys]

    async def set(self, key: str, value: Any, ttl_seconds: float) -> None:
        """Store one value."""
        self._put(key, freeze(value, where=self.name), self._clock() + ttl_seconds)
        self._make_room()

    async def set_many(self, values: Mapping[str, Any], ttl_seconds: float) -> None:
        """Store all or, when a value is refused, none."""
        expires_at = self._clock() + ttl_seconds
        frozen = {key: freeze(value, where=self.name) for key, value in values.items()}
        for key, value in frozen.items():
            self._put(key, value, expires_at)
        self._make_room()

    async def delete_many(self, keys: Sequence[str]) -> int:
        """Remove; say how many were there."""
        return sum(self._live(key) is not None and self._remove(key) for key in keys)

    async def ttl(self, key: str) -> float | None:
        """Seconds the value has left; None when there is no such key."""
        entry = self._live(key)
        return None if entry is None else entry.expires_at - self._clock()

    async def delete_prefix(self, prefix: str) -> int:
        """Remove every key that starts with `prefix`, taken literally; say how many."""
        return await self.delete_many([key for key in self._entries if key.startswith(prefix)])

    async def _open(self) -> None:
        """Nothing to open."""

    async def _close(self) -> None:
        self._entries.clear()
        self._deadlines.clear()

    async def _ping(self) -> str:
        return f"{len(self._entries)} of at most {self.settings.max_entries} entries"

    def _put(self, key: str, frozen: Any, expires_at: float) -> None:
        self._entries[key] = _Entry(expires_at, frozen)
        self._entries.move_to_end(key)
        heapq.heappush(self._deadlines, (expires_at, key))

    def _live(self, key: str) -> _Entry | None:
        entry = self._entries.get(key)
        if entry is not None and entry.expires_at <= self._clock():
            del self._entries[key]
            return None
        return entry

    def _remove(self, key: str) -> bool:
        del self._entries[key]
        return True

    def _make_room(self) -> None:
        self._drop_expired()
        while len(self._entries) > self.settings.max_entries:
            self._entries.popitem(last=False)
        if len(self._deadlines) > 2 * len(self._entries) + 1000:
            self._deadlines = [(entry.expires_at, key) for key, entry in self._entries.items()]
            heapq.heapify(self._deadlines)

    def _drop_expired(self) -> None:
        now = self._clock()
        while self._deadlines and self._deadlines[0][0] <= now:
            self._live(heapq.heappop(self._deadlines)[1])
