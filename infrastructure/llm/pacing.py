"""Bounds on a stream: on each wait for a piece, and on all waits together."""

import asyncio
from collections.abc import AsyncGenerator
from types import TracebackType
from typing import TypeVar

from infrastructure.errors import DeadlineExceededError

T = TypeVar("T")


async def paced(
    pieces: AsyncGenerator[T, None], *, stall_seconds: float, timeout_seconds: float, where: str
) -> AsyncGenerator[T, None]:
    """Pass the pieces on; close the source however this ends.

    Only the waits count, never the time the reader spends with a piece.

    Raises:
        DeadlineExceededError: A piece took longer than `stall_seconds`, or the waits together
            longer than `timeout_seconds`.
    """
    watch = _Watch(stall_seconds, timeout_seconds, where)
    try:
        while True:
            try:
                with watch:
                    piece = await anext(pieces)
            except StopAsyncIteration:
                return
            yield piece
    finally:
        watch.close()
        await pieces.aclose()


class _Watch:
    """Bounds each body; one timer serves all of them, which `asyncio.timeout` could not.

    As `asyncio.timeout` does, it cancels the waiting task and takes back that one cancellation.
    """

    def __init__(self, stall_seconds: float, timeout_seconds: float, where: str) -> None:
        self._stall = stall_seconds
        self._whole = self._left = timeout_seconds
        self._where = where
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[object] | None = None
        self._cancelling = 0
        self._started = self._due = 0.0
        self._is_last = self._expired = False

    def __enter__(self) -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - a generator of ours runs in a task
        self._task = task
        self._cancelling = task.cancelling()
        self._started = self._loop.time()
        self._is_last = self._left < self._stall
        self._due = self._started + (self._left if self._is_last else self._stall)
        if self._timer is None or self._timer.when() > self._due:
            self._arm()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        task, self._task = self._task, None
        self._left -= self._loop.time() - self._started
        if self._expired and task is not None and task.uncancel() <= self._cancelling:
            raise self._too_slow() from error

    def close(self) -> None:
        """Stop the timer."""
        if self._timer is not None:
            self._timer.cancel()

    def _arm(self) -> None:
        self.close()
        self._timer = self._loop.call_at(self._due, self._ring)

    def _ring(self) -> None:
        self._timer = None
        if self._task is None:
            return  # nobody waits; the next body arms it again
        if self._loop.time() < self._due:
            self._arm()
            return
        self._expired = True
        self._task.cancel()

    def _too_slow(self) -> DeadlineExceededError:
        seconds = self._whole if self._is_last else self._stall
        hint = "The stream had not ended by then" if self._is_last else "The stream stalled"
        return DeadlineExceededError(seconds, where=self._where, hint=hint)
