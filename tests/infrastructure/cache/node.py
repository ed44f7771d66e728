"""A process's way to a storage that others share, which a test can cut."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, ClassVar

from infrastructure.cache.base import BaseCacheProvider
from infrastructure.cache.implementations.memory import InMemoryCacheProvider, MemoryCacheSettings
from infrastructure.errors import InfrastructureError, UnavailableError


class Node(BaseCacheProvider):
    """Passes every call on to the storage; several nodes of one storage are several processes.

    Attributes:
        fault: What every call raises; None for nothing.
        faults: What single operations raise, by name.
        before: What happens once before the storage does an operation, by name.
        after: What happens once after it did, and before the caller hears of it.
        calls: The operations that were asked for.
    """

    Settings: ClassVar[type[MemoryCacheSettings]] = MemoryCacheSettings
    is_shared = True
    batches: ClassVar[bool] = True

    def __init__(self, storage: InMemoryCacheProvider) -> None:
        super().__init__(storage.settings, name="cache.default")
        self.storage = storage
        self.fault: InfrastructureError | None = None
        self.faults: dict[str, InfrastructureError] = {}
        self.before: dict[str, Callable[[], Awaitable[object]]] = {}
        self.after: dict[str, Callable[[], Awaitable[object]]] = {}
        self.calls: list[str] = []

    def __len__(self) -> int:
        return len(self.storage)

    def cut(self) -> None:
        """Let no call through."""
        self.fault = UnavailableError("no connection", where=self.name)

    def mend(self) -> None:
        """Let calls through again."""
        self.fault = None

    async def get_many(self, keys: Sequence[str]) -> list[Any]:
        answer: list[Any] = await self._sent("get_many", keys)
        return answer

    async def set_many(self, values: Mapping[str, Any], ttl_seconds: float) -> None:
        await self._sent("set_many", values, ttl_seconds)

    async def delete_many(self, keys: Sequence[str]) -> int:
        answer: int = await self._sent("delete_many", keys)
        return answer

    async def ttl(self, key: str) -> float | None:
        answer: float | None = await self._sent("ttl", key)
        return answer

    async def expire(self, key: str, ttl_seconds: float) -> bool:
        answer: bool = await self._sent("expire", key, ttl_seconds)
        return answer

    async def increment(self, key: str, amount: int, ttl_seconds: float) -> int:
        answer: int = await self._sent("increment", key, amount, ttl_seconds)
        return answer

    async def add(self, key: str, value: Any, ttl_seconds: float) -> bool:
        answer: bool = await self._sent("add", key, value, ttl_seconds)
        return answer

    async def lease(self, key: str, seconds: float) -> str:
        answer: str = await self._sent("lease", key, seconds)
        return answer

    async def fill(self, key: str, value: Any, ttl_seconds: float, lease: str) -> bool:
        answer: bool = await self._sent("fill", key, value, ttl_seconds, lease)
        return answer

    async def release(self, key: str, lease: str) -> None:
        await self._sent("release", key, lease)

    async def _sent(self, operation: str, *args: Any) -> Any:
        self.calls.append(operation)
        await asyncio.sleep(0)
        if meanwhile := self.before.pop(operation, None):
            await meanwhile()
        if error := self.fault or self.faults.get(operation):
            raise error
        answer = await getattr(self.storage, operation)(*args)
        if meanwhile := self.after.pop(operation, None):
            await meanwhile()
        return answer

    async def _open(self) -> None:
        """Nothing to open."""

    async def _close(self) -> None:
        """The storage is others' too."""

    async def _ping(self) -> str:
        return await self._sent("get_many", ["ping"]) and "answers"
