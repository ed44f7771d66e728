"""Bounds over many retries: a share of the calls, and no retry of a retry."""

import threading
from contextlib import suppress
from contextvars import ContextVar
from typing import Protocol

from infrastructure.resilience.bounds import checked_number
from infrastructure.resilience.clock import SYSTEM_CLOCK, Clock


class RetryBudget:
    """Lets retries be a part of the calls, so that they do not finish off what is overloaded.

    Each call earns `fraction` of a retry and each second `min_per_second`; at most `burst` are
    kept. A hedge is paid for as a retry is. Share one between all who call the same dependency.

    Args:
        fraction: Retries for one call, from 0 to 1.
        min_per_second: Retries that are free, for what is called rarely.
        burst: The most that can be saved up; a budget starts with one second's worth.
        name: Where it stands.
        clock: What is time.

    Attributes:
        calls: How many calls earned something.
        spent: How many retries it paid for.
        refused: How many it did not.
    """

    def __init__(
        self,
        fraction: float = 0.2,
        *,
        min_per_second: float = 10.0,
        burst: float = 100.0,
        name: str = "",
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        where = name or "RetryBudget"
        checked_number(fraction, "fraction", where, at_least=0, at_most=1)
        checked_number(burst, "burst", where, at_least=1, at_most=1e9)
        checked_number(min_per_second, "min_per_second", where, at_least=0, at_most=burst)
        self.fraction = fraction
        self.min_per_second = min_per_second
        self.burst = burst
        self.name = name
        self.calls = 0
        self.spent = 0
        self.refused = 0
        self._clock = clock
        self._lock = threading.Lock()
        self._saved = float(min_per_second)
        self._settled_calls = 0
        self._settled_at = clock.now()

    def __repr__(self) -> str:
        return f"RetryBudget({self.fraction:g}, min_per_second={self.min_per_second:g})"

    def spend(self) -> bool:
        """Take one retry from the budget; False when there is none."""
        with self._lock:
            self._settle()
            if self._saved < 1:
                self.refused += 1
                return False
            self._saved -= 1
            self.spent += 1
            return True

    def _settle(self) -> None:
        """Add what calls and time have earned since the last time somebody asked."""
        calls, now = self.calls, self._clock.now()
        earned = (calls - self._settled_calls) * self.fraction
        earned += (now - self._settled_at) * self.min_per_second
        self._saved = min(self.burst, self._saved + earned)
        self._settled_calls, self._settled_at = calls, now


class Repeats(Protocol):
    """A retry."""

    @property
    def dependency(self) -> str:
        """What it calls; empty for anything."""
        ...

    def takes(self, error: Exception) -> bool:
        """Whether it is meant to retry such an error."""
        ...


class Repetition:
    """A second attempt or a later one: while it lasts, retries inside leave errors to its retry.

    A task that was started inside and outlives it has nobody left to leave them to.
    """

    __slots__ = ("_token", "is_over", "retry")

    def __init__(self, retry: Repeats) -> None:
        self.retry = retry
        self.is_over = False
        lasting = [one for one in _repetitions.get() if not one.is_over]
        self._token = _repetitions.set((*lasting, self))

    def end(self) -> None:
        """It is over; a generator that is closed by another task never began in that one."""
        self.is_over = True
        with suppress(ValueError):
            _repetitions.reset(self._token)


_repetitions: ContextVar[tuple[Repetition, ...]] = ContextVar("switchgear_repetitions", default=())


def is_left_to_outer(error: Exception, dependency: str) -> bool:
    """Whether a retry around the caller repeats already, and will take this error."""
    return any(
        same_dependency(outer.retry.dependency, dependency) and outer.retry.takes(error)
        for outer in _repetitions.get()
        if not outer.is_over
    )


class GivenUp:
    """A mark on errors that a retry has given up on, for the retries around it.

    Attributes:
        count: How many marks were set so far. A mark counts for a call only when it was set after
            the call began: the same exception object may be raised again by another call.
    """

    count = 0

    __slots__ = ("dependency", "number")

    def __init__(self, dependency: str) -> None:
        GivenUp.count += 1
        self.dependency = dependency
        self.number = GivenUp.count

    @staticmethod
    def put_on(error: Exception, dependency: str) -> None:
        """Mark the error, for it goes to the caller after its retries."""
        error.__dict__[_MARK] = GivenUp(dependency)

    @staticmethod
    def is_on(error: BaseException, dependency: str, since: int) -> bool:
        """Whether the error, or what it was made from, was retried in vain inside this call."""
        cause: BaseException | None = error
        for _ in range(_LONGEST_CHAIN):
            if cause is None:
                return False
            mark = cause.__dict__.get(_MARK)
            if mark and mark.number > since and same_dependency(mark.dependency, dependency):
                return True
            cause = cause.__cause__
        return False


_MARK = "_given_up"
_LONGEST_CHAIN = 10


def same_dependency(one: str, other: str) -> bool:
    """Whether both are one; a retry that does not say what it calls may call anything."""
    return not one or not other or one == other
