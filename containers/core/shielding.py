"""Finishing what must be finished, in the same task, although the task is cancelled."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Generator
from contextvars import ContextVar
from typing import Any, Protocol

#: What is being finished here; timers and tasks that the finishing starts inherit it.
_within: ContextVar["Finished | None"] = ContextVar("within_finishing", default=None)
within = _within.get
go_within = _within.set


class Finished(Protocol):
    """What is being finished.

    Attributes:
        endings: None when it is over; its mark may stay then, and means nothing.
    """

    endings: Any


class _Work:
    """Work of its own."""

    endings: Any = ()


async def finish(work: Coroutine[Any, Any, None]) -> None:
    """Run `work` to its end; a cancellation that arrives meanwhile is delivered afterwards.

    The work stays in the calling task, so that what it closes was opened by the same task. Its
    own timeouts interrupt it as ever. A second cancellation from outside goes through: a
    finalizer that hangs can still be stopped.
    """
    around, whose = within(), _Work()
    go_within(whose)
    try:
        rest = begin(work, whose)
    finally:
        if around is not None and around.endings is not None:
            go_within(around)
    try:
        if rest is not None:
            await rest
    finally:
        whose.endings = None


def begin(work: Coroutine[Any, Any, None], whose: Finished) -> Awaitable[None] | None:
    """Run `work` to its first wait, and give the rest; None where there is none, as is usual.

    To be called after `go_within(whose)`.
    """
    for waiting in work.__await__():  # costs less than `send`, which ends by an exception
        return _Finishing(work, waiting, whose)
    return None


class _Finishing(Awaitable[None]):
    """Drives the work step by step; each of its waits is one that can tell who cancels."""

    def __init__(
        self,
        work: Coroutine[Any, Any, None],
        waiting: "asyncio.Future[Any] | None",
        whose: Finished,
    ) -> None:
        self._work = work
        self._whose = whose
        self._waiting = waiting
        self._cancelled: asyncio.CancelledError | None = None

    def __await__(self) -> Generator[Any, Any, None]:
        while True:
            try:
                yield from _Wait(self._waiting, self._defer)
            except BaseException as error:  # noqa: BLE001 - the work decides what becomes of it
                pending: BaseException | None = error
            else:
                pending = None
            try:
                self._waiting = self._step(pending)
            except StopIteration:
                if self._cancelled is not None:
                    raise self._cancelled from None
                return
            except BaseException as error:
                if self._cancelled is not None:
                    raise self._cancelled from error
                raise

    def _step(self, pending: BaseException | None) -> "asyncio.Future[Any] | None":
        token = _within.set(self._whose)
        try:
            waiting: asyncio.Future[Any] | None
            waiting = self._work.throw(pending) if pending else self._work.send(None)
            return waiting
        finally:
            _within.reset(token)

    def _defer(self, message: Any) -> bool:
        """Keep the first cancellation from outside for the end; say whether this is it."""
        if within() is self._whose or self._cancelled is not None:
            return False
        self._cancelled = asyncio.CancelledError(*(() if message is None else (message,)))
        return True


class _Wait(asyncio.Future[None]):
    """Ends with what the work waits for; asked to cancel, it passes that on or has it deferred."""

    def __init__(self, waiting: "asyncio.Future[Any] | None", defer: Callable[[Any], bool]) -> None:
        super().__init__()
        self._waiting = waiting
        self._defer = defer
        if waiting is None:
            self.get_loop().call_soon(self._end)
        elif waiting.get_loop() is not self.get_loop():
            self.set_exception(RuntimeError(f"{waiting!r} belongs to another event loop"))
        else:
            waiting._asyncio_future_blocking = False  # noqa: SLF001 - we wait in its place
            waiting.add_done_callback(self._end)

    def cancel(self, msg: Any = None) -> bool:
        """Asked by the task that waits for this; a deferred one leaves it waiting."""
        if self._defer(msg):
            return True
        return super().cancel(msg) if self._waiting is None else self._waiting.cancel(msg)

    def _end(self, _: object = None) -> None:
        if not self.done():
            self.set_result(None)
