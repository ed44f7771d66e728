"""Finishing what must be finished, in the same task, although the task is cancelled."""

import asyncio
from collections.abc import Awaitable, Coroutine, Generator
from typing import Any, TypeVar

T = TypeVar("T")


async def finish(work: Coroutine[Any, Any, T]) -> T:
    """Run `work` to its end; a cancellation that arrives meanwhile is delivered afterwards.

    The work stays in the calling task, so that what it closes was opened by the same task. A
    second cancellation goes through: a finalizer that hangs can still be stopped.
    """
    return await _Finishing(work)


class _Finishing(Awaitable[T]):
    def __init__(self, work: Coroutine[Any, Any, T]) -> None:
        self._work = work

    def __await__(self) -> Generator[Any, Any, T]:
        cancelled: asyncio.CancelledError | None = None
        pending: BaseException | None = None
        while True:
            try:
                waiting = self._work.throw(pending) if pending else self._work.send(None)
            except StopIteration as end:
                if cancelled is not None:
                    raise cancelled from None
                result: T = end.value
                return result
            except BaseException as error:
                if cancelled is not None:
                    raise cancelled from error
                raise
            pending = None
            while True:
                try:
                    yield from _shielded(waiting)
                except asyncio.CancelledError as error:
                    if _was_cancelled(waiting) or cancelled is not None:
                        pending = error
                    else:
                        cancelled = error
                        if waiting is not None and not waiting.done():
                            continue
                break


def _shielded(waiting: "asyncio.Future[Any] | None") -> Generator[Any, Any, None]:
    """Wait for what the work waits for, without passing our own cancellation on to it."""
    if waiting is None:
        yield
        return
    waiting._asyncio_future_blocking = False  # noqa: SLF001 - we wait in its place
    yield from asyncio.wait({waiting}).__await__()


def _was_cancelled(waiting: "asyncio.Future[Any] | None") -> bool:
    return waiting is not None and waiting.cancelled()
