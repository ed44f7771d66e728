"""A bound on the time of each call."""

from collections.abc import Awaitable, Callable, Iterator
from typing import Any, TypeVar

from infrastructure.errors import DeadlineExceededError
from infrastructure.observability.metrics import COMPONENT, Measurement, counter
from infrastructure.resilience.bounds import checked_seconds
from infrastructure.resilience.clock import SYSTEM_CLOCK, Clock
from infrastructure.resilience.deadlines import Scope, Terms, remaining
from infrastructure.resilience.strategy import Link, LinkedStrategy, Place

T = TypeVar("T")


class Timeout(LinkedStrategy):
    """Bounds the time of each call.

    A coroutine is cancelled when its time is up. A function in a thread cannot be: it, and the
    clients it uses, may ask `remaining()`; it is not called when there is no time left, and what
    it gives late is still given.

    Args:
        seconds: For one call.
        name: Where it stands.
        clock: What is time.

    Attributes:
        calls: How many were made.
        expired: How many were cut, or not begun, for lack of time.
        late: How many functions came back after their time.

    Raises:
        DeadlineExceededError: A call took longer.
    """

    place = Place.ATTEMPT_TIMEOUT

    def __init__(self, seconds: float, *, name: str = "", clock: Clock = SYSTEM_CLOCK) -> None:
        self.seconds = checked_seconds(seconds, "seconds", name or "Timeout")
        self.name = name
        self.calls = 0
        self.expired = 0
        self.late = 0
        self._terms = Terms(seconds, name, clock, interrupts=True, is_shared=True)
        self._sync_terms = Terms(seconds, name, clock, interrupts=False, is_shared=False)

    def __repr__(self) -> str:
        return f"Timeout({self.seconds:g})"

    def around(self, inner: Link) -> Link:
        """Await the link, and cancel it when its time is up."""
        terms = self._terms

        async def bounded(
            call: Callable[..., Awaitable[Any]], args: tuple[Any, ...], kwargs: dict[str, Any]
        ) -> Any:
            self.calls += 1
            scope = Scope()
            scope.begin(terms)
            try:
                result = await inner(call, args, kwargs)
            except BaseException as error:
                self._end_with(scope, error)
                raise
            scope.end()
            return result

        return bounded

    def run_sync(self, call: Callable[..., T], /, *args: Any, **kwargs: Any) -> T:
        """Call it with a deadline that it can ask for, if there is time at all."""
        self.calls += 1
        if remaining() == 0:
            self.expired += 1
            raise DeadlineExceededError(0, where=self.name, hint="The time was up before the call")
        scope = Scope()
        scope.begin(self._sync_terms)
        try:
            return call(*args, **kwargs)
        finally:
            self.late += scope.remaining() == 0
            scope.end()

    def measurements(self) -> Iterator[Measurement]:
        """Calls, those that had no time left, and those that came back late."""
        labels = {COMPONENT: self.name}
        yield counter("switchgear.resilience.timeout.calls", self.calls, labels, unit="{call}")
        yield counter("switchgear.resilience.timeout.expired", self.expired, labels, unit="{call}")
        yield counter("switchgear.resilience.timeout.late", self.late, labels, unit="{call}")

    def _end_with(self, scope: Scope, error: BaseException) -> None:
        try:
            scope.end(error)
        except DeadlineExceededError:
            self.expired += 1
            raise
