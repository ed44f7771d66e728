"""A bulkhead keeps its numbers and its order, however calls come, end and are cancelled."""

import asyncio
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from infrastructure.errors import OverloadedError
from infrastructure.resilience.bulkhead import Bulkhead
from infrastructure.resilience.clock import ManualClock
from tests.infrastructure.resilience.driven_loop import DrivenLoop

PLACES, QUEUE, WAIT_SECONDS = 2, 3, 10.0


class Calls(RuleBasedStateMachine):
    """`running` and `waiting` are the model: who must be in, and who waits in which order."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = DrivenLoop()
        self.clock = ManualClock(jumps=False)
        self.bulkhead = Bulkhead(PLACES, QUEUE, WAIT_SECONDS, clock=self.clock)
        self.inside: set[int] = set()
        self.tasks: dict[int, asyncio.Task[Any]] = {}
        self.gates: dict[int, asyncio.Future[None]] = {}
        self.running: list[int] = []
        self.waiting: list[tuple[int, float]] = []
        self.refused = 0

    async def service(self, call: int) -> None:
        self.inside.add(call)
        try:
            await self.gates[call]
        finally:
            self.inside.discard(call)

    @rule(count=st.integers(1, 4))
    def start(self, count: int) -> None:
        for _ in range(count):
            call = len(self.tasks)
            self.gates[call] = self.loop.future()
            task = self.tasks[call] = self.loop.start(self.bulkhead.run(self.service, call))
            if len(self.running) < PLACES:
                self.running.append(call)
            elif len(self.waiting) < QUEUE:
                self.waiting.append((call, self.clock.now() + WAIT_SECONDS))
            else:
                assert isinstance(task.exception(), OverloadedError)

    @precondition(lambda self: self.running)
    @rule(which=st.integers(0, 1_000), error=st.sampled_from([None, ValueError("failed")]))
    def finish(self, which: int, error: Exception | None) -> None:
        call = self.running.pop(which % len(self.running))
        if error is None:
            self.gates[call].set_result(None)
        else:
            self.gates[call].set_exception(error)
        self.loop.settle()
        assert self.tasks[call].exception() is error
        self.promote()

    @precondition(lambda self: self.running or self.waiting)
    @rule(which=st.integers(0, 1_000))
    def cancel(self, which: int) -> None:
        everybody = [*self.running, *(call for call, _ in self.waiting)]
        call = everybody[which % len(everybody)]
        self.tasks[call].cancel()
        self.leave(call)

    @precondition(lambda self: self.running and self.waiting)
    @rule()
    def cancel_who_gets_a_place_in_the_same_turn(self) -> None:
        leaving, (first, _) = self.running[0], self.waiting[0]
        self.gates[leaving].set_result(None)
        self.loop.run(asyncio.sleep(0))
        self.tasks[first].cancel()
        self.leave(leaving)
        self.leave(first)

    @rule(seconds=st.sampled_from([1.0, 5.0, 10.0]))
    def advance(self, seconds: float) -> None:
        self.loop.run(self.clock.pass_time(seconds))
        late = [call for call, end in self.waiting if end <= self.clock.now()]
        self.waiting = [(call, end) for call, end in self.waiting if call not in late]
        for call in late:
            assert isinstance(self.tasks[call].exception(), OverloadedError)

    def leave(self, call: int) -> None:
        self.loop.settle()
        assert self.tasks[call].done()
        self.running = [other for other in self.running if other != call]
        self.waiting = [(other, end) for other, end in self.waiting if other != call]
        self.promote()

    def promote(self) -> None:
        while self.waiting and len(self.running) < PLACES:
            call, _ = self.waiting.pop(0)
            self.running.append(call)

    @invariant()
    def exactly_the_right_ones_are_in(self) -> None:
        assert self.inside == set(self.running)
        assert self.bulkhead.running == len(self.running)

    @invariant()
    def the_others_wait_and_nobody_else(self) -> None:
        assert self.bulkhead.waiting == len(self.waiting)
        assert not any(self.tasks[call].done() for call, _ in self.waiting)

    def teardown(self) -> None:
        self.loop.close()
        assert (self.bulkhead.running, self.bulkhead.waiting) == (0, 0)


TestBulkhead = Calls.TestCase
TestBulkhead.settings = settings(max_examples=80, stateful_step_count=40)
