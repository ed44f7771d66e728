"""A cache in Redis or Valkey."""

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, ClassVar, TypeVar

from pydantic import Field
from redis.asyncio import Redis

from infrastructure.cache.base import MISSING, BaseCacheProvider, CacheRegistry, CacheType
from infrastructure.config.models.cache import CacheSettings
from infrastructure.connections.redis_client import (
    RedisAddress,
    RedisComponent,
    twice_if_cut,
)
from infrastructure.errors import DataError
from infrastructure.resilience import deadline
from infrastructure.serialization import decode, encode

T = TypeVar("T")

_SCAN_BATCH = 1000


class RedisCacheSettings(CacheSettings, RedisAddress):
    """A block under `cache:` with kind redis."""

    kind: str = "redis"
    key_prefix: str = Field(
        default="", description="Stands before every key; keeps applications apart."
    )


@CacheRegistry.register(CacheType.REDIS)
class RedisCacheProvider(RedisComponent, BaseCacheProvider):
    """Shared by every process that uses the same server, database and `key_prefix`.

    A stored value that was not written by this project, or is cut or damaged, counts as not
    there; the next `set` replaces it.

    Attributes:
        corrupt_values: How many stored values could not be read so far.
    """

    Settings: ClassVar[type[RedisCacheSettings]] = RedisCacheSettings
    settings: RedisCacheSettings
    _bounds_every_call: ClassVar[bool] = True

    def __init__(self, settings: RedisCacheSettings, *, name: str = "") -> None:
        super().__init__(settings, name=name)
        self.corrupt_values = 0

    async def get_many(self, keys: Sequence[str]) -> list[Any]:
        """The values in the order of `keys`, `MISSING` for each that is not there."""
        if not keys:
            return []
        names = [self._name(key) for key in keys]
        stored: list[Any] = await self._call(lambda client: client.mget(names))
        return [self._value(raw) for raw in stored]

    async def set(self, key: str, value: Any, ttl_seconds: float) -> None:
        """Store one value."""
        data = encode(value, where=self.name)
        milliseconds = _milliseconds(ttl_seconds)
        await self._call(lambda client: client.set(self._name(key), data, px=milliseconds))

    async def set_many(self, values: Mapping[str, Any], ttl_seconds: float) -> None:
        """Store all in one round trip; when a value is refused, none."""
        milliseconds = _milliseconds(ttl_seconds)
        entries = {self._name(key): encode(value, where=self.name) for key, value in values.items()}
        if entries:
            await self._call(lambda client: _set_all(client, entries, milliseconds))

    async def delete_many(self, keys: Sequence[str]) -> int:
        """Remove; say how many were there."""
        return await self._unlink([self._name(key) for key in keys])

    async def ttl(self, key: str) -> float | None:
        """Seconds the value has left; None when there is no such key."""
        milliseconds: int = await self._call(lambda client: client.pttl(self._name(key)))
        return milliseconds / 1000 if milliseconds >= 0 else None

    async def delete_prefix(self, prefix: str) -> int:
        """Remove every key that starts with `prefix`, taken literally; say how many.

        It goes over the keys in batches; `timeout_seconds` bounds each batch.
        """
        pattern = _literally(self._name(prefix)) + "*"
        cursor, names = await self._scan(0, pattern)
        removed = await self._unlink(names)
        while cursor:
            cursor, names = await self._scan(cursor, pattern)
            removed += await self._unlink(names)
        return removed

    async def _scan(self, cursor: int, pattern: str) -> tuple[int, Sequence[str | bytes]]:
        return await self._call(
            lambda client: client.scan(cursor, match=pattern, count=_SCAN_BATCH)
        )

    async def _unlink(self, names: Sequence[str | bytes]) -> int:
        if not names:
            return 0
        return await self._call(lambda client: client.unlink(*names))

    async def _call(self, command: Callable[[Redis], Awaitable[T]]) -> T:
        """Run a command that may be applied twice, within `timeout_seconds`."""
        async with deadline(self.settings.timeout_seconds, self.name):
            await self.connect()
            client = self._live_client()
            with self._errors():
                return await twice_if_cut(lambda: command(client))

    def _name(self, key: str) -> str:
        return f"{self.settings.key_prefix}{key}"

    def _value(self, raw: bytes | None) -> Any:
        if raw is None:
            return MISSING
        try:
            return decode(raw, where=self.name)
        except DataError:
            self.corrupt_values += 1
            return MISSING


async def _set_all(client: Redis, entries: Mapping[str, bytes], milliseconds: int) -> None:
    """One pipeline, without a transaction; a refusal is raised bare.

    The vendor's own raising would quote the stored value in its text.
    """
    async with client.pipeline(transaction=False) as pipeline:
        for name, data in entries.items():
            pipeline.set(name, data, px=milliseconds)
        answers = await pipeline.execute(raise_on_error=False)
    for answer in answers:
        if isinstance(answer, Exception):
            raise answer


def _milliseconds(seconds: float) -> int:
    return max(1, round(seconds * 1000))


def _literally(text: str) -> str:
    """The text as a glob pattern that matches nothing but itself."""
    return re.sub(r"([\\*?\[\]])", r"\\\1", text)
