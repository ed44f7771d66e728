"""The life of one resource: entered, kept, left."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Any

from containers.core.bounds import Bounded, within
from containers.core.endings import details, unless_it_is
from containers.core.shielding import finish
from containers.errors import LifecycleError

#: The event loop knows its tasks weakly; what lives is kept although its container is dropped.
_living: set["asyncio.Task[None]"] = set()

Leave = Callable[[type[BaseException] | None, BaseException | None, TracebackType | None], Any]


class Life:
    """An object that was entered without waiting."""

    def __init__(self, made: Any) -> None:
        is_manager = _is_manager(made)
        self.value = made.__enter__() if is_manager else made
        self._leave: Leave | None = made.__exit__ if is_manager else None

    def end(self, error: BaseException | None = None) -> None:
        """Leave it; with the error of the work it was made for, where that failed."""
        if self._leave is not None:
            with unless_it_is(error):
                self._leave(*details(error))


class KeptLife:
    """An object that is entered and left by one task of its own.

    Task groups, cancel scopes and context variables that a generator holds over its `yield` need
    that: they must be left where they were entered. When the event loop ends without a stop of
    the container, the task is cancelled, and the object is left all the same.

    Args (of the constructor):
        make: Makes what is entered.
        owner: The provider, for its bounds.
        path: The provider's path, for errors.
        keep: Told once the object is there; False means that another one stays in its place.
        forget: Told once the object cannot be handed out, or not any more.
    """

    value: Any

    def __init__(
        self,
        make: Callable[[], Awaitable[Any]],
        owner: Bounded,
        path: str,
        *,
        keep: Callable[["KeptLife"], bool],
        forget: Callable[["KeptLife"], None],
    ) -> None:
        loop = asyncio.get_running_loop()
        self._owner, self._path = owner, path
        self._keep, self._forget = keep, forget
        self._began: asyncio.Future[None] = loop.create_future()
        self._over = asyncio.Event()
        self._error: BaseException | None = None
        self._waiting = 0
        self._task = loop.create_task(self._live(make))
        self._task.add_done_callback(self._has_ended)
        _living.difference_update([one for one in _living if one.get_loop().is_closed()])
        _living.add(self._task)

    @property
    def is_lost(self) -> bool:
        """Whether its event loop is closed."""
        return self._task.get_loop().is_closed()

    async def begin(self) -> None:
        """Wait until the object is there; when the last one who waits is cancelled, it is undone.

        Raises:
            LifecycleError: It took longer than the owner's `start_timeout`, or was ended meanwhile.
        """
        self._waiting += 1
        try:
            await asyncio.wait({self._began, self._task}, return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError as cancelled:
            if self._waiting == 1 and not self._began.done():
                await self._undo(cancelled)
            raise
        finally:
            self._waiting -= 1
        if not self._began.done():
            self._raise_failure()

    async def end(self, error: BaseException | None = None) -> None:
        """Leave it, in its own task, as above; what is still beginning is cancelled.

        Raises:
            LifecycleError: It took longer than the owner's `stop_timeout`, or its event loop is
                another one that does not run.
        """
        loop = self._task.get_loop()
        if loop is not asyncio.get_running_loop() and not self._task.done():
            if not loop.is_running():
                raise self._lost()
            await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(self.end(error), loop))
        elif self._began.done():
            self._error = error
            self._over.set()
            await self._task
        else:
            self._task.cancel()
            await asyncio.wait({self._task})

    async def _live(self, make: Callable[[], Awaitable[Any]]) -> None:
        async with within(self._owner.start_timeout, self._path, "start"):
            self.value, leave = await _entered(await make())
        is_kept = self._keep(self)
        self._began.set_result(None)
        if leave is None:
            return
        if is_kept:
            await self._until_over()
        self._forget(self)
        async with within(self._owner.stop_timeout, self._path, "end"):
            with unless_it_is(self._error):
                left = leave(*details(self._error))
                if inspect.isawaitable(left):
                    await left

    def _has_ended(self, _: "asyncio.Task[None]") -> None:
        _living.discard(self._task)
        if not self._began.done():
            self._forget(self)

    async def _until_over(self) -> None:
        try:
            await self._over.wait()
        except asyncio.CancelledError:  # the event loop ends: so does the object
            asyncio.current_task().uncancel()  # type: ignore[union-attr]  # this runs in a task

    async def _undo(self, cancelled: asyncio.CancelledError) -> None:
        self._task.cancel()
        await finish(_landed(self._task))
        error = None if self._task.cancelled() else self._task.exception()
        if error is not None:
            raise cancelled from error

    def _raise_failure(self) -> None:
        """The others who wait are not cancelled themselves."""
        if self._task.cancelled():
            raise LifecycleError(f"the start of '{self._path}' was cancelled")
        self._task.result()

    def _lost(self) -> LifecycleError:
        return LifecycleError(
            f"'{self._path}' was started in an event loop that does not run any more",
            hint="Stop the container in the loop that started it.",
        )


def must_be_awaited(made: Any) -> bool:
    """Whether a target's result is nothing yet: to be awaited, or entered with `async with`."""
    return _is_pending(made) or (_is_async_manager(made) and not _is_manager(made))


def discard(made: Any) -> None:
    """Throw such a result away, without a warning that it was not awaited."""
    if inspect.iscoroutine(made):
        made.close()
    elif asyncio.isfuture(made):
        made.cancel()


async def _entered(made: Any) -> tuple[Any, Leave | None]:
    if _is_pending(made):
        made = await made
    if _is_async_manager(made):
        return await made.__aenter__(), made.__aexit__
    if _is_manager(made):
        return made.__enter__(), made.__exit__
    return made, None


async def _landed(task: "asyncio.Task[None]") -> None:
    await asyncio.wait({task})


def _is_pending(made: Any) -> bool:
    """As dependency-injector tells it: pools that can be awaited and entered are entered."""
    return inspect.iscoroutine(made) or asyncio.isfuture(made)


def _is_manager(made: Any) -> bool:
    return hasattr(made, "__enter__") and hasattr(made, "__exit__")


def _is_async_manager(made: Any) -> bool:
    return hasattr(made, "__aenter__") and hasattr(made, "__aexit__")
