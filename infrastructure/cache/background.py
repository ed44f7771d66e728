"""Work that goes on behind a caller's back: held, bounded, and ended with its owner."""

import asyncio
from collections.abc import Coroutine
from typing import Any, Final

_MOST: Final = 256


class Background:
    """Tasks nobody waits for.

    Attributes:
        refused: How many were not begun, because there were too many already.
    """

    def __init__(self, most: int = _MOST) -> None:
        self.refused = 0
        self._most = most
        self._tasks: set[asyncio.Task[Any]] = set()

    def __len__(self) -> int:
        return len(self._tasks)

    def start(self, work: Coroutine[Any, Any, Any]) -> "asyncio.Task[Any] | None":
        """Begin; None when there are too many already."""
        if len(self._tasks) >= self._most:
            self._forget_dead()
        if len(self._tasks) >= self._most:
            work.close()
            self.refused += 1
            return None
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    async def close(self) -> None:
        """Cancel what goes on in this event loop, and wait for its end."""
        loop = asyncio.get_running_loop()
        mine = [task for task in self._tasks if task.get_loop() is loop]
        for task in mine:
            task.cancel()
        await asyncio.gather(*mine, return_exceptions=True)
        self._forget_dead()

    def _forget_dead(self) -> None:
        """Drop tasks of event loops that were closed without ending them."""
        self._tasks = {task for task in self._tasks if not task.get_loop().is_closed()}

    def _ended(self, task: "asyncio.Task[Any]") -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()  # seen: what it means was counted where it was raised
