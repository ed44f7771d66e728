"""Places in a queue that coroutines and threads wait in together."""

import asyncio
import threading
from abc import ABC, abstractmethod


class Turn(ABC):
    """One waiting caller.

    Attributes:
        has_place: It was called because it may go on; for the owner of the queue to say.
    """

    has_place: bool = False

    @abstractmethod
    def call(self) -> bool:
        """Wake the caller, from any thread; False when nobody can be woken any more."""


class TaskTurn(Turn):
    """A waiting coroutine of the running event loop."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._called: asyncio.Future[None] = self._loop.create_future()

    def call(self) -> bool:
        """Wake it; False when its loop is closed."""
        if asyncio._get_running_loop() is self._loop:  # noqa: SLF001 - documented; the public one raises outside of a loop
            self._wake()
            return True
        try:
            self._loop.call_soon_threadsafe(self._wake)
        except RuntimeError:  # the loop is closed
            return False
        return True

    async def wait(self) -> None:
        """Wait to be called."""
        await self._called

    def _wake(self) -> None:
        if not self._called.done():
            self._called.set_result(None)


class ThreadTurn(Turn):
    """A waiting thread."""

    def __init__(self) -> None:
        self._called = threading.Event()

    def call(self) -> bool:
        """Wake it."""
        self._called.set()
        return True

    def wait(self, seconds: float | None = None) -> None:
        """Wait to be called, or until the time is up."""
        self._called.wait(seconds)
