"""What every adapter has: one collection of a store, for sync and async callers."""

from collections.abc import Callable, Coroutine, Sequence
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

from infrastructure.connections.bridge import Bridge
from infrastructure.connections.vector.base import Match, Metric, Record, Target, VectorStore
from infrastructure.errors import NotFoundError

T = TypeVar("T")
P = ParamSpec("P")
A = TypeVar("A", bound="CollectionAdapter")


class CollectionAdapter:
    """One collection of a vector store, made by the first write; until then it is empty.

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

    async def _ensure(self, dimensions: int, *, sparse: bool = False) -> None:
        await self._store.ensure_collection(
            self._collection, dimensions, self._metric, sparse=sparse, tenants=bool(self._tenant)
        )

    async def _records(self, ids: Sequence[str]) -> list[Record]:
        reading = self._store.get(self._collection, ids, tenant=self._tenant)
        return await self._unless_missing(reading, [])

    async def _matches(self, vector: Sequence[float] | None, **asked: Any) -> list[Match]:
        searching = self._store.search(self._collection, vector, **asked, tenant=self._tenant)
        return await self._unless_missing(searching, [])

    async def _remove(self, target: Target) -> None:
        removing = self._store.delete(self._collection, target, tenant=self._tenant)
        await self._unless_missing(removing, None)

    async def _unless_missing(self, call: Coroutine[Any, Any, T], otherwise: T) -> T:
        try:
            return await call
        except NotFoundError:
            return otherwise


def both(
    work: Callable[Concatenate[A, P], Coroutine[Any, Any, T]],
) -> tuple[Callable[Concatenate[A, P], T], Callable[Concatenate[A, P], Coroutine[Any, Any, T]]]:
    """The sync and the async method of a coroutine that works on the store."""

    @wraps(work)
    def sync(self: A, /, *args: P.args, **named: P.kwargs) -> T:
        return self._bridge.run(work(self, *args, **named))

    @wraps(work)
    async def awaited(self: A, /, *args: P.args, **named: P.kwargs) -> T:
        return await self._bridge.arun(work(self, *args, **named))

    return sync, awaited
