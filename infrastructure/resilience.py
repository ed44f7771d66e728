"""Bounds around a call: a deadline, and one flight for many callers."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Hashable
from contextlib import asynccontextmanager
from typing import Any, Generic, TypeVar

from infrastructure.errors import DeadlineExceededError

T = TypeVar("T")


@asynccontextmanager
async def deadline(seconds: float, where: str) -> AsyncIterator[None]:
    """Bound the body; what is still waiting when the time is up is cancelled.

    Raises:
        DeadlineExceededError: The body took longer than `seconds`.
    """
    try:
        async with asyncio.timeout(seconds) as scope:
            yield
    except TimeoutError as error:
        if not scope.expired():
            raise
        raise DeadlineExceededError(seconds, where=where) from error


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
