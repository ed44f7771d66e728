"""Time and chance as the cache sees them; waiting with a bound, and work nobody waits for."""

import asyncio
import random
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Final

from infrastructure.resilience.clock import SYSTEM_CLOCK, Clock

#: How long what was cancelled may take to tidy up before it is left behind.
TIDY_SECONDS: Final = 1.0
_MOST: Final = 256


@dataclass(frozen=True, slots=True)
class Timing:
    """What tests put others in the place of.

    Attributes:
        clock: Waits and bounds.
        wall: Seconds since 1970, which other processes know too.
        chance: A number in [0, 1).
    """

    clock: Clock = SYSTEM_CLOCK
    wall: Callable[[], float] = time.time
    chance: Callable[[], float] = random.random


async def ended_within(task: "asyncio.Future[Any]", seconds: float, clock: Clock) -> bool:
    """Whether the task ended in time; it goes on either way."""
    woken = asyncio.get_running_loop().create_future()

    def wake(_: object = None) -> None:
        if not woken.done():
            woken.set_result(None)

    timer = clock.call_later(seconds, wake)
    task.add_done_callback(wake)
    try:
        await woken
    finally:
        timer.cancel()
        task.remove_done_callback(wake)
    return task.done()


class Background:
    """Tasks nobody waits for: held, bounded, and ended with their owner.

    Args:
        clock: Bounds how long they take to end.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._tasks: set[asyncio.Task[Any]] = set()

    def start(self, work: Coroutine[Any, Any, Any]) -> "asyncio.Task[Any] | None":
        """Begin; None when there are too many already."""
        if len(self._tasks) >= _MOST:
            self._forget_dead()
        if len(self._tasks) >= _MOST:
            work.close()
            return None
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    async def close(self) -> None:
        """Cancel what goes on in this event loop; what will not end soon is left behind."""
        loop = asyncio.get_running_loop()
        mine = [task for task in self._tasks if task.get_loop() is loop]
        for task in mine:
            task.cancel()
        if mine:
            all_ended = asyncio.gather(*mine, return_exceptions=True)
            await ended_within(all_ended, TIDY_SECONDS, self._clock)
        self._forget_dead()

    def _forget_dead(self) -> None:
        """Drop tasks of event loops that were closed without ending them."""
        self._tasks = {task for task in self._tasks if not task.get_loop().is_closed()}

    def _ended(self, task: "asyncio.Task[Any]") -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()  # seen: what it means was counted where it was raised
