"""The states a circuit can be in, how a change is told, and one stay in one of them."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from infrastructure.errors import OverloadedError
from infrastructure.resilience.breaker_options import BreakerOptions


class CircuitState(StrEnum):
    """What a breaker does with calls."""

    CLOSED = "closed"
    """Lets them pass and watches how they go."""
    OPEN = "open"
    """Refuses them until the open time is over."""
    HALF_OPEN = "half_open"
    """Lets a few pass as probes and refuses the others."""
    FORCED_OPEN = "forced_open"
    """Refuses all, until an operator says otherwise."""
    DISABLED = "disabled"
    """Lets all pass and watches nothing."""


class CircuitBreakerOpenError(OverloadedError):
    """Refused without trying: the circuit is open, or its probes are under way.

    Attributes:
        state: The state that refused.
        retry_after_seconds: When a call may be let in; None when only an operator knows.
    """

    state: CircuitState = CircuitState.OPEN


@dataclass(frozen=True, slots=True)
class Transition:
    """A change of state, as listeners are told of it.

    Attributes:
        breaker: The breaker's name.
        old: The state left.
        new: The state entered.
        reason: Why, in a few words with the numbers.
        number: 1 for the first; two threads may hand over theirs in the wrong order.
    """

    breaker: str
    old: CircuitState
    new: CircuitState
    reason: str
    number: int


Listener = Callable[[Transition], object]


class Phase:
    """One stay in one state. A call keeps the phase it began in; that tells a late result.

    Attributes:
        is_quiet: It is the current one, closed, and no call in the window failed: nothing can
            come of one more success, which is counted in `pending` and recorded later. That
            keeps locks and clocks from the path of calls that go well. Two threads may lose one
            such count between them; nothing else depends on it.
        is_free: It is quiet, and how long a call takes does not matter either.
        ticket: That of a call which began when it was free.
    """

    __slots__ = (
        "_serial", "is_free", "is_quiet", "passes", "pending", "probes", "reason", "state",
        "successes", "ticket", "until", "watches",
    )  # fmt: skip

    def __init__(self, state: CircuitState, reason: str = "", until: float = 0.0) -> None:
        self.state = state
        self.reason = reason
        self.until = until
        self.passes = state in {CircuitState.CLOSED, CircuitState.DISABLED}
        self.watches = state is CircuitState.CLOSED
        self.is_quiet = self.is_free = False
        self.pending = 0
        self.probes: dict[int, float] = {}
        self.successes = 0
        self.ticket: Ticket = (self, 0.0, 0)
        self._serial = 0

    def take_permit(self, now: float, options: BreakerOptions) -> int:
        """The number of a probe that may start, or 0; overdue ones have lost their permits."""
        for probe in list(self.probes):
            if self.probes.get(probe, now) <= now:
                self.probes.pop(probe, None)
        if len(self.probes) >= options.half_open_permits:
            return 0
        self._serial += 1
        self.probes[self._serial] = now + options.probe_seconds
        return self._serial


#: A call under way: the phase and the time it began in, and its number among the probes or 0.
Ticket = tuple[Phase, float, int]
