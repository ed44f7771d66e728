"""Cancelled at one of the moments at which a task waits, so that a test can go through all."""

import asyncio
from collections.abc import Coroutine, Generator
from typing import Any


async def cancelled_at(wait: int, work: Coroutine[Any, Any, Any]) -> Any:
    """Do `work` in this task, which is cancelled when it waits for the n-th time, from 1 on."""
    return await _Cut(wait, work)


class _Cut:
    def __init__(self, wait: int, work: Coroutine[Any, Any, Any]) -> None:
        self._left = wait
        self._work = work

    def __await__(self) -> Generator[Any, Any, Any]:
        task, steps = asyncio.current_task(), self._work.__await__()
        assert task
        try:
            wanted = steps.send(None)
            while True:
                self._left -= 1
                if not self._left:
                    asyncio.get_running_loop().call_soon(task.cancel)
                try:
                    yield wanted
                except BaseException as error:  # noqa: BLE001 - all of it is the work's
                    wanted = steps.throw(error)
                else:
                    wanted = steps.send(None)
        except StopIteration as done:
            return done.value
