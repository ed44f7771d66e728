"""The cache port, its kinds and their registry."""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any, ClassVar, Final

from infrastructure.component import Component
from infrastructure.config.models.cache import CacheSettings
from infrastructure.registry import Registry


class CacheType(StrEnum):
    """The built-in kinds."""

    MEMORY = "memory"
    """In this process, bounded by entries, gone when it ends."""
    IN_MEMORY = MEMORY
    """The same under the name the documents use."""
    REDIS = "redis"
    """A Redis or Valkey server."""


class Missing:
    """What `get` gives for a key that is not there, since None is a value."""

    def __bool__(self) -> bool:
        return False

    def __repr__(self) -> str:
        return "MISSING"


MISSING: Final = Missing()


class BaseCacheProvider(Component):
    """Values under string keys, each with a lifetime.

    Keys are whole: the caller has put the namespace in front. Values are what
    `infrastructure.serialization` can write; a caller who changes an object after `set`, or one
    it got, changes nothing in the cache. Every call is bounded by `timeout_seconds`.

    Raises (every call):
        UnavailableError: The server gave no answer in time.
        OverloadedError: The pool had no free connection in time.
        UnsupportedError: The value is of a type that cannot be stored.
    """

    Settings: ClassVar[type[CacheSettings]]
    settings: CacheSettings

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
    async def delete_prefix(self, prefix: str) -> int:
        """Remove every key that starts with `prefix`, taken literally; say how many."""

    async def get(self, key: str) -> Any:
        """The value, or `MISSING`."""
        return (await self.get_many((key,)))[0]

    async def set(self, key: str, value: Any, ttl_seconds: float) -> None:
        """Store one value."""
        await self.set_many({key: value}, ttl_seconds)


CacheRegistry: Registry[BaseCacheProvider] = Registry(
    "cache",
    port=BaseCacheProvider,
    package="infrastructure.cache.implementations",
    kinds=CacheType,
)
