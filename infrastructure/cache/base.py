"""The cache port, its kinds and their registry."""

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Mapping, Sequence
from enum import StrEnum
from typing import Any, ClassVar

from infrastructure.cache.backplane import Backplane
from infrastructure.cache.batching import JoinedReads
from infrastructure.cache.entries import MISSING, Missing
from infrastructure.cache.reach import Reach
from infrastructure.component import Component
from infrastructure.config.models.cache import CacheSettings
from infrastructure.registry import Registry

__all__ = [
    "MISSING",
    "BaseCacheProvider",
    "CacheRegistry",
    "CacheType",
    "Missing",
    "SyncAccess",
]


class CacheType(StrEnum):
    """The built-in kinds."""

    MEMORY = "memory"
    """In this process, bounded by entries and bytes, gone when it ends."""
    IN_MEMORY = MEMORY
    """The same under the name the documents use."""
    REDIS = "redis"
    """A Redis or Valkey server."""
    TIERED = "tiered"
    """Copies in this process in front of any other kind."""
    DISK = "disk"
    """A file on this machine, shared by its processes."""
    MEMCACHED = "memcached"
    """A memcached server."""


class BaseCacheProvider(Component):
    """Values under string keys, each with a lifetime.

    Keys are whole: the caller has put the namespace in front; any character is data. Values are
    what `infrastructure.serialization` can write; a caller who changes an object after `set`, or
    one it got, changes nothing in the cache. Every call is bounded by `timeout_seconds`.
    Lifetimes are above 0, which the caller has seen to.

    Attributes:
        is_shared: Other processes see the same values, so that a right to load is asked of the
            storage and not of this process alone.
        batches: One `get_many` is far cheaper than its gets, so that `get`s and `look`s of one
            turn of the event loop are joined.
        reach: Whether the storage answers; told in the log once a change.
        spaces: What `CacheService`s remember about their namespaces here, by namespace.

    Raises (every call):
        UnavailableError: The server gave no answer in time.
        OverloadedError: The pool had no free connection in time.
        UnsupportedError: The value is of a type that cannot be stored.
    """

    Settings: ClassVar[type[CacheSettings]]
    settings: CacheSettings
    is_shared: bool = True
    batches: ClassVar[bool] = False
    operations: ClassVar[frozenset[str]] = frozenset(
        {
            "add",
            "delete_many",
            "expire",
            "fill",
            "get",
            "get_many",
            "increment",
            "lease",
            "release",
            "set",
            "set_and_look",
            "set_many",
            "ttl",
        }
    )

    def __init__(self, settings: CacheSettings, *, name: str = "") -> None:
        super().__init__(settings, name=name)
        self.reach = Reach(self.name)
        self.spaces: dict[str, Any] = {}
        self._joined = JoinedReads(self.get_many, settings.timeout_seconds, self.name)

    @abstractmethod
    async def get_many(self, keys: Sequence[str]) -> list[Any]:
        """The values in the order of `keys`, `MISSING` for each that is not there."""

    @abstractmethod
    async def set_many(self, values: Mapping[str, Any], ttl_seconds: float) -> None:
        """Store all; an existing value is replaced and its lifetime starts again."""

    @abstractmethod
    async def delete_many(self, keys: Sequence[str]) -> int:
        """Remove; say how many were there."""

    @abstractmethod
    async def ttl(self, key: str) -> float | None:
        """Seconds the value has left; None when there is no such key."""

    @abstractmethod
    async def expire(self, key: str, ttl_seconds: float) -> bool:
        """Give the value a new lifetime from now on; say whether there is one."""

    @abstractmethod
    async def increment(self, key: str, amount: int, ttl_seconds: float) -> int:
        """Add to a whole number, in one step for all processes; say what it is now.

        A missing key counts as 0 and lives `ttl_seconds`; an existing one keeps its lifetime.

        Raises:
            ConflictError: The value is not an int, or the sum is beyond 64 bits.
            OutcomeUnknownError: Sent, but no answer came: it may or may not have been added.
        """

    @abstractmethod
    async def add(self, key: str, value: Any, ttl_seconds: float) -> bool:
        """Store a value unless there is one, in one step for all processes; say whether it was."""

    @abstractmethod
    async def lease(self, key: str, seconds: float) -> str:
        """The right to fill `key`, held by one at a time and at most for `seconds`.

        It is void as soon as anybody sets, adds, increments or deletes the key, so that what was
        loaded before cannot cover what came after. Whether there is a value does not matter.

        Returns:
            A token that nobody can guess; empty when somebody else holds the right.
        """

    @abstractmethod
    async def fill(self, key: str, value: Any, ttl_seconds: float, lease: str) -> bool:
        """Store a value under a lease and end it; nothing is stored when it is void.

        Returns:
            Whether the value was stored.
        """

    @abstractmethod
    async def release(self, key: str, lease: str) -> None:
        """End a lease without storing; harmless when it is void."""

    async def get(self, key: str) -> Any:
        """The value, or `MISSING`."""
        return (await self.look((key,)))[0]

    def look(self, keys: Sequence[str]) -> Awaitable[list[Any]]:
        """As `get_many`, and joined with others of this turn of the loop where that is cheaper.

        To be awaited at once.
        """
        return self._joined.read(keys) if self.batches else self.get_many(keys)

    async def look_past_copies(self, keys: Sequence[str]) -> list[Any]:
        """As `look`, but never answered by a copy that this process keeps of a storage."""
        return await self.look(keys)

    async def look_with_ttl(self, keys: Sequence[str]) -> list[tuple[Any, float | None]]:
        """Each value with the seconds it has left; `MISSING` with None where there is none."""
        values = await self.look(keys)
        there = [value is not MISSING for value in values]
        left = [
            await self.ttl(key) if is_there else None
            for key, is_there in zip(keys, there, strict=True)
        ]
        return list(zip(values, left, strict=True))

    def backplane(self) -> Backplane | None:
        """What tells of changes made by others, where the storage can; a new one each time."""
        return None

    async def set(self, key: str, value: Any, ttl_seconds: float) -> None:
        """Store one value."""
        await self.set_many({key: value}, ttl_seconds)

    async def set_and_look(self, values: Mapping[str, Any], ttl_seconds: float, key: str) -> Any:
        """Store all, then read another `key`; one round trip where the kind can do so.

        Returns:
            What `key` held at some moment after the values were stored, or `MISSING`.
        """
        await self.set_many(values, ttl_seconds)
        return await self.get(key)


class SyncAccess(ABC):
    """What a provider also derives from whose storage is in reach without an event loop.

    Safe from any thread, also while the provider is used by its event loop.
    """

    operations: ClassVar[frozenset[str]] = frozenset(
        {"add_now", "delete_now", "fill_now", "get_now", "lease_now", "release_now", "set_now"}
    )

    @abstractmethod
    def get_now(self, key: str) -> Any:
        """The value, or `MISSING`."""

    @abstractmethod
    def add_now(self, key: str, value: Any, ttl_seconds: float) -> bool:
        """As `add`."""

    @abstractmethod
    def lease_now(self, key: str, seconds: float) -> str:
        """As `lease`."""

    @abstractmethod
    def fill_now(self, key: str, value: Any, ttl_seconds: float, lease: str) -> bool:
        """As `fill`."""

    @abstractmethod
    def release_now(self, key: str, lease: str) -> None:
        """As `release`."""

    @abstractmethod
    def delete_now(self, key: str) -> bool:
        """Remove; say whether it was there."""


CacheRegistry: Registry[BaseCacheProvider] = Registry(
    "cache",
    port=BaseCacheProvider,
    package="infrastructure.cache.implementations",
    kinds=CacheType,
)
