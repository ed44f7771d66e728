"""A circuit breaker: what fails is left alone for a while, then tried with a few calls."""

import random
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextvars import ContextVar
from functools import wraps
from typing import Any, TypeVar

from infrastructure.observability.metrics import Measurement
from infrastructure.resilience.breaker_options import BreakerOptions
from infrastructure.resilience.circuit import Circuit
from infrastructure.resilience.circuit_states import (
    CircuitBreakerOpenError,
    CircuitState,
    Listener,
    Ticket,
    Transition,
)
from infrastructure.resilience.clock import SYSTEM_CLOCK, Clock
from infrastructure.resilience.outcomes import Verdict
from infrastructure.resilience.strategy import F, Gate, Link, Place, is_async

__all__ = [
    "BreakerOptions",
    "CircuitBreaker",
    "CircuitBreakerOpenError",
    "CircuitState",
    "Transition",
]

T = TypeVar("T")

_SUCCESS = Verdict.SUCCESS  # Python 3.11 takes long to look a member up

#: The bodies entered and not left in this context, the innermost last.
_entered: ContextVar[tuple[tuple["CircuitBreaker", Ticket], ...]] = ContextVar(
    "switchgear_breakers", default=()
)


class CircuitBreaker(Gate):
    """Watches calls and refuses them while what they call fails.

    One breaker belongs to one thing that can fail, and is shared by all its callers: tasks,
    threads and event loops alike. It goes around calls (`call`, `run`, `run_sync`), functions
    (as a decorator) and bodies (`with`, `async with`).

    A result that comes after the state has changed since its call began decides nothing. A
    cancelled call is no failure. A slow probe is a failed one, when `slow_call_seconds` is set.

    Args:
        options: When it opens, and for how long.
        name: Where it stands, such as `llm.default.breaker`.
        listeners: Told of each transition, in the thread that caused it and outside of any
            lock; one that raises is logged and counted, and harms nobody.
        clock: Seconds, for slow calls, time windows, probes and open times.
        random_source: Numbers from 0 up to 1, for the jitter of open times.
        is_quiet: Its transitions are logged at DEBUG only, where its owner tells of outages.
    """

    place = Place.BREAKER

    def __init__(
        self,
        options: BreakerOptions | None = None,
        *,
        name: str = "",
        listeners: Iterable[Listener] = (),
        clock: Clock = SYSTEM_CLOCK,
        random_source: Callable[[], float] = random.random,
        is_quiet: bool = False,
    ) -> None:
        self.name = name
        self.options = options or BreakerOptions()
        self._circuit = Circuit(
            self.options,
            name=name,
            listeners=listeners,
            clock=clock,
            random_source=random_source,
            is_quiet=is_quiet,
        )
        self._judge = self.options.outcomes().judge
        self._begin = self._circuit.begin
        self._end = self._circuit.end

    def __repr__(self) -> str:
        return f"<CircuitBreaker {self.name or 'unnamed'}: {self.state}>"

    @property
    def state(self) -> CircuitState:
        """The state now; `open` stays so until the first call after the open time."""
        return self._circuit.state

    def around(self, inner: Link) -> Link:
        """Await the link, or refuse it.

        Raises:
            CircuitBreakerOpenError: It was not tried.
        """
        circuit = self._circuit

        async def watched(
            call: Callable[..., Awaitable[Any]], args: tuple[Any, ...], kwargs: dict[str, Any]
        ) -> Any:
            phase = circuit.phase
            ticket = phase.ticket if phase.is_free else self._begin()
            try:
                result = await inner(call, args, kwargs)
            except BaseException as error:
                self._end_with(ticket, error)
                raise
            if phase.is_free:
                phase.pending += 1
            else:
                self._end(ticket, _SUCCESS)
            return result

        return watched

    def __call__(self, function: F) -> F:
        """The function, with every call of it watched."""
        if not is_async(function):
            return super().__call__(function)

        @wraps(function)
        async def watched(*args: Any, **kwargs: Any) -> Any:
            # as `around` has it, in one coroutine less
            phase = self._circuit.phase
            ticket = phase.ticket if phase.is_free else self._begin()
            try:
                result = await function(*args, **kwargs)
            except BaseException as error:
                self._end_with(ticket, error)
                raise
            if phase.is_free:
                phase.pending += 1
            else:
                self._end(ticket, _SUCCESS)
            return result

        return watched  # type: ignore[return-value]  # it is called as the function is

    def run_sync(self, call: Callable[..., T], /, *args: Any, **kwargs: Any) -> T:
        """Make the call in this thread, or refuse it.

        Raises:
            CircuitBreakerOpenError: It was not tried.
        """
        phase = self._circuit.phase
        ticket = phase.ticket if phase.is_free else self._begin()
        try:
            result = call(*args, **kwargs)
        except BaseException as error:
            self._end_with(ticket, error)
            raise
        if phase.is_free:
            phase.pending += 1
        else:
            self._end(ticket, _SUCCESS)
        return result

    def force_open(self) -> None:
        """Refuse every call until `reset()` or `disable()`."""
        self._circuit.order(CircuitState.FORCED_OPEN)

    def disable(self) -> None:
        """Let every call pass, unwatched, until `reset()` or `force_open()`."""
        self._circuit.order(CircuitState.DISABLED)

    def reset(self) -> None:
        """Close the circuit and forget what was seen."""
        self._circuit.order(CircuitState.CLOSED)

    def measurements(self) -> Iterator[Measurement]:
        """Calls by outcome, transitions, the state and the rates of the window."""
        return self._circuit.measurements()

    def _enters(self) -> bool:
        ticket = self._begin()
        _entered.set((*_entered.get(), (self, ticket)))
        return True

    def _exit(self, error: BaseException | None) -> None:
        ticket = self._left()
        if error is None:
            self._end(ticket, _SUCCESS)
        else:
            self._end_with(ticket, error)

    def _end_with(self, ticket: Ticket, error: BaseException) -> None:
        verdict = Verdict.NONE
        try:
            verdict = self._judge(error)
        finally:  # a rule that raises must not keep a permit
            self._end(ticket, verdict)

    def _left(self) -> Ticket:
        """The ticket of the innermost body of this breaker in this context."""
        entered = _entered.get()
        for at in range(len(entered) - 1, -1, -1):
            breaker, ticket = entered[at]
            if breaker is self:
                _entered.set(entered[:at] + entered[at + 1 :])
                return ticket
        raise RuntimeError(f"{self!r} was left in another context than it was entered in")
