"""A breaker does what a plain description of it does, however calls come, end and are cancelled."""

import asyncio
from collections import deque
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from infrastructure.errors import NotFoundError, OverloadedError, UnavailableError
from infrastructure.resilience.breaker import (
    BreakerOptions,
    CircuitBreaker,
    CircuitBreakerOpenError,
    CircuitState,
)
from infrastructure.resilience.clock import ManualClock
from tests.infrastructure.resilience.driven_loop import DrivenLoop

WINDOW, MINIMUM, PERMITS, THRESHOLD = 6, 3, 2, 2
PROBE_SECONDS, OPEN_SECONDS, MAX_OPEN_SECONDS = 8.0, 10.0, 25.0
NEVER = 1e9

# what a call ends with -> whether it failed; None says nothing
ENDS: dict[Any, bool | None] = {
    None: False,
    NotFoundError("an answer"): False,
    UnavailableError("down"): True,
    ValueError("unknown"): True,
    OverloadedError("later"): None,
}


class Model:
    """The breaker, described step by step."""

    def __init__(self, window_calls: int | None) -> None:
        self.window_calls = window_calls
        self.now = 0.0
        self.open_seconds = OPEN_SECONDS
        self.enter(CircuitState.CLOSED)

    def enter(self, state: CircuitState) -> None:
        self.state = state
        self.phase = object()
        self.window: deque[bool] = deque(maxlen=self.window_calls)
        self.until = self.now + self.open_seconds
        self.successes = 0
        self.permits: dict[int, float] = {}
        if state is CircuitState.CLOSED:
            self.open_seconds = OPEN_SECONDS

    def admits(self, call: int) -> bool:
        if self.state is CircuitState.OPEN and self.now >= self.until:
            self.enter(CircuitState.HALF_OPEN)
        if self.state is CircuitState.HALF_OPEN:
            self.permits = {c: end for c, end in self.permits.items() if end > self.now}
            if len(self.permits) >= PERMITS:
                return False
            self.permits[call] = self.now + PROBE_SECONDS
            return True
        return self.state in {CircuitState.CLOSED, CircuitState.DISABLED}

    def end(self, call: int, phase: object, *, failed: bool | None) -> None:
        if phase is not self.phase:
            return
        self.permits.pop(call, None)
        if failed is None:
            return
        if self.state is CircuitState.CLOSED:
            self.window.append(failed)
            if len(self.window) >= MINIMUM and sum(self.window) * 2 >= len(self.window):
                self.enter(CircuitState.OPEN)
        elif self.state is CircuitState.HALF_OPEN and failed:
            self.open_seconds = min(self.open_seconds * 2, MAX_OPEN_SECONDS)
            self.enter(CircuitState.OPEN)
        elif self.state is CircuitState.HALF_OPEN:
            self.successes += 1
            if self.successes >= THRESHOLD:
                self.enter(CircuitState.CLOSED)


class Breaker(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.loop = DrivenLoop()
        self.clock = ManualClock()
        self.model = Model(WINDOW)
        self.breaker = CircuitBreaker()
        self.calls = 0
        self.running: list[tuple[int, object, asyncio.Task[Any], asyncio.Future[Any]]] = []

    @initialize(
        window_seconds=st.sampled_from([None, NEVER]), slow_seconds=st.sampled_from([None, NEVER])
    )
    def make(self, window_seconds: float | None, slow_seconds: float | None) -> None:
        """In each of the ways that successes are recorded."""
        options = BreakerOptions(
            window_calls=WINDOW,
            minimum_calls=MINIMUM,
            half_open_permits=PERMITS,
            success_threshold=THRESHOLD,
            probe_seconds=PROBE_SECONDS,
            open_seconds=OPEN_SECONDS,
            max_open_seconds=MAX_OPEN_SECONDS,
            jitter=0.0,
            slow_call_seconds=slow_seconds,
            window_seconds=window_seconds,
        )
        self.model = Model(None if window_seconds else WINDOW)
        self.breaker = CircuitBreaker(options, clock=self.clock)

    @rule(count=st.integers(1, 5))
    def start(self, count: int) -> None:
        for _ in range(count):
            self.calls += 1
            answer = self.loop.future()
            is_admitted = self.model.admits(self.calls)
            task = self.loop.start(self.breaker.run(self.service, answer))
            assert task.done() is not is_admitted
            if is_admitted:
                self.running.append((self.calls, self.model.phase, task, answer))
            else:
                assert isinstance(task.exception(), CircuitBreakerOpenError)

    async def service(self, answer: "asyncio.Future[Any]") -> Any:
        return await answer

    @precondition(lambda self: self.running)
    @rule(which=st.integers(0, 1_000), end=st.sampled_from(list(ENDS)))
    def finish(self, which: int, end: Exception | None) -> None:
        call, phase, task, answer = self.running.pop(which % len(self.running))
        if end is None:
            answer.set_result("answer")
        else:
            answer.set_exception(end)
        self.loop.settle()
        assert task.exception() is end
        self.model.end(call, phase, failed=ENDS[end])

    @precondition(lambda self: self.running)
    @rule(which=st.integers(0, 1_000))
    def cancel(self, which: int) -> None:
        call, phase, task, _ = self.running.pop(which % len(self.running))
        task.cancel()
        self.loop.settle()
        assert task.cancelled()
        self.model.end(call, phase, failed=None)

    @rule(seconds=st.sampled_from([1.0, 4.0, 8.0, 10.0, 25.0]))
    def advance(self, seconds: float) -> None:
        self.clock.advance(seconds)
        self.model.now += seconds

    @rule(order=st.sampled_from(["force_open", "disable", "reset"]))
    def order(self, order: str) -> None:
        getattr(self.breaker, order)()
        states = {"force_open": CircuitState.FORCED_OPEN, "disable": CircuitState.DISABLED}
        state = states.get(order, CircuitState.CLOSED)
        if state is CircuitState.CLOSED or state is not self.model.state:
            self.model.enter(state)

    @invariant()
    def state_is_as_described(self) -> None:
        assert self.breaker.state is self.model.state

    def teardown(self) -> None:
        self.loop.close()


TestBreaker = Breaker.TestCase
TestBreaker.settings = settings(max_examples=80, stateful_step_count=40)
