"""Several tasks with one aim, and how long such tasks take."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Generic, TypeVar

from infrastructure.resilience.clock import Clock
from infrastructure.resilience.deadlines import Deadline, remaining

T = TypeVar("T")


class Race(Generic[T]):
    """Tasks of one call; over with the first success, or when all that were started have failed.

    Attributes:
        runners: The tasks, in the order of their start.
        end: Becomes the task that succeeded, or None.
    """

    def __init__(self, call: Callable[[], Awaitable[T]], clock: Clock) -> None:
        self.runners: list[asyncio.Task[T]] = []
        self.end: asyncio.Future[asyncio.Task[T] | None] = (
            asyncio.get_running_loop().create_future()
        )
        self._call = call
        self._clock = clock
        self._errors: list[BaseException] = []

    def start(self) -> None:
        """One more."""
        runner = asyncio.get_running_loop().create_task(self._run(remaining()))
        runner.add_done_callback(self._landed)
        self.runners.append(runner)

    async def ends_within(self, seconds: float) -> bool:
        """Wait for the end, but not longer; True when it came."""
        late = asyncio.get_running_loop().create_future()
        timer = self._clock.call_later(seconds, partial(late.set_result, None))
        try:
            await asyncio.wait({self.end, late}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            timer.cancel()
        return self.end.done()

    async def stop(self) -> None:
        """Cancel those that still run, and see them end."""
        running = [runner for runner in self.runners if not runner.done()]
        for runner in running:
            runner.cancel()
        if running:
            await asyncio.wait(running)

    def failure(self, where: str) -> BaseException:
        """The first error, with notes of the others."""
        if not self._errors:
            return asyncio.CancelledError()
        first, *others = self._errors
        for other in others:
            first.add_note(f"{where}: another call failed, too: {other!r}")
        return first

    async def _run(self, seconds: float | None) -> T:
        """The call, which may ask for the time left to the one who waits for the race."""
        if seconds is None:
            return await self._call()
        with Deadline(seconds, clock=self._clock, interrupts=False):
            return await self._call()

    def _landed(self, runner: "asyncio.Task[T]") -> None:
        error = None if runner.cancelled() else runner.exception()
        if error is not None:
            self._errors.append(error)
        if self.end.done():
            return
        if error is None and not runner.cancelled():
            self.end.set_result(runner)
        elif all(other.done() for other in self.runners):
            self.end.set_result(None)


class Latencies:
    """The times of the last calls, and the time that a given part of them keeps within.

    Args:
        quantile: The part, such as 0.95.
        size: How many calls are remembered.
        enough: How many must be known before there is an answer.
    """

    def __init__(self, quantile: float, *, size: int = 128, enough: int = 20) -> None:
        self.quantile = quantile
        self._seconds: deque[float] = deque(maxlen=size)
        self._enough = enough
        self._fresh = 0
        self._answer: float | None = None

    def add(self, seconds: float) -> None:
        """Remember one more, and forget the oldest for it."""
        self._seconds.append(seconds)
        self._fresh += 1

    def __call__(self) -> float | None:
        """The seconds; None while too few are known. Worked out anew every few calls."""
        if self._fresh >= _FRESH and len(self._seconds) >= self._enough:
            ordered = sorted(self._seconds)
            self._answer = ordered[min(int(len(ordered) * self.quantile), len(ordered) - 1)]
            self._fresh = 0
        return self._answer


_FRESH = 10
