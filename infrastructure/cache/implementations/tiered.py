"""A cache in this process in front of another one."""

import asyncio
import time
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Annotated, Any, ClassVar, Final, Self

from pydantic import Field, SerializeAsAny, model_validator

from infrastructure.cache.backplane import Backplane
from infrastructure.cache.base import MISSING, BaseCacheProvider, CacheRegistry, CacheType
from infrastructure.cache.implementations.memory import InMemoryCacheProvider, MemoryCacheSettings
from infrastructure.config.models.base import Seconds, Wraps
from infrastructure.config.models.cache import CacheSettings
from infrastructure.errors import UnavailableError
from infrastructure.observability.metrics import COMPONENT, KIND, Measured, Measurement, counter

_running_loop: Final = asyncio.get_running_loop
_TOLD_SECONDS: Final = 60.0
_UNTOLD_SECONDS: Final = 1.0


class TieredCacheSettings(CacheSettings):
    """A block under `cache:` with kind tiered."""

    kind: str = "tiered"
    near: MemoryCacheSettings = Field(
        default_factory=MemoryCacheSettings, description="What this process keeps copies in."
    )
    far: Annotated[SerializeAsAny[CacheSettings], Wraps("cache")] = Field(
        description="A block of any other kind: where the values are."
    )
    near_ttl_seconds: Seconds | None = Field(
        default=None,
        description="The longest life of a copy; null: 60 where the far cache tells of changes, "
        "else 1, and a copy may be that old.",
    )

    @model_validator(mode="after")
    def _is_no_tier_of_tiers(self) -> Self:
        if self.far.kind == self.kind:
            raise ValueError("far must be of another kind than tiered")
        return self


@CacheRegistry.register(CacheType.TIERED)
class TieredCacheProvider(BaseCacheProvider):
    """Copies of what was read, in this process; the far cache has the values.

    Where the far cache tells of changes (redis does), a copy lives until its key changes, its
    lifetime ends, or `near_ttl_seconds` are over. While changes cannot be heard no copy is
    served, and those there are go before one is served again: what is read is then what the far
    cache holds, but for the time a notice takes to arrive. Where it does not tell, a copy may be
    `near_ttl_seconds` old.

    Every write goes to the far cache and drops the copy; reading makes copies.

    Attributes:
        near: The copies.
        far: The cache behind.
        near_hits: How many values were answered by copies.
    """

    Settings: ClassVar[type[TieredCacheSettings]] = TieredCacheSettings
    settings: TieredCacheSettings

    def __init__(self, settings: TieredCacheSettings, *, name: str = "") -> None:
        super().__init__(settings, name=name)
        self.near = InMemoryCacheProvider(settings.near, name=f"{self.name}.near")
        self.far = CacheRegistry.create(settings.far, name=f"{self.name}.far")
        self.is_shared = self.far.is_shared
        self.near_hits = 0
        self._backplane: Backplane | None = self.far.backplane()
        told = _UNTOLD_SECONDS if self._backplane is None else _TOLD_SECONDS
        self._near_seconds = settings.near_ttl_seconds or told
        self._reads: set[_Read] = set()
        self._clock = time.monotonic

    @property
    def serves_copies(self) -> bool:
        """Whether copies are made and served now."""
        if self._backplane is None:
            return True
        # a listener of a loop that ended otherwise than by `disconnect` is live for ever
        return self._backplane.is_live and self._loop is asyncio.get_running_loop()

    async def get_many(self, keys: Sequence[str]) -> list[Any]:
        """The values in the order of `keys`, `MISSING` for each that is not there."""
        return await self.look(keys)

    async def look(self, keys: Sequence[str]) -> list[Any]:
        """The same; what has no copy is read in one go, with what others of this turn read."""
        found = self._copies(keys)
        absent = [key for key, value in zip(keys, found, strict=True) if value is MISSING]
        if not absent:
            return found
        read = iter(await self._read(absent))
        return [next(read) if value is MISSING else value for value in found]

    def copies_now(self, first: str, second: str) -> tuple[Any, Any]:
        """The copies of two keys without waiting; `MISSING` twice when one has none."""
        plane = self._backplane  # `serves_copies`, without a call
        if plane is not None and not (plane.is_live and self._loop is _running_loop()):
            return MISSING, MISSING
        found = self.near.both_now(first, second)
        if found[0] is not MISSING:
            self.near_hits += 2
        return found

    async def look_past_copies(self, keys: Sequence[str]) -> list[Any]:
        """What the far cache holds; copies of something else go."""
        await self.connect()
        found = await self.far.look(keys)
        copies = zip(keys, found, strict=True)
        self._changed([key for key, value in copies if self.near.get_now(key) != value])
        return found

    async def set_many(self, values: Mapping[str, Any], ttl_seconds: float) -> None:
        """Store all in the far cache."""
        with self._changing(values):
            await self.connect()
            await self.far.set_many(values, ttl_seconds)

    async def set_and_look(self, values: Mapping[str, Any], ttl_seconds: float, key: str) -> Any:
        """Store all, then read another `key`, both in the far cache."""
        with self._changing(values):
            await self.connect()
            found = await self.far.set_and_look(values, ttl_seconds, key)
        if self.near.get_now(key) != found:  # or the next look would go back to what was
            self._changed([key])
        return found

    async def delete_many(self, keys: Sequence[str]) -> int:
        """Remove; say how many were there."""
        with self._changing(keys):
            await self.connect()
            return await self.far.delete_many(keys)

    async def ttl(self, key: str) -> float | None:
        """Seconds the value has left in the far cache; None when there is no such key."""
        await self.connect()
        return await self.far.ttl(key)

    async def expire(self, key: str, ttl_seconds: float) -> bool:
        """Give the value a new lifetime from now on; say whether there is one."""
        with self._changing([key]):
            await self.connect()
            return await self.far.expire(key, ttl_seconds)

    async def increment(self, key: str, amount: int, ttl_seconds: float) -> int:
        """Add to a whole number in the far cache; say what it is now."""
        with self._changing([key]):
            await self.connect()
            return await self.far.increment(key, amount, ttl_seconds)

    async def add(self, key: str, value: Any, ttl_seconds: float) -> bool:
        """Store a value unless the far cache has one; say whether it was."""
        with self._changing([key]):
            await self.connect()
            return await self.far.add(key, value, ttl_seconds)

    async def lease(self, key: str, seconds: float) -> str:
        """The far cache's right to fill `key`; who has it sees what the far cache holds."""
        await self.connect()
        with self._changing([key]):
            return await self.far.lease(key, seconds)

    async def fill(self, key: str, value: Any, ttl_seconds: float, lease: str) -> bool:
        """Store a value under a lease and end it; nothing is stored when it is void."""
        with self._changing([key]):
            await self.connect()
            return await self.far.fill(key, value, ttl_seconds, lease)

    async def release(self, key: str, lease: str) -> None:
        """End a lease without storing."""
        await self.connect()
        await self.far.release(key, lease)

    def measurements(self) -> Iterable[Measurement]:
        """What copies answered, and what both caches count."""
        labels = {COMPONENT: self.name, KIND: self.settings.kind}
        yield counter("switchgear.cache.near_hits", self.near_hits, labels, unit="{hit}")
        yield from self.near.measurements()
        if isinstance(self.far, Measured):
            yield from self.far.measurements()

    async def _open(self) -> None:
        await self.far.connect()
        if self._backplane is not None:
            self._backplane.start(self._changed)
            with suppress(TimeoutError):  # until it is live, there are no copies
                async with asyncio.timeout(self.settings.timeout_seconds):
                    await self._backplane.wait_live()

    async def _close(self) -> None:
        try:
            if self._backplane is not None:
                await self._backplane.stop()
        finally:
            self._changed(None)
            await self.near.disconnect()
            await self.far.disconnect()

    async def _ping(self) -> str:
        health = await self.far.health_check()
        if not health.is_up:
            raise UnavailableError(health.detail, where=self.far.name)
        copies = f"{len(self.near)} copies" if self.serves_copies else "no copies: changes unheard"
        return f"{health.detail}; {copies}"

    def _copies(self, keys: Sequence[str]) -> list[Any]:
        if not self.serves_copies:
            return [MISSING] * len(keys)
        found = [self.near.get_now(key) for key in keys]
        self.near_hits += sum(value is not MISSING for value in found)
        return found

    async def _read(self, keys: Sequence[str]) -> list[Any]:
        """Read from the far cache, and copy what nobody changed meanwhile."""
        await self.connect()
        began = self._clock()
        with self._reading(keys) as read:
            found = await self.far.look_with_ttl(keys)
        waited = self._clock() - began  # lifetimes went on while the answer was on its way
        if self.serves_copies and not read.is_void:
            for key, (value, seconds) in zip(keys, found, strict=True):
                if seconds is not None and key not in read.changed:
                    self.near.set_now(key, value, min(seconds - waited, self._near_seconds))
        return [value for value, _ in found]

    @contextmanager
    def _reading(self, keys: Iterable[str]) -> Iterator["_Read"]:
        read = _Read(keys)
        self._reads.add(read)
        try:
            yield read
        finally:
            self._reads.discard(read)

    @contextmanager
    def _changing(self, keys: Collection[str]) -> Iterator[None]:
        """No copy outlives the change, nor one that is made while it goes on.

        A change that was cancelled or failed may have been made all the same.
        """
        self._changed(keys)
        try:
            yield
        finally:
            self._changed(keys)

    def _changed(self, keys: Collection[str] | None) -> None:
        """Drop copies, those being made too; None drops all."""
        if keys is None:
            self.near.clear_now()
        else:
            for key in keys:
                self.near.delete_now(key)
        for read in self._reads:
            read.note(keys)


class _Read:
    """What is being read, and which of it has changed since that began."""

    __slots__ = ("_keys", "changed", "is_void")

    def __init__(self, keys: Iterable[str]) -> None:
        self._keys = frozenset(keys)
        self.changed: set[str] = set()
        self.is_void = False

    def note(self, keys: Collection[str] | None) -> None:
        """Note a change of these keys, or of any."""
        if keys is None:
            self.is_void = True
        else:
            self.changed.update(self._keys.intersection(keys))
