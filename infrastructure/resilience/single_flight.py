"""One flight for many callers of one key."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class SingleFlight(Generic[T]):
    """Many callers of one key share one running call.

    The call runs in a task of its own: a caller that is cancelled leaves, and the others still
    get the result. When the last caller has left, the call is cancelled too. An exception goes
    to every caller and is not kept.
    """

    def __init__(self) -> None:
        self._flights: dict[Hashable, _Flight[T]] = {}

    def __len__(self) -> int:
        return len(self._flights)

    async def do(self, key: Hashable, call: Callable[[], Awaitable[T]]) -> T:
        """Join the flight of `key`, or start it with `call`."""
        loop = asyncio.get_running_loop()
        flight = self._flights.get((loop, key))
        if flight is None:
            flight = self._start(loop, key, call)
        flight.waiting += 1
        try:
            return await asyncio.shield(flight.task)
        finally:
            flight.waiting -= 1
            if not flight.waiting and not flight.task.done():
                flight.task.cancel()
                self._forget(loop, key, flight)

    def _start(
        self, loop: asyncio.AbstractEventLoop, key: Hashable, call: Callable[[], Awaitable[T]]
    ) -> "_Flight[T]":
        flight = self._flights[loop, key] = _Flight(loop.create_task(_await(call)))

        def landed(task: "asyncio.Task[T]") -> None:
            self._forget(loop, key, flight)
            if not task.cancelled():
                task.exception()  # seen, even when every caller has left

        flight.task.add_done_callback(landed)
        return flight

    def _forget(self, loop: asyncio.AbstractEventLoop, key: Hashable, flight: "_Flight[T]") -> None:
        """Drop this flight, and no newer one of the same key."""
        if self._flights.get((loop, key)) is flight:
            del self._flights[loop, key]


class _Flight(Generic[T]):
    """A running call and how many wait for it."""

    def __init__(self, task: "asyncio.Task[T]") -> None:
        self.task = task
        self.waiting = 0


async def _await(call: Callable[[], Awaitable[Any]]) -> Any:
    return await call()
