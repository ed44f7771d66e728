"""One timer of the event loop for many bodies that all have the same time."""

import asyncio
from collections.abc import Callable
from typing import Protocol
from weakref import WeakValueDictionary, ref

from infrastructure.resilience.clock import Clock


class Timed(Protocol):
    """Something with an end."""

    at: float

    def cut(self) -> None:
        """End it, for its time is up."""


class Queue:
    """Those that wait in one event loop, in the order of their ends.

    They have the same time, so who comes later ends later, and a timer for the first of them is
    enough. Setting a timer for each would cost more than all else around it.
    """

    __slots__ = ("__weakref__", "_clock", "is_armed", "loop", "waiting")

    def __init__(self, clock: Clock, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.waiting: dict[Timed, None] = {}
        self.is_armed = False
        self._clock = clock

    def arm(self, seconds: float) -> None:
        """Look again after so long."""
        self.is_armed = True
        self._clock.call_later(seconds, self._look)

    def _look(self) -> None:
        """Cut those whose time is up, and wait for the next."""
        self.is_armed = False
        now = self._clock.now()
        late = []
        for timed in self.waiting:
            if timed.at > now:
                self.arm(timed.at - now)
                break
            late.append(timed)
        for timed in late:
            # one that is gone was collected while those before it were cut
            if self.waiting.pop(timed, self) is None:
                timed.cut()


class Queues:
    """The queue of each event loop for one length of time.

    A queue is kept by its timer, so by its loop: a loop that was closed is kept by nothing here.

    Attributes:
        last: Gives the queue asked for last, as long as it lives; likely that of the same loop.
    """

    __slots__ = ("_all", "_clock", "last")

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._all: WeakValueDictionary[int, Queue] = WeakValueDictionary()
        self.last: Callable[[], Queue | None] = _nothing

    def of(self, loop: asyncio.AbstractEventLoop) -> Queue:
        """The queue of this loop; a new one must be armed at once, or it is gone."""
        queue = self._all.get(id(loop))  # while there is one, its loop has that id
        if queue is None:
            queue = self._all[id(loop)] = Queue(self._clock, loop)
        self.last = ref(queue)
        return queue


def _nothing() -> None:
    """Stand for a queue that is gone."""
