"""A rate limiter gives each its tokens at its time, however callers come, wait and leave."""

import asyncio
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from infrastructure.errors import OverloadedError
from infrastructure.resilience.clock import ManualClock
from infrastructure.resilience.rate_limiter import RateLimiter
from tests.infrastructure.resilience.driven_loop import DrivenLoop

# powers of two, so that the model's times are exact
RATE, BURST, WAIT_SECONDS = 2.0, 4.0, 4.0


class Callers(RuleBasedStateMachine):
    """`tokens` and `waiting` are the model: what the bucket holds, and who waits for how much."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = DrivenLoop()
        self.clock = ManualClock(jumps=False)
        self.limiter = RateLimiter(RATE, burst=BURST, wait_seconds=WAIT_SECONDS, clock=self.clock)
        self.tokens = BURST
        self.waiting: list[tuple[asyncio.Task[Any], float]] = []
        self.given: list[asyncio.Task[Any]] = []
        self.total = 0.0

    @rule(amount=st.sampled_from([1.0, 2.0, 3.0, 4.0]), count=st.integers(1, 3))
    def acquire(self, amount: float, count: int) -> None:
        for _ in range(count):
            task = self.loop.start(self.limiter.acquire(amount))
            queued = sum(tokens for _, tokens in self.waiting)
            seconds = (queued + amount - self.tokens) / RATE
            if seconds <= WAIT_SECONDS:
                self.waiting.append((task, amount))
                self.serve()
            else:
                error = task.exception()
                assert isinstance(error, OverloadedError)
                assert error.retry_after_seconds == seconds

    @rule(seconds=st.sampled_from([0.25, 0.5, 1.0, 3.0, 8.0]))
    def advance(self, seconds: float) -> None:
        self.loop.run(self.clock.pass_time(seconds))
        self.tokens += seconds * RATE
        self.serve()
        self.tokens = min(self.tokens, BURST)

    @precondition(lambda self: self.waiting)
    @rule(which=st.integers(0, 1_000))
    def cancel(self, which: int) -> None:
        task, _ = self.waiting.pop(which % len(self.waiting))
        task.cancel()
        self.loop.settle()
        assert task.cancelled()
        self.serve()

    def serve(self) -> None:
        while self.waiting and self.waiting[0][1] <= self.tokens:
            task, amount = self.waiting.pop(0)
            self.tokens -= amount
            self.total += amount
            self.given.append(task)

    @invariant()
    def each_has_its_tokens_or_waits(self) -> None:
        assert all(task.done() and not task.exception() for task in self.given)
        assert not any(task.done() for task, _ in self.waiting)
        assert self.limiter.waiting == len(self.waiting)

    @invariant()
    def never_more_than_burst_and_rate(self) -> None:
        assert self.total <= BURST + RATE * self.clock.now()

    def teardown(self) -> None:
        self.loop.close()
        assert self.limiter.waiting == 0
        assert self.limiter.try_acquire(self.tokens) or self.tokens < 1e-6


TestRateLimiter = Callers.TestCase
TestRateLimiter.settings = settings(max_examples=80, stateful_step_count=40)
