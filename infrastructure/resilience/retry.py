"""Another attempt when a call has failed and may succeed later."""

from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Iterator
from functools import wraps
from typing import Any, TypeVar

from infrastructure.observability.metrics import COMPONENT, OUTCOME, Measurement, counter
from infrastructure.resilience.attempts import Attempts, End, RetryEvent
from infrastructure.resilience.backoff import BackoffStrategy, ExponentialBackoffStrategy
from infrastructure.resilience.bounds import checked_count, checked_number, checked_seconds
from infrastructure.resilience.budget import GivenUp, RetryBudget
from infrastructure.resilience.clock import SYSTEM_CLOCK, Clock
from infrastructure.resilience.rules import TEMPORARY, ErrorRules, Rule
from infrastructure.resilience.strategy import (
    F,
    Link,
    LinkedStrategy,
    Place,
    called,
    is_async,
)

T = TypeVar("T")
Hook = Callable[[RetryEvent], object]

#: A label has few values: attempts from this number on are counted together.
_LAST_COUNTED = 10


class Retry(LinkedStrategy):
    """Calls again, after a wait, what failed for a reason that may go away.

    When it gives up, it raises the last error itself, with a note of the attempts and waits.
    What was cancelled is never retried, nor a call whose outcome is unknown. It may be shared:
    what one use remembers is its own. Besides `run` and the decorator it gives attempts:

        async for attempt in retry:
            with attempt:
                return await client.get(url)

    Do not `yield` out of an attempt: whoever reads would be taken for a part of it.

    Args:
        max_attempts: How often a call is made at most, the first time included.
        backoff_strategy: The seconds to wait before an attempt, of its number (from 2).
        retry_on: Which errors are retried, and no others: exception types, categories or
            functions of the error.
        stop_on: Which are not, whatever `retry_on` says.
        timeout: Seconds for all attempts and waits. No wait begins that would end after it, and
            the attempt it comes upon is cancelled, in a coroutine.
        attempt_timeout: Seconds for each attempt, in a coroutine.
        retry_after: The seconds an error asks to wait, or None; by default its attribute
            `retry_after_seconds`. The wait is never shorter.
        max_retry_after: The longest such wait, in seconds, that is granted. When more is asked
            for, the error is raised at once: to come earlier than asked is to be refused again.
        budget: Pays for retries; shared by all who call the same dependency.
        dependency: What is called. An error that a retry inside this one has given up on is not
            retried again, unless both say what they call and it differs.
        on_retry: Told of each failed attempt that is followed by another.
        on_give_up: Told of each failed attempt that is not. What a hook raises is raised.
        name: Where it stands.
        clock: What is time, and waits.

    Attributes:
        calls: How many uses there were.
        repetitions: How many attempts were made after a first one, by their number, from 2; those
            from 10 on together.
        waited_seconds: How long was waited before them.
        given_up: How many uses failed, by reason.

    Raises:
        ConfigurationError: An argument makes no sense.
    """

    place = Place.RETRY

    def __init__(
        self,
        max_attempts: int = 3,
        backoff_strategy: BackoffStrategy | None = None,
        *,
        retry_on: Rule | Iterable[Rule] = TEMPORARY,
        stop_on: Rule | Iterable[Rule] = (),
        timeout: float | None = None,
        attempt_timeout: float | None = None,
        retry_after: Callable[[Exception], float | None] | None = None,
        max_retry_after: float = 60.0,
        budget: RetryBudget | None = None,
        dependency: str = "",
        on_retry: Hook | None = None,
        on_give_up: Hook | None = None,
        name: str = "",
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        where = name or "retry"
        self.max_attempts = checked_count(max_attempts, "max_attempts", where)
        self.backoff = backoff_strategy or ExponentialBackoffStrategy()
        self.retry_on = ErrorRules(retry_on, where)
        self.stop_on = ErrorRules(stop_on, where)
        self.timeout = _seconds_or_none(timeout, "timeout", where)
        self.attempt_timeout = _seconds_or_none(attempt_timeout, "attempt_timeout", where)
        self.max_retry_after = checked_number(max_retry_after, "max_retry_after", where)
        self.retry_after = retry_after or _asked_by
        self.budget = budget
        self.dependency = dependency
        self.on_retry = on_retry
        self.on_give_up = on_give_up
        self.name = name
        self.clock = clock
        self.calls = 0
        self.repetitions: Counter[int] = Counter()
        self.waited_seconds = 0.0
        self.given_up: Counter[End] = Counter()
        self._is_timed = timeout is not None or attempt_timeout is not None

    def __repr__(self) -> str:
        limits = "".join(
            f", {name}={value:g}"
            for name in ("timeout", "attempt_timeout")
            if (value := getattr(self, name)) is not None
        )
        return f"Retry({self.max_attempts}, {self.backoff}{limits})"

    def __aiter__(self) -> Attempts:
        return self._begin()

    def __iter__(self) -> Attempts:
        return self._begin()

    def around(self, inner: Link) -> Link:
        """Await the link until it succeeds, or there is no sense in another attempt."""
        budget = self.budget

        async def timed(
            call: Callable[..., Awaitable[Any]], args: tuple[Any, ...], kwargs: dict[str, Any]
        ) -> Any:
            return await self._go_on(self._begin(), inner, call, args, kwargs)

        async def retried(
            call: Callable[..., Awaitable[Any]], args: tuple[Any, ...], kwargs: dict[str, Any]
        ) -> Any:
            self.calls += 1
            if budget is not None:
                budget.calls += 1
            began = GivenUp.count
            try:
                return await inner(call, args, kwargs)
            except Exception as error:
                attempts = self._attempts_after(error, began)
                if attempts is None:
                    raise
            return await self._go_on(attempts, inner, call, args, kwargs)

        return timed if self._is_timed else retried

    def __call__(self, function: F) -> F:
        """The function, with every call of it under this retry."""
        if self._is_timed or not is_async(function):
            return super().__call__(function)

        @wraps(function)
        async def retried(*args: Any, **kwargs: Any) -> Any:
            # as `around` has it, in one coroutine less, for most calls need no more than this
            self.calls += 1
            if self.budget is not None:
                self.budget.calls += 1
            began = GivenUp.count
            try:
                return await function(*args, **kwargs)
            except Exception as error:
                attempts = self._attempts_after(error, began)
                if attempts is None:
                    raise
            return await self._go_on(attempts, called, function, args, kwargs)

        return retried  # type: ignore[return-value]  # it is called as the function is

    def run_sync(self, call: Callable[..., T], /, *args: Any, **kwargs: Any) -> T:
        """Call it until it succeeds; the thread waits between, and so does an event loop in it."""
        if self._is_timed:
            return self._go_on_sync(self._begin(), call, args, kwargs)
        self.calls += 1
        if self.budget is not None:
            self.budget.calls += 1
        began = GivenUp.count
        try:
            return call(*args, **kwargs)
        except Exception as error:
            attempts = self._attempts_after(error, began)
            if attempts is None:
                raise
        return self._go_on_sync(attempts, call, args, kwargs)

    def _attempts_after(self, error: Exception, began: int) -> Attempts | None:
        """Those that follow a first one that failed; None when it was the only one."""
        attempts = Attempts(self, began_at_mark=began)
        return attempts if attempts.continue_after(error) else None

    async def _go_on(
        self,
        attempts: Attempts,
        inner: Link,
        call: Callable[..., Awaitable[Any]],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> Any:
        async for attempt in attempts:
            with attempt:
                return await inner(call, args, kwargs)
        raise AssertionError  # the last attempt has returned or raised

    def _go_on_sync(
        self,
        attempts: Attempts,
        call: Callable[..., T],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> T:
        for attempt in attempts:
            with attempt:
                return call(*args, **kwargs)
        raise AssertionError  # the last attempt has returned or raised

    def _begin(self) -> Attempts:
        self.calls += 1
        if self.budget is not None:
            self.budget.calls += 1
        return Attempts(self)

    @property
    def retries(self) -> int:
        """How many attempts were made after a first one."""
        return self.repetitions.total()

    def count_repetition(self, number: int) -> None:
        """One more attempt of this number."""
        self.repetitions[min(number, _LAST_COUNTED)] += 1

    def takes(self, error: Exception) -> bool:
        """Whether such an error is retried."""
        return self.retry_on.mean(error) and not self.stop_on.mean(error)

    def measurements(self) -> Iterator[Measurement]:
        """Calls, retries by attempt, the time waited, and the uses given up, by reason."""
        labels = {COMPONENT: self.name}
        yield counter("switchgear.resilience.retry.calls", self.calls, labels, unit="{call}")
        for number in range(2, min(self.max_attempts, _LAST_COUNTED) + 1):
            here = {**labels, "attempt": f"{number}+" if number == _LAST_COUNTED else f"{number}"}
            count = self.repetitions[number]
            yield counter("switchgear.resilience.retry.retries", count, here, unit="{retry}")
        yield counter(
            "switchgear.resilience.retry.wait.duration", self.waited_seconds, labels, unit="s"
        )
        for end in End:
            ended = {**labels, OUTCOME: end.name.lower()}
            yield counter(
                "switchgear.resilience.retry.given_up", self.given_up[end], ended, unit="{call}"
            )


retry_with_backoff = Retry
"""`Retry`, as it reads around a function:

    @retry_with_backoff(3, backoff_strategy=FixedDelayStrategy(1.0), retry_on=[ConnectionError])
    async def provision(request): ...
"""


def _asked_by(error: Exception) -> float | None:
    return getattr(error, "retry_after_seconds", None)


def _seconds_or_none(value: float | None, name: str, where: str) -> float | None:
    return None if value is None else checked_seconds(value, name, where)
