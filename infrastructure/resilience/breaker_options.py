"""How a circuit breaker decides."""

from dataclasses import dataclass

from infrastructure.errors import ConfigurationError
from infrastructure.resilience.bounds import checked_count, checked_number, checked_seconds
from infrastructure.resilience.outcomes import Outcomes
from infrastructure.resilience.rules import Rule
from infrastructure.resilience.windows import CountWindow, TimeWindow, Window

_WHERE = "circuit breaker"
_SMALLEST_RATE = 1e-6


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerOptions:
    """Limits of a breaker; the defaults suit a remote call made many times a minute.

    Attributes:
        failure_rate: Opens when this share of the window's calls failed, above 0 up to 1.
        slow_call_seconds: A call that takes longer is slow; None watches no time.
        slow_call_rate: Opens when this share of the window's calls was slow.
        window_calls: The window is the last so many calls;
        window_seconds: when given, it is the calls of the last so many seconds instead.
        minimum_calls: With fewer calls in the window no rate opens the circuit.
        half_open_permits: How many probes may be under way at once.
        probe_seconds: A probe that has not ended by then gives its permit back.
        success_threshold: How many probes must succeed to close the circuit.
        open_seconds: The first open time.
        open_factor: By how much it grows with each failed probe.
        max_open_seconds: What it never grows beyond.
        jitter: The share of an open time that may be taken off at random, 0 to 1.
        record_on: Errors that are failures, whatever their category.
        ignore_on: Errors that say nothing; wins over `record_on`.
        counts_overload: Take refusals, such as those of limits within, for failures.

    Raises:
        ConfigurationError: A number is out of its range, or they contradict each other.
    """

    failure_rate: float = 0.5
    slow_call_seconds: float | None = None
    slow_call_rate: float = 1.0
    window_calls: int = 100
    window_seconds: float | None = None
    minimum_calls: int = 10
    half_open_permits: int = 1
    probe_seconds: float = 30.0
    success_threshold: int = 1
    open_seconds: float = 30.0
    open_factor: float = 2.0
    max_open_seconds: float = 300.0
    jitter: float = 0.1
    record_on: Rule | tuple[Rule, ...] = ()
    ignore_on: Rule | tuple[Rule, ...] = ()
    counts_overload: bool = False

    def __post_init__(self) -> None:
        for name in ("failure_rate", "slow_call_rate"):
            checked_number(getattr(self, name), name, _WHERE, at_least=_SMALLEST_RATE, at_most=1)
        checked_number(self.jitter, "jitter", _WHERE, at_most=1)
        checked_number(self.open_factor, "open_factor", _WHERE, at_least=1)
        for name in ("window_calls", "minimum_calls", "half_open_permits", "success_threshold"):
            checked_count(getattr(self, name), name, _WHERE)
        for name in ("slow_call_seconds", "window_seconds", "probe_seconds", "open_seconds"):
            if getattr(self, name) is not None:
                checked_seconds(getattr(self, name), name, _WHERE)
        checked_number(
            self.max_open_seconds, "max_open_seconds", _WHERE, at_least=self.open_seconds
        )
        self._refuse_window_below_minimum()

    def window(self) -> Window:
        """A new, empty window."""
        if self.window_seconds is not None:
            return TimeWindow(self.window_seconds)
        return CountWindow(self.window_calls)

    def outcomes(self) -> Outcomes:
        """What the rules make of errors."""
        return Outcomes(
            self.record_on, self.ignore_on, counts_overload=self.counts_overload, where=_WHERE
        )

    def tripped(self, window: Window) -> str:
        """Why this window opens the circuit, with the numbers; empty when it does not."""
        calls = window.calls
        if calls < self.minimum_calls:
            return ""
        if window.failure_rate >= self.failure_rate:
            return f"{window.failures} of {calls} calls failed (limit {self.failure_rate:.0%})"
        if self.slow_call_seconds is not None and window.slow_call_rate >= self.slow_call_rate:
            return (
                f"{window.slow_calls} of {calls} calls took longer than "
                f"{self.slow_call_seconds:g} s (limit {self.slow_call_rate:.0%})"
            )
        return ""

    def longer(self, open_seconds: float) -> float:
        """The open time after one of `open_seconds` whose probe failed."""
        return min(open_seconds * self.open_factor, self.max_open_seconds)

    def _refuse_window_below_minimum(self) -> None:
        if self.window_seconds is None and self.minimum_calls > self.window_calls:
            raise ConfigurationError(
                f"minimum_calls ({self.minimum_calls}) is more than window_calls "
                f"({self.window_calls}), so the circuit would never open",
                where=_WHERE,
            )
