"""Time as strategies see it, so that a test can move it."""

import asyncio
import time
from collections.abc import Callable
from functools import partial
from heapq import heappop, heappush
from itertools import count
from typing import Protocol


class Timer(Protocol):
    """Something to happen later; an `asyncio.TimerHandle` is one."""

    def cancel(self) -> None:
        """Forget it; harmless once it has happened."""


class Clock(Protocol):
    """Seconds that only grow, waiting in a coroutine and in a thread, and timers."""

    def now(self) -> float:
        """Seconds since an unknown moment; only differences mean something."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Let the task wait; a cancelled wait ends at once."""

    def sleep_sync(self, seconds: float) -> None:
        """Let the thread wait."""

    def call_later(self, seconds: float, callback: Callable[[], object]) -> Timer:
        """Have the running event loop call `callback` after `seconds`."""
        ...


class SystemClock:
    """The machine's monotonic clock."""

    now = staticmethod(time.monotonic)
    sleep_sync = staticmethod(time.sleep)

    async def sleep(self, seconds: float) -> None:
        """Let the task wait."""
        await asyncio.sleep(seconds)

    def call_later(self, seconds: float, callback: Callable[[], object]) -> Timer:
        """A timer of the running event loop."""
        return asyncio.get_running_loop().call_later(seconds, callback)


class ManualClock:
    """A clock for tests, which moves only when told.

    Args:
        jumps: A sleep moves the clock by its seconds and returns after one turn of the event
            loop, for code under test that waits alone. Without it a sleep lasts until `advance`
            has come past its end, for tests of several waiting tasks.

    Attributes:
        sleeps: The seconds of every sleep asked for, in order.
    """

    def __init__(self, *, jumps: bool = True) -> None:
        self.sleeps: list[float] = []
        self._jumps = jumps
        self._now = 0.0
        self._order = count()
        self._timers: list[tuple[float, int, _ManualTimer]] = []

    def now(self) -> float:
        """Seconds told so far."""
        return self._now

    async def sleep(self, seconds: float) -> None:
        """Jump there, or wait for it to come; see `jumps`."""
        self.sleeps.append(seconds)
        if self._jumps:
            self.advance(seconds)
            await asyncio.sleep(0)
            return
        woken = asyncio.get_running_loop().create_future()
        timer = self.call_later(seconds, partial(_wake, woken))
        try:
            await woken
        finally:
            timer.cancel()

    def sleep_sync(self, seconds: float) -> None:
        """Jump there: nobody else could move the clock of a waiting thread."""
        self.sleeps.append(seconds)
        self.advance(seconds)

    def call_later(self, seconds: float, callback: Callable[[], object]) -> Timer:
        """Have `advance` call it when it comes past."""
        timer = _ManualTimer(callback)
        heappush(self._timers, (self._now + seconds, next(self._order), timer))
        return timer

    def advance(self, seconds: float) -> None:
        """Move on, calling what is due at its own time; tasks run when the test next awaits."""
        end = self._now + seconds
        while self._timers and self._timers[0][0] <= end:
            self._ring()
        self._now = max(self._now, end)

    async def pass_time(self, seconds: float) -> None:
        """Move on as `advance` does, letting tasks run at each stop on the way."""
        end = self._now + seconds
        await _take_turns()
        while self._timers and self._timers[0][0] <= end:
            self._ring()
            await _take_turns()
        self._now = max(self._now, end)
        await _take_turns()

    def _ring(self) -> None:
        at, _, timer = heappop(self._timers)
        if timer.callback is not None:
            self._now = max(self._now, at)
            timer.callback()


class _ManualTimer:
    def __init__(self, callback: Callable[[], object]) -> None:
        self.callback: Callable[[], object] | None = callback

    def cancel(self) -> None:
        self.callback = None


def _wake(waiting: "asyncio.Future[None]") -> None:
    if not waiting.done():
        waiting.set_result(None)


async def _take_turns() -> None:
    """Give tasks that wake each other the turns they need."""
    for _ in range(10):
        await asyncio.sleep(0)


SYSTEM_CLOCK = SystemClock()
