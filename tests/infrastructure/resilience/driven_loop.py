"""An event loop turned by hand, for state machines that start, end and cancel calls."""

import asyncio
from collections.abc import Coroutine
from typing import Any


class DrivenLoop:
    """Tasks move only in `settle` and `run`; nothing waits for real time."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._tasks: list[asyncio.Task[Any]] = []

    def start(self, work: Coroutine[Any, Any, Any]) -> "asyncio.Task[Any]":
        task = self._loop.create_task(work)
        self._tasks.append(task)
        self.settle()
        return task

    def future(self) -> "asyncio.Future[Any]":
        return self._loop.create_future()

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self._loop.run_until_complete(work)

    def settle(self) -> None:
        """Give every task the turns it can use."""
        self.run(_turns())

    def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        self.run(_gathered(self._tasks))
        self._loop.close()


async def _turns() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def _gathered(tasks: list["asyncio.Task[Any]"]) -> None:
    await asyncio.gather(*tasks, return_exceptions=True)
