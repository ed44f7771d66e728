"""A bulkhead: only so many calls at once, a bounded queue, and refusal beyond."""

import threading
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from typing import Any

from infrastructure.errors import OverloadedError
from infrastructure.observability.metrics import COMPONENT, Measurement, counter, gauge
from infrastructure.resilience.bounds import checked_count, checked_seconds
from infrastructure.resilience.clock import SYSTEM_CLOCK, Clock
from infrastructure.resilience.strategy import Gate, Link, Place
from infrastructure.resilience.turns import TaskTurn, ThreadTurn, Turn

_METRIC = "switchgear.resilience.bulkhead"
_MOST_PLACES = 1_000_000


class Bulkhead(Gate):
    """Keeps one thing that is slow from taking every task and thread there is.

    Tasks, threads and event loops share its places. Who waits is served in the order of coming;
    a place that becomes free goes straight to the first in the queue. It goes around calls,
    functions (as a decorator) and bodies (`with`, `async with`).

    Args:
        max_concurrent: How many calls may run at once.
        max_waiting: How many more may wait.
        wait_seconds: How long one waits before it is refused.
        name: Where it stands, such as `llm.default.bulkhead`.
        clock: Ends the waits of coroutines; those of threads are ended by the machine's.

    Raises:
        ConfigurationError: A number is out of its range.
    """

    place = Place.BULKHEAD

    def __init__(
        self,
        max_concurrent: int,
        max_waiting: int = 0,
        wait_seconds: float = 1.0,
        *,
        name: str = "",
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self.name = name
        where = name or "bulkhead"
        self._max_concurrent = checked_count(
            max_concurrent, "max_concurrent", where, at_most=_MOST_PLACES
        )
        self._max_waiting = checked_count(max_waiting, "max_waiting", where, at_least=0)
        self._wait_seconds = checked_seconds(wait_seconds, "wait_seconds", where)
        self._clock = clock
        # A list gives and takes an item in one step that no thread can come between, which is
        # much cheaper than a lock.
        self._free: list[None] = [None] * self._max_concurrent
        # Reentrant: a coroutine that is collected while the lock is held leaves in here.
        self._lock = threading.RLock()
        self._queue: OrderedDict[Turn, None] = OrderedDict()
        self._admitted = self._refused = self._timed_out = 0

    def __repr__(self) -> str:
        return f"<Bulkhead {self.name or 'unnamed'}: {self._state()}>"

    @property
    def running(self) -> int:
        """How many places are taken."""
        return self._max_concurrent - len(self._free)

    @property
    def waiting(self) -> int:
        """How many wait for one."""
        return len(self._queue)

    def around(self, inner: Link) -> Link:
        """Await the link when there is a place for it.

        Raises:
            OverloadedError: No place, or none in time.
        """

        async def placed(
            call: Callable[..., Awaitable[Any]], args: tuple[Any, ...], kwargs: dict[str, Any]
        ) -> Any:
            if not self._enters():
                await self._wait()
            try:
                return await inner(call, args, kwargs)
            finally:
                self._leave()

        return placed

    def measurements(self) -> Iterator[Measurement]:
        """How full it is, and how many were let in and turned away."""
        labels = {COMPONENT: self.name}
        yield gauge(f"{_METRIC}.running", self.running, labels, unit="{call}")
        yield gauge(f"{_METRIC}.waiting", len(self._queue), labels, unit="{call}")
        yield gauge(f"{_METRIC}.limit", self._max_concurrent, labels, unit="{call}")
        yield counter(f"{_METRIC}.admitted", self._admitted, labels, unit="{call}")
        for reason, count in (("full", self._refused), ("timeout", self._timed_out)):
            here = {**labels, "reason": reason}
            yield counter(f"{_METRIC}.refused", count, here, unit="{call}")

    def _enters(self) -> bool:
        try:
            self._free.pop()
        except IndexError:
            return False
        self._admitted += 1
        return True

    def _exit(self, error: BaseException | None) -> None:  # noqa: ARG002 - a place is given back however it was used
        self._leave()

    def _leave(self) -> None:
        if self._queue:
            with self._lock:
                if self._hand_on():
                    return
        self._free.append(None)
        if self._queue:  # somebody came between
            self._hand_out()

    def _hand_on(self) -> bool:
        """Give the place in hand to the first in the queue; False when nobody wants it."""
        while self._queue:
            turn, _ = self._queue.popitem(last=False)
            turn.has_place = turn.call()
            if turn.has_place:
                self._admitted += 1
                return True
        return False

    def _hand_out(self) -> None:
        """Give free places to those who came when there was none."""
        with self._lock:
            while self._queue:
                try:
                    self._free.pop()
                except IndexError:
                    return
                if not self._hand_on():
                    self._free.append(None)

    async def _wait(self) -> None:
        turn = TaskTurn()
        self._queue_up(turn)
        timer = self._clock.call_later(self._wait_seconds, partial(self._expire, turn))
        try:
            await turn.wait()
        except BaseException:
            self._withdraw(turn)
            raise
        finally:
            timer.cancel()
        self._refuse_without_place(turn)

    def _wait_sync(self) -> None:
        turn = ThreadTurn()
        self._queue_up(turn)
        try:
            turn.wait(self._wait_seconds)
        except BaseException:
            self._withdraw(turn)
            raise
        self._expire(turn)
        self._refuse_without_place(turn)

    def _queue_up(self, turn: Turn) -> None:
        """Join the queue, which may give a place at once: one may have become free meanwhile."""
        with self._lock:
            self._queue[turn] = None
            self._hand_out()
            if turn.has_place or len(self._queue) <= self._max_waiting:
                return
            del self._queue[turn]
            self._refused += 1
        raise self._refusal("full", "Make fewer calls at once, or raise its limits.")

    def _expire(self, turn: Turn) -> None:
        """Tell a turn that still waits that its time is up."""
        with self._lock:
            if turn in self._queue:
                del self._queue[turn]
                self._timed_out += 1
                turn.call()

    def _withdraw(self, turn: Turn) -> None:
        """Leave the queue; or, when a place came together with the cancellation, that place."""
        with self._lock:
            self._queue.pop(turn, None)
            if turn.has_place:
                self._leave()

    def _refuse_without_place(self, turn: Turn) -> None:
        with self._lock:
            if turn.has_place:
                return
        raise self._refusal(
            f"no place within {self._wait_seconds:g} s", "Is what it guards slower than usual?"
        )

    def _refusal(self, what: str, hint: str) -> OverloadedError:
        return OverloadedError(f"{what}: {self._state()}", where=self.name, hint=hint)

    def _state(self) -> str:
        return (
            f"{self.running} of {self._max_concurrent} calls run, "
            f"{len(self._queue)} of {self._max_waiting} wait"
        )
