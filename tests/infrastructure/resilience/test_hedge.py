"""A second call beside a slow one."""

import asyncio
from functools import partial
from typing import Any

import pytest

from infrastructure.errors import ConfigurationError, UnavailableError
from infrastructure.resilience.budget import RetryBudget
from infrastructure.resilience.clock import ManualClock
from infrastructure.resilience.deadlines import remaining
from infrastructure.resilience.hedge import Hedge
from infrastructure.resilience.idempotence import idempotent, is_idempotent
from infrastructure.resilience.race import Latencies
from infrastructure.resilience.timeout import Timeout


class Runs:
    """A call whose runs take the given seconds and end as given; it writes down how they went."""

    __idempotent__ = True

    def __init__(self, clock: ManualClock, *runs: tuple[float, object]) -> None:
        self.clock = clock
        self.runs = runs
        self.started = 0
        self.log: list[str] = []

    async def __call__(self) -> object:
        number = self.started
        self.started += 1
        seconds, outcome = self.runs[number]
        try:
            await self.clock.sleep(seconds)
        except asyncio.CancelledError:
            await asyncio.sleep(0)  # cleaning up takes a turn
            self.log.append(f"{number} cancelled")
            raise
        self.log.append(f"{number} done")
        if isinstance(outcome, Exception):
            raise outcome
        return outcome


async def hedged(hedge: Hedge, runs: Runs, seconds: float = 100) -> Any:
    task = asyncio.create_task(hedge.run(runs))
    await runs.clock.pass_time(seconds)
    return await task


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(jumps=False)


async def test_quick_call_is_made_once(clock: ManualClock) -> None:
    hedge, runs = Hedge(1.0, clock=clock), Runs(clock, (0.5, "first"))
    assert await hedged(hedge, runs) == "first"
    assert (hedge.calls, hedge.hedges, runs.started) == (1, 0, 1)


async def test_slow_call_is_made_again_and_the_quicker_answer_taken(clock: ManualClock) -> None:
    hedge, runs = Hedge(1.0, clock=clock), Runs(clock, (50, "first"), (2, "second"))
    assert await hedged(hedge, runs) == "second"
    assert (hedge.hedges, hedge.won) == (1, 1)


async def test_loser_is_cancelled_and_has_ended_when_the_answer_is_given(
    clock: ManualClock,
) -> None:
    hedge, runs = Hedge(1.0, clock=clock), Runs(clock, (1.5, "first"), (50, "second"))
    task = asyncio.create_task(hedge.run(runs))
    task.add_done_callback(lambda _: runs.log.append("answered"))
    await clock.pass_time(2)
    assert await task == "first"
    assert runs.log == ["0 done", "1 cancelled", "answered"]
    assert (hedge.hedges, hedge.won) == (1, 0)


async def test_hedges_are_no_more_than_allowed_and_each_waits_its_delay(
    clock: ManualClock,
) -> None:
    hedge, runs = Hedge(1.0, 2, clock=clock), Runs(clock, *[(50, "slow")] * 9)
    task = asyncio.create_task(hedge.run(runs))
    started = list[int]()
    for _ in range(5):
        await clock.pass_time(0.9)
        started.append(runs.started)
    assert started == [1, 2, 3, 3, 3]
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_failure_of_one_is_not_the_end_while_another_runs(clock: ManualClock) -> None:
    runs = Runs(clock, (2, UnavailableError("first")), (5, "second"))
    assert await hedged(Hedge(1.0, clock=clock), runs) == "second"


async def test_when_all_fail_the_first_error_is_raised_with_the_others_noted(
    clock: ManualClock,
) -> None:
    runs = Runs(clock, (9, UnavailableError("one")), (2, UnavailableError("two")))
    with pytest.raises(UnavailableError, match="two") as caught:
        await hedged(Hedge(1.0, name="llm.hedge", clock=clock), runs)
    assert caught.value.__notes__ == [
        "llm.hedge: another call failed, too: UnavailableError('one', '', '')"
    ]


async def test_call_that_fails_quickly_is_not_doubled(clock: ManualClock) -> None:
    runs = Runs(clock, (0.5, UnavailableError("down")), (0, "never"))
    with pytest.raises(UnavailableError):
        await hedged(Hedge(1.0, clock=clock), runs)
    assert runs.started == 1


async def test_cancelling_the_caller_cancels_every_run(clock: ManualClock) -> None:
    hedge, runs = Hedge(1.0, clock=clock), Runs(clock, (50, "first"), (50, "second"))
    task = asyncio.create_task(hedge.run(runs))
    await clock.pass_time(2)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert task.cancelled()
    assert sorted(runs.log) == ["0 cancelled", "1 cancelled"]


async def test_timeout_around_cuts_every_run(clock: ManualClock) -> None:
    hedge, runs = Hedge(1.0, clock=clock), Runs(clock, (50, "first"), (50, "second"))
    task = asyncio.create_task(Timeout(3, clock=clock).run(partial(hedge.run, runs)))
    await clock.pass_time(3)
    assert "no answer within 3 s" in str(task.exception())
    assert sorted(runs.log) == ["0 cancelled", "1 cancelled"]


async def test_run_that_cancels_itself_alone_is_no_answer(clock: ManualClock) -> None:
    runs = Runs(clock, (0.5, "unused"))

    @idempotent
    async def gives_up() -> None:
        raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await Hedge(1.0, clock=runs.clock).run(gives_up)


async def test_spent_budget_makes_no_further_call(clock: ManualClock) -> None:
    budget = RetryBudget(0, min_per_second=0, clock=clock)
    runs = Runs(clock, (9, "first"), (0, "second"))
    assert await hedged(Hedge(1.0, budget=budget, clock=clock), runs) == "first"
    assert (runs.started, budget.refused) == (1, 1)


async def test_calls_earn_the_budget_that_pays_for_hedges(clock: ManualClock) -> None:
    budget = RetryBudget(0.5, min_per_second=0, clock=clock)
    hedge = Hedge(1.0, budget=budget, clock=clock)
    for _ in range(4):
        await hedged(hedge, Runs(clock, (2, "first"), (2, "second")))
    assert (budget.calls, hedge.hedges) == (4, 2)


async def test_calls_not_marked_idempotent_are_refused(clock: ManualClock) -> None:
    async def pay() -> None:
        raise AssertionError

    hedge = Hedge(1.0, name="shop.hedge", clock=clock)
    with pytest.raises(ConfigurationError, match=r"shop\.hedge: .*pay is not marked idempotent"):
        await hedge.run(pay)
    with pytest.raises(ConfigurationError, match="not marked idempotent"):
        hedge(pay)


def test_mark_is_seen_through_partials_methods_and_strategies() -> None:
    class Shop:
        @idempotent
        async def read(self, key: str) -> str:
            return key

    method = Shop().read
    assert is_idempotent(partial(method, "x"))
    assert is_idempotent(partial(Timeout(1).run, partial(method, "x")))
    assert is_idempotent(Timeout(1)(method))
    assert not is_idempotent(partial(Timeout(1).run, asyncio.sleep))


def test_method_that_overrides_a_marked_one_keeps_its_promise() -> None:
    class Store:
        @idempotent
        async def get(self) -> None: ...

        async def put(self) -> None: ...

    class MemoryStore(Store):
        async def get(self) -> None: ...

        async def put(self) -> None: ...

    async def get(_store: Store) -> None: ...

    store = MemoryStore()
    assert is_idempotent(store.get)
    assert is_idempotent(MemoryStore.get, store)  # as the door of an operation hands it on
    assert not is_idempotent(store.put)
    assert not is_idempotent(get, store)  # of that name, and no method of it


async def test_hedge_in_a_row_of_strategies_asks_for_the_mark_of_the_call_itself(
    clock: ManualClock,
) -> None:
    runs = Runs(clock, (0, "first"))
    with pytest.raises(ConfigurationError, match="not marked idempotent"):
        await Hedge(1.0, clock=clock).run(Timeout(5, clock=clock).run, clock.sleep, 0)
    task = asyncio.create_task(Hedge(1.0, clock=clock).run(Timeout(5, clock=clock).run, runs))
    await clock.pass_time(1)
    assert await task == "first"


def test_functions_that_are_no_coroutines_are_refused() -> None:
    @idempotent
    def read() -> None: ...

    with pytest.raises(ConfigurationError, match="no coroutine function"):
        Hedge(1.0)(read)
    with pytest.raises(ConfigurationError, match="no coroutine function"):
        Hedge(1.0).run_sync(read)


async def test_delay_can_be_what_most_calls_take(clock: ManualClock) -> None:
    hedge = Hedge("p95", clock=clock)
    quick = Runs(clock, *[(1, "quick")] * 20)
    for _ in range(20):
        await hedged(hedge, quick, 1)
    slow = Runs(clock, (50, "slow"), (0, "again"))
    assert hedge.hedges == 0
    assert await hedged(hedge, slow, 1) == "again"
    assert hedge.hedges == 1


def test_latencies_are_answered_from_enough_of_the_last_ones() -> None:
    latencies = Latencies(0.5, size=30, enough=20)
    for number in range(19):
        latencies.add(number)
    assert latencies() is None
    for number in range(100, 130):
        latencies.add(number)
    assert latencies() == 115


@pytest.mark.parametrize("delay", [-1, float("nan"), "fast", "p", "p00", "95"])
def test_hedge_that_makes_no_sense_cannot_be_made(delay: Any) -> None:
    with pytest.raises(ConfigurationError, match="Hedge: delay"):
        Hedge(delay)


async def test_what_was_counted_is_told(clock: ManualClock) -> None:
    hedge = Hedge(1.0, clock=clock)
    await hedged(hedge, Runs(clock, (50, "first"), (2, "second")))
    told = {each.name: each.value for each in hedge.measurements()}
    assert told == {
        "switchgear.resilience.hedge.calls": 1,
        "switchgear.resilience.hedge.hedges": 1,
        "switchgear.resilience.hedge.won": 1,
    }


async def test_hedge_as_a_decorator(clock: ManualClock) -> None:
    @Hedge(1.0, clock=clock)
    @idempotent
    async def read(key: str) -> str:
        return key

    assert await read("x") == "x"


async def test_calls_raced_have_the_time_of_the_one_who_waits_for_them() -> None:
    clock = ManualClock(jumps=False)
    asked: list[float | None] = []

    @idempotent
    async def ask() -> None:
        asked.append(remaining())
        if len(asked) == 1:
            await asyncio.Event().wait()

    task = asyncio.create_task(Timeout(10, clock=clock).run(Hedge(4, clock=clock).run, ask))
    await clock.pass_time(4)
    await task
    assert asked == [10, 6]
