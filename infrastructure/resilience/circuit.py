"""What moves a circuit from one state to the next.

    closed ----- failure rate or slow-call rate too high -----> open
    open ------- first call after the open time --------------> half_open
    half_open -- enough probes succeeded ---------------------> closed
    half_open -- a probe failed or was slow ------------------> open, for longer

An operator's orders hold until the next one.
"""

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator

from infrastructure.observability.logging import get_logger
from infrastructure.observability.metrics import COMPONENT, OUTCOME, Measurement, counter, gauge
from infrastructure.resilience.breaker_options import BreakerOptions
from infrastructure.resilience.circuit_states import (
    CircuitBreakerOpenError,
    CircuitState,
    Listener,
    Phase,
    Ticket,
    Transition,
)
from infrastructure.resilience.clock import Clock
from infrastructure.resilience.outcomes import Verdict

_METRIC = "switchgear.resilience.breaker"
_log = get_logger(__name__)
# Python 3.11 takes long to look a member up, and these are on the path of every call.
_SUCCESS, _FAILURE, _NONE = Verdict.SUCCESS, Verdict.FAILURE, Verdict.NONE


class Circuit:
    """Says which calls may begin, and learns from how they ended.

    Every call that may begin is ended once, whatever comes of it.

    Attributes:
        phase: The current stay. While it is free, a call may take its ticket instead of
            `begin`, and add a success to `pending` instead of `end`.
    """

    def __init__(
        self,
        options: BreakerOptions,
        *,
        name: str,
        listeners: Iterable[Listener],
        clock: Clock,
        random_source: Callable[[], float],
        is_quiet: bool,
    ) -> None:
        self._options = options
        self._is_quiet = is_quiet
        self._name = name
        self._listeners = tuple(listeners)
        self._now = clock.now
        self._random = random_source
        self._needs_time = (options.slow_call_seconds, options.window_seconds) != (None, None)
        self._slow_seconds = options.slow_call_seconds or float("inf")
        self._window = options.window()
        self._open_seconds = options.open_seconds
        # Reentrant: a coroutine that is collected while the lock is held ends its call in here.
        self._lock = threading.RLock()
        self._untold: deque[Transition] = deque()
        self._successes = self._failures = self._unjudged = 0
        self._rejected = self._slow_calls = self._late = self._listener_errors = 0
        self._entered = dict.fromkeys(CircuitState, 0)
        self.phase = Phase(CircuitState.CLOSED)
        self._quieten(self.phase)

    @property
    def state(self) -> CircuitState:
        """The state now; `open` stays so until the first call after the open time."""
        return self.phase.state

    def begin(self) -> Ticket:
        """Let a call begin.

        Raises:
            CircuitBreakerOpenError: It may not.
        """
        phase = self.phase
        if phase.passes:
            return phase, self._now() if self._needs_time else 0.0, 0
        with self._lock:
            ticket = self._admit(self._now())
        self._tell()
        if isinstance(ticket, CircuitBreakerOpenError):
            raise ticket
        return ticket

    def end(self, ticket: Ticket, verdict: Verdict) -> None:
        """Learn how a call went."""
        phase, started, probe = ticket
        now, is_slow = 0.0, False
        if self._needs_time:
            now = self._now()
            is_slow = now - started > self._slow_seconds
        if phase.is_quiet and verdict is _SUCCESS and not is_slow:
            phase.pending += 1
            return
        # A `with` block costs twice as much.
        self._lock.acquire()
        try:
            self._count(verdict)
            if phase is not self.phase:
                self._late += 1
            elif probe:
                self._end_probe(phase, probe, verdict, is_slow)
            elif verdict is not _NONE and phase.watches:
                self._watch(phase, verdict is _FAILURE, is_slow, now)
        finally:
            self._lock.release()
        if self._untold:
            self._tell()

    def order(self, state: CircuitState) -> None:
        """Enter a state because an operator says so."""
        with self._lock:
            if state is not self.phase.state or state is CircuitState.CLOSED:
                self._enter(state, "ordered")
        self._tell()

    def measurements(self) -> Iterator[Measurement]:
        """What was counted, and the state: 1 for the current one, 0 for the others."""
        labels = {COMPONENT: self._name}
        with self._lock:
            self._record_pending(self.phase)
            self._window.advance(self._now())
            rates = self._window.failure_rate, self._window.slow_call_rate
        outcomes = {
            "success": self._successes,
            "failure": self._failures,
            "unjudged": self._unjudged,
            "rejected": self._rejected,
        }
        for outcome, count in outcomes.items():
            yield counter(f"{_METRIC}.calls", count, {**labels, OUTCOME: outcome}, unit="{call}")
        yield counter(f"{_METRIC}.slow_calls", self._slow_calls, labels, unit="{call}")
        yield counter(f"{_METRIC}.late_results", self._late, labels, unit="{call}")
        yield counter(f"{_METRIC}.listener_errors", self._listener_errors, labels, unit="{error}")
        for state, count in self._entered.items():
            here = {**labels, "state": state.value}
            yield counter(f"{_METRIC}.transitions", count, here, unit="{transition}")
            yield gauge(f"{_METRIC}.state", float(self.phase.state is state), here)
        yield gauge(f"{_METRIC}.failure_rate", rates[0], labels)
        yield gauge(f"{_METRIC}.slow_call_rate", rates[1], labels)

    def _admit(self, now: float) -> "Ticket | CircuitBreakerOpenError":
        if self.phase.state is CircuitState.OPEN and now >= self.phase.until:
            self._enter(CircuitState.HALF_OPEN, "the open time is over")
        phase = self.phase
        if phase.passes:  # another thread closed it meanwhile
            return phase, now, 0
        if phase.state is CircuitState.HALF_OPEN:
            probe = phase.take_permit(now, self._options)
            if probe:
                return phase, now, probe
        self._rejected += 1
        return self._refusal(phase, now)

    def _count(self, verdict: Verdict) -> None:
        if verdict is _SUCCESS:
            self._successes += 1
        elif verdict is _FAILURE:
            self._failures += 1
        else:
            self._unjudged += 1

    def _watch(self, phase: Phase, is_failed: bool, is_slow: bool, now: float) -> None:
        window = self._window
        if phase.pending:
            self._record_pending(phase)
        window.record(is_failed, is_slow, now)
        self._slow_calls += is_slow
        if not (window.failures or window.slow_calls):
            self._quieten(phase)
            return
        phase.is_quiet = phase.is_free = False
        reason = self._options.tripped(window)
        if reason:
            self._enter(CircuitState.OPEN, reason)

    def _quieten(self, phase: Phase) -> None:
        phase.is_quiet = self._options.window_seconds is None
        phase.is_free = not self._needs_time

    def _record_pending(self, phase: Phase) -> None:
        count, phase.pending = phase.pending, 0
        self._successes += count
        self._window.record_successes(count, 0.0)

    def _end_probe(self, phase: Phase, probe: int, verdict: Verdict, is_slow: bool) -> None:
        phase.probes.pop(probe, None)
        if verdict is _NONE:
            return
        self._slow_calls += is_slow
        if verdict is _FAILURE or is_slow:
            self._open_seconds = self._options.longer(self._open_seconds)
            self._enter(CircuitState.OPEN, f"a probe {'was slow' if is_slow else 'failed'}")
            return
        phase.successes += 1
        if phase.successes >= self._options.success_threshold:
            self._enter(CircuitState.CLOSED, f"{phase.successes} probes in a row succeeded")

    def _enter(self, state: CircuitState, reason: str) -> None:
        old, until = self.phase, 0.0
        old.is_quiet = old.is_free = False
        self._record_pending(old)
        if state is CircuitState.OPEN:
            kept = 1 - self._options.jitter * self._random()
            until = self._now() + self._open_seconds * kept
        elif state is CircuitState.CLOSED:
            self._window.clear()
            self._open_seconds = self._options.open_seconds
        self.phase = Phase(state, reason, until)
        if self.phase.watches:
            self._quieten(self.phase)
        if state is old.state:
            return
        self._entered[state] += 1
        number = sum(self._entered.values())
        self._untold.append(Transition(self._name, old.state, state, reason, number))

    def _refusal(self, phase: Phase, now: float) -> CircuitBreakerOpenError:
        seconds: float | None = None
        what, hint = "the circuit was forced open", "reset() closes it."
        if phase.state is CircuitState.HALF_OPEN:
            seconds = min(phase.probes.values(), default=now) - now
            what = f"the circuit is half open, and {len(phase.probes)} probes are under way"
        elif phase.state is CircuitState.OPEN:
            seconds = phase.until - now
            what = f"the circuit is open: {phase.reason}"
        if seconds is not None:
            hint = f"A call may be let in after {seconds:.3g} s."
        error = CircuitBreakerOpenError(
            what, where=self._name, hint=hint, retry_after_seconds=seconds
        )
        error.state = phase.state
        return error

    def _tell(self) -> None:
        """Say what happened, outside of the lock: a listener may ask the breaker."""
        while self._untold:
            try:
                transition = self._untold.popleft()
            except IndexError:  # another thread has told it
                return
            self._log_one(transition)
            for listener in self._listeners:
                self._tell_one(listener, transition)

    def _log_one(self, transition: Transition) -> None:
        """A line when it opens and one when it closes; the probes between are for a hunt."""
        is_probe = transition.new is CircuitState.HALF_OPEN
        has_failed = (transition.old, transition.new) == (CircuitState.HALF_OPEN, CircuitState.OPEN)
        if self._is_quiet or is_probe or has_failed:
            write = _log.debug
        elif transition.new in {CircuitState.OPEN, CircuitState.FORCED_OPEN}:
            write = _log.warning
        else:
            write = _log.info
        write(
            "circuit changed its state",
            breaker=transition.breaker,
            state=transition.new.value,
            reason=transition.reason,
        )

    def _tell_one(self, listener: Listener, transition: Transition) -> None:
        try:
            listener(transition)
        except Exception:  # noqa: BLE001 - whatever a listener raises is not the caller's fault
            self._listener_errors += 1
            _log.exception("a circuit breaker's listener failed", breaker=self._name)
