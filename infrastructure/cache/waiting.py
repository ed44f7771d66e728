"""Time and chance as the cache sees them, and waiting with a bound."""

import asyncio
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from infrastructure.resilience.clock import SYSTEM_CLOCK, Clock


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


async def ended_within(task: "asyncio.Task[Any]", seconds: float, clock: Clock) -> bool:
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
