"""A rate limiter: a bucket that fills steadily and gives one token a call."""

import threading
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

from infrastructure.errors import OverloadedError, RejectedError
from infrastructure.observability.metrics import COMPONENT, Measurement, counter, gauge
from infrastructure.resilience.bounds import checked_number, checked_seconds
from infrastructure.resilience.clock import SYSTEM_CLOCK, Clock
from infrastructure.resilience.strategy import Gate, Link, Place
from infrastructure.resilience.turns import TaskTurn, ThreadTurn, Turn

_METRIC = "switchgear.resilience.rate_limiter"
#: Below this, a missing part of a token or of a second is an error of the floating point.
_GRAIN = 1e-6


class RateLimiter(Gate):
    """Lets calls begin at a steady rate, and a burst of them after a pause.

    In any stretch of `s` seconds at most `burst + rate * s / per_seconds` tokens are given. Who
    waits is served in the order of coming, whatever the amounts; who leaves the queue takes
    nothing. A wait is refused at once when it would be longer than `wait_seconds`, so nobody
    waits in vain. A token that was taken stays taken, whatever became of the call. Tasks, threads
    and event loops share one bucket.

    Args:
        rate: How many tokens come every `per_seconds`.
        per_seconds: The time `rate` speaks of.
        burst: How many tokens the bucket holds, at least 1; None for `rate`.
        wait_seconds: The longest wait for a token; 0 refuses whoever would have to wait.
        name: Where it stands, such as `llm.default.rate_limiter`.
        clock: Seconds, and waiting.

    Raises:
        ConfigurationError: A number is out of its range.
    """

    place = Place.RATE_LIMIT

    def __init__(
        self,
        rate: float,
        per_seconds: float = 1.0,
        *,
        burst: float | None = None,
        wait_seconds: float = 0.0,
        name: str = "",
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self.name = name
        where = name or "rate limiter"
        self._per_second = checked_number(rate, "rate", where, at_least=_GRAIN) / checked_seconds(
            per_seconds, "per_seconds", where
        )
        self._said = f"{rate:g} per {per_seconds:g} s"
        capacity = max(1.0, rate) if burst is None else burst
        self._burst = checked_number(capacity, "burst", where, at_least=1)
        self._wait_seconds = checked_number(wait_seconds, "wait_seconds", where)
        self._clock = clock
        self._now = clock.now
        # Reentrant: a coroutine that is collected while the lock is held leaves in here.
        self._lock = threading.RLock()
        # Tokens that have come since the beginning, and those given. The full bucket's overflow
        # counts as given, so one number is all its state.
        self._began_at = clock.now()
        self._given = 0.0
        self._most = self._burst + _GRAIN
        self._queue: OrderedDict[Turn, float] = OrderedDict()
        self._queued_tokens = 0.0
        self._admitted = self._waited = self._refused = 0

    def __repr__(self) -> str:
        return f"<RateLimiter {self.name or 'unnamed'}: {self._said}, {len(self._queue)} wait>"

    @property
    def waiting(self) -> int:
        """How many wait for their tokens."""
        return len(self._queue)

    def around(self, inner: Link) -> Link:
        """Await the link when a token is there; without a coroutine of its own if it is.

        Raises:
            OverloadedError: It would have to wait too long.
        """

        async def after_waiting(
            call: Callable[..., Awaitable[Any]], args: tuple[Any, ...], kwargs: dict[str, Any]
        ) -> Any:
            await self._wait()
            return await inner(call, args, kwargs)

        def limited(
            call: Callable[..., Awaitable[Any]], args: tuple[Any, ...], kwargs: dict[str, Any]
        ) -> Awaitable[Any]:
            go_on = inner if self.try_acquire() else after_waiting
            return go_on(call, args, kwargs)

        return limited

    def try_acquire(self, tokens: float = 1.0) -> bool:
        """Take tokens if they are there and nobody waits for them."""
        # A `with` block costs twice as much, and this is the path of every call; as is calling
        # what an instance holds by its attribute, in Python 3.11.
        now = self._now
        self._lock.acquire()
        try:
            come = (now() - self._began_at) * self._per_second  # as in `_held`
            given = self._given
            given = (come if given < come else given) + tokens  # noqa: FURB136 - max() takes as long as all the rest
            if self._queue or given > come + self._most or not tokens > 0.0:
                return False
            self._given = given
            self._admitted += 1
            return True
        finally:
            self._lock.release()

    async def acquire(self, tokens: float = 1.0) -> None:
        """Take tokens, waiting for them when allowed.

        Raises:
            OverloadedError: It would have to wait too long; `retry_after_seconds` says how long.
            RejectedError: The bucket never holds as many; or none were asked for.
        """
        if not self.try_acquire(tokens):
            await self._wait(tokens)

    def acquire_sync(self, tokens: float = 1.0) -> None:
        """Take tokens, waiting for them in this thread when allowed.

        Raises:
            OverloadedError: It would have to wait too long; `retry_after_seconds` says how long.
            RejectedError: The bucket never holds as many; or none were asked for.
        """
        if not self.try_acquire(tokens):
            self._wait_sync(tokens)

    def measurements(self) -> Iterator[Measurement]:
        """How many were let in, waited, and were turned away, and what the bucket holds."""
        labels = {COMPONENT: self.name}
        with self._lock:
            held = self._held()
        yield counter(f"{_METRIC}.admitted", self._admitted, labels, unit="{call}")
        yield counter(f"{_METRIC}.waited", self._waited, labels, unit="{call}")
        yield counter(f"{_METRIC}.refused", self._refused, labels, unit="{call}")
        yield gauge(f"{_METRIC}.waiting", len(self._queue), labels, unit="{call}")
        yield gauge(f"{_METRIC}.tokens", held, labels, unit="{token}")

    def _enters(self) -> bool:
        return self.try_acquire()

    async def _wait(self, tokens: float = 1.0) -> None:
        turn = TaskTurn()
        self._queue_up(turn, tokens)
        try:
            await turn.wait()
            while seconds := self._missing_seconds(turn):
                await self._clock.sleep(seconds)
        finally:
            self._leave(turn)

    def _wait_sync(self, tokens: float = 1.0) -> None:
        turn = ThreadTurn()
        self._queue_up(turn, tokens)
        try:
            turn.wait()
            while seconds := self._missing_seconds(turn):
                self._clock.sleep_sync(seconds)
        finally:
            self._leave(turn)

    def _queue_up(self, turn: Turn, tokens: float) -> None:
        """Join the queue; the first in it watches the bucket, the others wait to be first."""
        if not 0 < tokens <= self._burst:
            raise RejectedError(
                f"{tokens:g} tokens were asked for, and the bucket holds {self._burst:g}",
                where=self.name,
                hint="Ask for a number above 0, or raise burst.",
            )
        with self._lock:
            seconds = (self._queued_tokens + tokens - self._held()) / self._per_second
            if seconds > self._wait_seconds + _GRAIN:
                self._refused += 1
                raise self._refusal(seconds)
            self._queue[turn] = tokens
            self._queued_tokens += tokens
            if len(self._queue) == 1:
                turn.call()

    def _missing_seconds(self, turn: Turn) -> float:
        """Take the tokens of the first in the queue, which gives 0; or how long until they are."""
        with self._lock:
            missing = self._queue[turn] - self._held()
            if missing > _GRAIN:
                return max(missing / self._per_second, _GRAIN)
            self._given += self._queue[turn]
            self._admitted += 1
            self._waited += 1
            return 0.0

    def _leave(self, turn: Turn) -> None:
        """Out of the queue, with tokens or without; who is first then watches the bucket."""
        with self._lock:
            was_first = next(iter(self._queue), None) is turn
            self._forget(turn)
            while was_first and self._queue:
                first = next(iter(self._queue))
                if first.call():
                    return
                self._forget(first)  # its loop is closed

    def _forget(self, turn: Turn) -> None:
        self._queued_tokens -= self._queue.pop(turn, 0.0)
        if not self._queue:
            self._queued_tokens = 0.0  # without what floats have lost

    def _held(self) -> float:
        """What the bucket holds now."""
        come = (self._now() - self._began_at) * self._per_second
        self._given = max(self._given, come)
        return self._burst - (self._given - come)

    def _refusal(self, seconds: float) -> OverloadedError:
        return OverloadedError(
            f"more than {self._said}: {len(self._queue)} wait already",
            where=self.name,
            hint=f"Try again in {seconds:.3g} s.",
            retry_after_seconds=seconds,
        )
