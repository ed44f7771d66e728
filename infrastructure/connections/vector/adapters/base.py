"""What every adapter has: one collection of a store, for sync and async callers."""

from collections.abc import Coroutine
from typing import Any, TypeVar

from infrastructure.connections.bridge import Bridge
from infrastructure.connections.vector.base import Metric, VectorStore
from infrastructure.errors import NotFoundError

T = TypeVar("T")


class CollectionAdapter:
    """One collection of a vector store, made by the first write.

    Each call is written once, as a coroutine. Sync methods run it without an event loop and
    beside one, async methods in any; `close()` ends the thread that the sync ones may have begun.

    Args:
        store: Where the vectors are; stays its owner's to close.
        collection: Which of its collections.
        metric: How likeness is measured in a collection made here.
        tenant: Whose part, in a collection that is divided.
    """

    def __init__(self, store: VectorStore, collection: str, metric: Metric, tenant: str) -> None:
        self._store = store
        self._collection = collection
        self._metric = metric
        self._tenant = tenant
        self._bridge = Bridge(store)

    def close(self) -> None:
        """End what the sync methods have begun; harmless when there is nothing."""
        self._bridge.close()

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        return self._bridge.run(work)

    async def _arun(self, work: Coroutine[Any, Any, T]) -> T:
        return await self._bridge.arun(work)

    async def _unless_missing(self, call: Coroutine[Any, Any, T], otherwise: T) -> T:
        """Its answer; of a collection that is not made yet, that it is empty."""
        try:
            return await call
        except NotFoundError:
            return otherwise
