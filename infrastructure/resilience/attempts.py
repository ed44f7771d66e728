"""One use of a retry: attempt, wait, attempt, until it succeeds or is given up."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from math import inf, isfinite
from types import TracebackType
from typing import TYPE_CHECKING, Self

from infrastructure.errors import ConfigurationError, DeadlineExceededError
from infrastructure.resilience.budget import GivenUp, Repetition, is_left_to_outer
from infrastructure.resilience.deadlines import Deadline, remaining

if TYPE_CHECKING:
    from infrastructure.resilience.retry import Retry


class End(StrEnum):
    """Why there is no further attempt."""

    ERROR = "such an error is not retried"
    ATTEMPTS = "no attempts are left"
    DEADLINE = "the next wait would last past the deadline"
    BUDGET = "the retry budget is spent"
    ASKED = "the other side asks for a longer wait than is granted"
    INNER = "a retry inside has given up on it"
    OUTER = "a retry around this one repeats it"


@dataclass(frozen=True, slots=True)
class RetryEvent:
    """A failed attempt, and what comes of it.

    Attributes:
        name: Where the retry stands.
        attempt: The number of the attempt that failed, from 1.
        error: What it failed with.
        wait_seconds: How long is waited before the next attempt; None when there is none.
        end: Why there is none; None when there is one.
    """

    name: str
    attempt: int
    error: Exception
    wait_seconds: float | None = None
    end: End | None = None


class Attempts:
    """Gives attempts, in `for` and in `async for`, waiting before each but the first.

    Attributes:
        number: Of the attempt given last, from 1; 0 before it.
        waits: The seconds waited so far, one by one.
    """

    __slots__ = ("_began_at_mark", "_ends_at", "_is_out", "_retry", "_wait", "number", "waits")

    def __init__(self, retry: "Retry", *, began_at_mark: int | None = None) -> None:
        """Begin; a `began_at_mark` says that the first attempt was made, and when."""
        self.number = 0 if began_at_mark is None else 1
        self.waits: list[float] = []
        self._retry = retry
        self._began_at_mark = GivenUp.count if began_at_mark is None else began_at_mark
        self._ends_at = None if retry.timeout is None else retry.clock.now() + retry.timeout
        self._wait: float | None = 0.0  # None: there is no next attempt
        self._is_out = False

    def __iter__(self) -> "Attempts":
        return self

    def __aiter__(self) -> "Attempts":
        return self

    def __next__(self) -> "Attempt":
        wait = self._next_wait()
        if wait is None:
            raise StopIteration
        if self.number:
            self._retry.clock.sleep_sync(wait)
        return self._next(wait, interrupts=False)

    async def __anext__(self) -> "Attempt":
        wait = self._next_wait()
        if wait is None:
            raise StopAsyncIteration
        if self.number:
            await self._retry.clock.sleep(wait)
        return self._next(wait, interrupts=True)

    def _next_wait(self) -> float | None:
        if self._is_out:
            msg = "an attempt was not entered; write `with attempt:` inside the loop"
            raise ConfigurationError(msg, where=self._where)
        return self._wait

    def _next(self, waited: float, *, interrupts: bool) -> "Attempt":
        if self.number:
            self.waits.append(waited)
            self._retry.waited_seconds += waited
        self.number += 1
        if self.number > 1:
            self._retry.count_repetition(self.number)
        self._is_out = True
        return Attempt(self, self._retry, self._limit(), interrupts=interrupts)

    def end(self, error: BaseException | None) -> bool:
        """Take in how an attempt ended; True when another one follows."""
        self._is_out = False
        self._wait = None
        return isinstance(error, Exception) and self.continue_after(error)

    def continue_after(self, error: Exception) -> bool:
        """Decide about another attempt. Without one the error gets its note, to be raised."""
        wait, end = self._decide(error)
        self._wait = wait
        if end is None:
            self._tell(self._retry.on_retry, error, end)
        else:
            self._give_up(error, end)
        return end is None

    def _decide(self, error: Exception) -> tuple[float | None, End | None]:
        """The wait before another attempt, or why there is none."""
        if end := self._end_by(error):
            return None, end
        wait, asked = self._own_wait(error), self._asked_wait(error)
        if asked > self._retry.max_retry_after:
            return None, End.ASKED
        wait = max(wait, asked)
        if wait >= self._left():
            return None, End.DEADLINE
        budget = self._retry.budget
        if budget is not None and not budget.spend():
            return None, End.BUDGET
        return wait, None

    def _end_by(self, error: Exception) -> End | None:
        """Why there is none, whatever the wait would be."""
        retry = self._retry
        if not retry.takes(error):
            return End.ERROR
        if is_left_to_outer(error, retry.dependency):
            return End.OUTER
        if GivenUp.is_on(error, retry.dependency, since=self._began_at_mark):
            return End.INNER
        return End.ATTEMPTS if self.number >= retry.max_attempts else None

    def _own_wait(self, error: Exception) -> float:
        wait: object = self._retry.backoff(self.number + 1)
        if not (isinstance(wait, int | float) and isfinite(wait) and wait >= 0):
            what = f"the backoff strategy {self._retry.backoff!r} gave {wait!r}"
            hint = "It must give seconds, 0 or more."
            raise ConfigurationError(what, where=self._where, hint=hint) from error
        return wait

    def _asked_wait(self, error: Exception) -> float:
        """What the other side asks for: to come earlier is to be refused again, or for longer."""
        asked = self._retry.retry_after(error)
        return asked if isinstance(asked, int | float) and asked > 0 else 0.0

    def _left(self) -> float:
        """Seconds to the nearest end: that of this use, or of a deadline around it."""
        outer = remaining()
        own = inf if self._ends_at is None else self._ends_at - self._retry.clock.now()
        return own if outer is None else min(own, outer)

    def _limit(self) -> float | None:
        """Seconds that an attempt beginning now may last."""
        limit = self._retry.attempt_timeout
        if self._ends_at is None:
            return limit
        left = max(0.0, self._ends_at - self._retry.clock.now())
        return left if limit is None else min(limit, left)

    def _give_up(self, error: Exception, end: End) -> None:
        retry = self._retry
        retry.given_up[end] += 1
        if self.number > 1 or end in {End.DEADLINE, End.BUDGET, End.ASKED}:
            if len(getattr(error, "__notes__", ())) < _MOST_NOTES:
                error.add_note(self._note(end))
            if end in {End.ATTEMPTS, End.DEADLINE, End.BUDGET, End.ASKED}:
                GivenUp.put_on(error, retry.dependency)
        self._tell(retry.on_give_up, error, end)

    def _note(self, end: End) -> str:
        attempts = "1 attempt" if self.number == 1 else f"{self.number} attempts"
        shown = ", ".join(f"{wait:.3g}" for wait in self.waits[:_SHOWN_WAITS])
        more = ", ..." if len(self.waits) > _SHOWN_WAITS else ""
        waits = f" and waits of {shown}{more} s" if self.waits else ""
        return f"{self._where}: gave up after {attempts}{waits}: {end}"

    def _tell(
        self, hook: "Callable[[RetryEvent], object] | None", error: Exception, end: End | None
    ) -> None:
        if hook is not None:
            hook(RetryEvent(self._retry.name, self.number, error, self._wait, end))

    @property
    def _where(self) -> str:
        return self._retry.name or "retry"


_SHOWN_WAITS = 10
_MOST_NOTES = 10  # one object may be raised to many callers, each with a retry


class Attempt:
    """One attempt: a body that may fail without the loop around it ending.

    Attributes:
        number: Which one it is, from 1.
    """

    __slots__ = ("_attempts", "_deadline", "_repetition", "_retry", "number")

    def __init__(
        self, attempts: Attempts, retry: "Retry", limit: float | None, *, interrupts: bool
    ) -> None:
        self.number = attempts.number
        self._attempts = attempts
        self._retry = retry
        self._repetition: Repetition | None = None
        self._deadline: Deadline | None = None
        if limit is not None:
            self._deadline = Deadline(
                limit, where=retry.name, clock=retry.clock, interrupts=interrupts
            )

    def __enter__(self) -> Self:
        if self.number > 1:
            self._repetition = Repetition(self._retry)
        if self._deadline is not None:
            self._deadline.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool:
        if self._repetition is not None:
            self._repetition.end()
        if self._deadline is not None:
            try:
                self._deadline.__exit__(kind, error, trace)
            except DeadlineExceededError as cut:
                if not self._attempts.end(cut):
                    raise
                return True
        return self._attempts.end(error)
