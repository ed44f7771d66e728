"""Sync callers of something that lives in an event loop."""

import asyncio
import os
import selectors
import threading
from collections.abc import Coroutine
from concurrent.futures import CancelledError, Future
from contextlib import suppress
from typing import Any, Final, TypeVar
from weakref import WeakKeyDictionary

from infrastructure.component import Component
from infrastructure.errors import (
    ConfigurationError,
    OutcomeUnknownError,
    UnavailableError,
)

T = TypeVar("T")
#: So often is looked whether the loop that is waited for still runs.
_LOOK_SECONDS: Final = 0.25
_LONGEST_END_SECONDS: Final = 5.0


class Bridge:
    """Runs coroutines of a component in the event loop it is open in, from any thread.

    Where it is open nowhere, whoever calls first decides: sync callers open it in a loop of a
    thread of the bridge's own, and async ones in theirs. In a fork it is opened anew.

    Args:
        component: What the coroutines work on; stays its owner's to close, unless this bridge
            has opened it.

    Raises (every call):
        UnavailableError: The event loop had ended; nothing was begun.
        OutcomeUnknownError: It ended, or the bridge was closed, while the call ran.
    """

    def __init__(self, component: Component) -> None:
        self._component = component
        self._own: _LoopThread | None = None

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Its result, waited for in this thread.

        Raises:
            ConfigurationError: This thread runs the component's own loop, which would stand still.
        """
        call, home = self._begun(work)
        try:
            while not call.done():
                with suppress(TimeoutError):
                    return call.result(_LOOK_SECONDS)
                if not (call.done() or home.is_running()):
                    raise self._cut_off()
            return call.result()
        except CancelledError:
            raise self._cut_off() from None
        finally:
            _leave(call, home)

    async def arun(self, work: Coroutine[Any, Any, T]) -> T:
        """Its result, also where the component is open in another thread's loop."""
        here = asyncio.get_running_loop()
        if self._component.loop is here or await self._own_home(here, work) is here:
            return await work
        call, home = self._begun(work)
        waiting = asyncio.wrap_future(call)
        try:
            while not (await asyncio.wait((waiting,), timeout=_LOOK_SECONDS))[0]:
                if not home.is_running():
                    raise self._cut_off()
            if waiting.cancelled():
                raise self._cut_off()
            return waiting.result()
        finally:
            _leave(call, home)

    def close(self) -> None:
        """End the thread, and close the component if it is open there; harmless when repeated.

        Calls under way end first, as with `disconnect()`; what still runs then is cancelled.

        Raises:
            ConfigurationError: It is called from that thread.
        """
        own = self._own
        if own is None:
            return
        if own.loop is _running_loop():
            raise ConfigurationError(
                "closed from a call that runs in it", where=self._component.name
            )
        closing: Future[None] | None = None
        with _lock:
            is_first, own.is_being_closed = not own.is_being_closed, True
            if is_first and self._component.loop is own.loop and own.loop.is_running():
                closing = asyncio.run_coroutine_threadsafe(self._component.disconnect(), own.loop)
        if not is_first:
            own.join()
            return
        try:
            if closing is not None:
                with suppress(CancelledError):  # a call has ended the loop, which closes it, too
                    closing.result()
        finally:
            own.end()

    def _home(
        self, here: asyncio.AbstractEventLoop | None
    ) -> asyncio.AbstractEventLoop | threading.Thread:
        """The loop it is open in, or is to be opened in; first, the thread that is closing it."""
        with _lock:
            last = _chosen.get(self._component)
            for loop in (self._component.loop, last):
                if loop is not None and loop.is_running():
                    return loop
            if isinstance(last, _Loop) and last.thread.is_alive():
                if last.thread is threading.current_thread():  # which would wait for itself
                    raise UnavailableError("its event loop has ended", where=self._component.name)
                return last.thread
            if here is None:
                self._own = _LoopThread(self._component)
                here = self._own.loop
            _chosen[self._component] = here
            return here

    async def _own_home(
        self, here: asyncio.AbstractEventLoop, work: Coroutine[Any, Any, Any]
    ) -> asyncio.AbstractEventLoop:
        try:
            while isinstance(home := self._home(here), threading.Thread):
                await asyncio.to_thread(home.join)
        except BaseException:
            work.close()
            raise
        return home

    def _begun(self, work: Coroutine[Any, Any, T]) -> "tuple[Future[T], asyncio.AbstractEventLoop]":
        """The call, and the loop it runs in, which is another one than this thread's."""
        try:
            while isinstance(begun := self._handed_over(work), threading.Thread):
                begun.join()
        except RuntimeError as error:  # a loop of somebody else was closed in between
            work.close()
            raise UnavailableError(
                "its event loop has ended", where=self._component.name
            ) from error
        except BaseException:
            work.close()
            raise
        return begun

    def _handed_over(
        self, work: Coroutine[Any, Any, T]
    ) -> "tuple[Future[T], asyncio.AbstractEventLoop] | threading.Thread":
        with _lock:  # a loop of ours does not end between the look and the call
            home = self._home(None)
            if home is _running_loop():
                raise ConfigurationError(
                    "a sync call from inside the event loop it is open in",
                    where=self._component.name,
                    hint="Await the async method of the same name.",
                )
            if isinstance(home, threading.Thread):
                return home
            return asyncio.run_coroutine_threadsafe(work, home), home

    def _cut_off(self) -> OutcomeUnknownError:
        return OutcomeUnknownError(
            "its event loop ended before the call did", where=self._component.name
        )


class _LoopThread:
    """A thread that runs an event loop until `end`; what is open there is closed with it."""

    def __init__(self, component: Component) -> None:
        self.loop = _Loop()
        self.is_being_closed = False
        self._has_stopped = False
        self._component = component
        is_running = threading.Event()
        self.loop.call_soon(is_running.set)
        self.loop.thread = threading.Thread(
            target=self._run, name=f"loop of {component.name}", daemon=True
        )
        self.loop.thread.start()
        is_running.wait()

    def end(self) -> None:
        """Cancel what still runs, and wait for the thread."""
        with _lock:
            self.loop.is_ending = True
        with suppress(RuntimeError):  # it has ended by itself meanwhile
            self.loop.call_soon_threadsafe(self._stop)
        self.join()

    def join(self) -> None:
        """Wait until it has ended."""
        self.loop.thread.join()

    def _stop(self) -> None:
        if not self._has_stopped:  # a call may have ended it, and the end is not to be stopped
            self.loop.stop()

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self.loop) as runner:
            with suppress(KeyboardInterrupt, SystemExit):  # the call that raised it was told
                runner.get_loop().run_forever()
            self._has_stopped = True
            with _lock:
                self.loop.is_ending = True
            runner.run(self._end_all())

    async def _end_all(self) -> None:
        await asyncio.sleep(0)  # what was handed over is begun, to be cancelled
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        if others:
            await asyncio.wait(others, timeout=_LONGEST_END_SECONDS)
        if self._component.loop is self.loop:  # the next step of a call may have opened it again
            await self._component.disconnect()


class _Loop(asyncio.SelectorEventLoop):
    """One that does not run in a fork, where its thread is missing.

    It polls: what a fork did with the epoll it shares, its parent would feel.

    Attributes:
        is_ending: It is to begin nothing any more, and does not count as running.
        thread: It runs there.
    """

    is_ending = False
    thread: threading.Thread

    def __init__(self) -> None:
        self._process_id = os.getpid()
        poll = getattr(selectors, "PollSelector", selectors.SelectSelector)
        super().__init__(poll())

    def is_running(self) -> bool:
        """Whether it may be given something to do."""
        is_here = self._process_id == os.getpid()
        return is_here and not self.is_ending and super().is_running()


_lock = threading.RLock()
#: Where a component is being opened that is open nowhere yet: several bridges may lead to it.
_chosen: WeakKeyDictionary[Component, asyncio.AbstractEventLoop] = WeakKeyDictionary()


def _leave(call: "Future[Any]", home: asyncio.AbstractEventLoop) -> None:
    """Cancel the call unless it has ended."""
    if not home.is_closed():
        call.cancel()


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


def _after_fork() -> None:
    global _lock  # noqa: PLW0603 - another thread may have held it
    _lock = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
