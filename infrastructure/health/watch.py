"""Asks again and again in the background, so that whoever wants to know need not wait."""

import asyncio
import random
from collections.abc import Awaitable, Callable

from infrastructure.errors import ConfigurationError

#: The share of an interval by which it is longer or shorter, so that many processes whose
#: start was the same moment do not ask one database at the same moment for ever.
_JITTER = 0.1


class Watch:
    """One task that asks, waits and asks again, until it is stopped.

    Args:
        ask: Asks everything once, bounded.
        interval_seconds: How long it waits between an answer and the next question.
        sleep: What it waits by.

    Raises:
        ConfigurationError: The interval is not above 0.
    """

    def __init__(
        self,
        ask: Callable[[], Awaitable[object]],
        interval_seconds: float,
        sleep: Callable[[float], Awaitable[object]],
    ) -> None:
        if not interval_seconds > 0:
            raise ConfigurationError(
                f"the interval of a watch is {interval_seconds:g} s",
                where="watch_interval_seconds",
                hint="Give seconds above 0, or None for no watch.",
            )
        self._ask = ask
        self._interval_seconds = interval_seconds
        self._sleep = sleep
        self._task: asyncio.Task[None] | None = None

    @property
    def is_running(self) -> bool:
        """Whether answers are kept fresh; not when its event loop is gone."""
        task = self._task
        return task is not None and not task.done() and task.get_loop().is_running()

    def start(self) -> None:
        """Begin, at once and in the running loop; harmless when it goes on already."""
        if not self.is_running:
            self._task = asyncio.get_running_loop().create_task(self._run(), name="health-watch")

    async def stop(self) -> None:
        """End the task; harmless when there is none, or when its loop is gone."""
        task, self._task = self._task, None
        if task is not None and task.get_loop() is asyncio.get_running_loop():
            task.cancel()
            await asyncio.wait({task})

    async def _run(self) -> None:
        while True:
            await self._ask()
            factor = random.uniform(1 - _JITTER, 1 + _JITTER)  # noqa: S311 - no secret
            await self._sleep(self._interval_seconds * factor)
