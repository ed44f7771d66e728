"""Bounded calls, and how much time is left."""

import asyncio
from typing import Any

import pytest

from infrastructure.errors import Category, ConfigurationError, DeadlineExceededError, classify
from infrastructure.resilience.clock import ManualClock
from infrastructure.resilience.deadlines import Deadline, remaining
from infrastructure.resilience.timeout import Timeout


async def hang() -> None:
    """Never end by itself."""
    await asyncio.get_running_loop().create_future()


async def ended_after(clock: ManualClock, seconds: float, task: "asyncio.Task[Any]") -> bool:
    await clock.pass_time(seconds)
    return task.done()


async def test_call_in_time_gives_its_result_and_leaves_nothing_behind() -> None:
    clock = ManualClock(jumps=False)
    timeout = Timeout(5, clock=clock)

    async def add(one: int, *, other: int) -> int:
        return one + other

    assert await timeout.run(add, 1, other=2) == 3
    await clock.pass_time(50)
    assert (timeout.calls, timeout.expired) == (1, 0)


async def test_call_that_takes_too_long_is_cut_at_its_time() -> None:
    clock = ManualClock(jumps=False)
    timeout = Timeout(5, name="llm.default.timeout", clock=clock)
    task = asyncio.create_task(timeout.run(hang))
    assert not await ended_after(clock, 4.9, task)
    assert await ended_after(clock, 0.1, task)
    with pytest.raises(DeadlineExceededError, match=r"llm\.default\.timeout: no answer within 5 s"):
        await task
    assert timeout.expired == 1


async def test_own_timeout_is_a_transient_failure() -> None:
    clock = ManualClock()
    with pytest.raises(DeadlineExceededError) as caught:
        await Timeout(1, clock=clock).run(clock.sleep, 2)
    assert classify(caught.value) is Category.TRANSIENT


async def test_cancellation_from_outside_stays_a_cancellation() -> None:
    clock = ManualClock(jumps=False)
    timeout = Timeout(5, clock=clock)
    task = asyncio.create_task(timeout.run(hang))
    await clock.pass_time(1)
    task.cancel()
    assert await ended_after(clock, 0, task)
    assert task.cancelled()
    assert timeout.expired == 0


async def test_cancellation_from_outside_wins_over_a_timeout_of_the_same_moment() -> None:
    clock = ManualClock(jumps=False)
    task = asyncio.create_task(Timeout(5, clock=clock).run(hang))
    await clock.pass_time(1)
    clock.advance(5)
    task.cancel()
    assert await ended_after(clock, 0, task)
    assert task.cancelled()


async def test_inner_timeout_is_not_taken_for_the_outer() -> None:
    clock = ManualClock()
    inner = Timeout(1, name="inner", clock=clock)
    outer = Timeout(5, name="outer", clock=clock)
    with pytest.raises(DeadlineExceededError, match="inner: no answer within 1 s"):
        await outer.run(inner.run, clock.sleep, 2)
    assert (inner.expired, outer.expired) == (1, 0)


async def test_outer_timeout_is_not_taken_for_the_inner() -> None:
    clock = ManualClock()
    inner = Timeout(5, name="inner", clock=clock)
    outer = Timeout(1, name="outer", clock=clock)
    with pytest.raises(DeadlineExceededError, match="outer: no answer within 1 s"):
        await outer.run(inner.run, clock.sleep, 2)
    assert (inner.expired, outer.expired) == (0, 1)


async def test_two_timeouts_of_the_same_moment_give_one_error_and_no_cancelled_task() -> None:
    clock = ManualClock(jumps=False)
    inner, outer = Timeout(5, clock=clock), Timeout(5, clock=clock)
    task = asyncio.create_task(outer.run(inner.run, hang))
    assert await ended_after(clock, 5, task)
    assert isinstance(task.exception(), DeadlineExceededError)
    assert task.cancelling() == 0


async def test_task_goes_on_normally_after_a_timeout() -> None:
    clock = ManualClock()
    with pytest.raises(DeadlineExceededError):
        await Timeout(1, clock=clock).run(clock.sleep, 2)
    await asyncio.sleep(0)
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0


async def test_errors_of_the_call_pass_through() -> None:
    async def fail() -> None:
        raise TimeoutError("of the call itself")

    timeout = Timeout(5, clock=ManualClock())
    with pytest.raises(TimeoutError, match="of the call itself"):
        await timeout.run(fail)
    assert timeout.expired == 0


async def test_many_calls_of_one_timeout_share_a_timer_and_end_each_at_its_time() -> None:
    clock = ManualClock(jumps=False)
    timeout = Timeout(5, clock=clock)
    first = asyncio.create_task(timeout.run(hang))
    await clock.pass_time(2)
    second = asyncio.create_task(timeout.run(hang))
    assert await ended_after(clock, 3, first)
    assert not await ended_after(clock, 1.9, second)
    assert await ended_after(clock, 0.1, second)
    await asyncio.gather(first, second, return_exceptions=True)
    assert timeout.expired == 2


async def test_call_that_ended_is_not_waited_for_by_the_shared_timer() -> None:
    clock = ManualClock(jumps=False)
    timeout = Timeout(5, clock=clock)
    quick = asyncio.create_task(timeout.run(clock.sleep, 1))
    await clock.pass_time(2)
    slow = asyncio.create_task(timeout.run(hang))
    assert not await ended_after(clock, 4.9, slow)
    assert await ended_after(clock, 0.1, slow)
    assert quick.exception() is None
    assert isinstance(slow.exception(), DeadlineExceededError)


def test_one_timeout_serves_one_loop_after_another() -> None:
    timeout = Timeout(0.02)

    async def answer() -> int:
        return 1

    assert asyncio.run(timeout.run(answer)) == 1
    with pytest.raises(DeadlineExceededError):
        asyncio.run(timeout.run(hang))


async def test_remaining_time_shrinks_and_is_that_of_the_nearest_end() -> None:
    clock = ManualClock()
    with Deadline(10, clock=clock):
        clock.advance(4)
        assert remaining() == 6
        with Deadline(2, clock=clock):
            assert remaining() == 2
        with Deadline(20, clock=clock):
            assert remaining() == 6
    assert remaining() is None


async def test_deadline_that_only_tells_the_time_cuts_nothing_and_takes_no_ones_timer() -> None:
    clock = ManualClock()
    with Deadline(1, clock=clock, interrupts=False):
        await clock.sleep(2)
        with pytest.raises(DeadlineExceededError), Deadline(5, clock=clock):
            await clock.sleep(6)


async def test_task_started_under_a_deadline_has_its_own_time() -> None:
    async def ask() -> float | None:
        return remaining()

    with Deadline(10, clock=ManualClock()):
        assert await asyncio.create_task(ask()) is None


async def test_thread_of_a_bounded_task_can_ask_for_the_time_left() -> None:
    with Deadline(10, clock=ManualClock()):
        assert await asyncio.to_thread(remaining) == 10


def test_function_can_ask_for_the_time_left() -> None:
    clock = ManualClock()
    assert Timeout(5, clock=clock).run_sync(remaining) == 5
    assert remaining() is None


def test_what_a_function_gives_late_is_still_given_and_counted() -> None:
    clock = ManualClock()
    timeout = Timeout(5, clock=clock)
    timeout.run_sync(clock.sleep_sync, 6)
    assert (timeout.late, timeout.expired) == (1, 0)
    assert [each.value for each in timeout.measurements()] == [1, 0, 1]


def test_function_is_not_called_when_no_time_is_left() -> None:
    clock, called = ManualClock(), list[int]()
    inner = Timeout(5, name="inner", clock=clock)

    def outer_body() -> None:
        clock.advance(2)
        inner.run_sync(called.append, 1)

    with pytest.raises(DeadlineExceededError, match="before the call"):
        Timeout(1, clock=clock).run_sync(outer_body)
    assert called == []


async def test_deadline_as_a_context_cuts_its_body() -> None:
    clock = ManualClock()
    late = pytest.raises(DeadlineExceededError, match="cache: no answer within 1 s")
    with late, Deadline(1, "cache", clock):
        await clock.sleep(2)


@pytest.mark.parametrize("seconds", [0, -1, float("nan"), float("inf"), None, "5", True])
def test_timeout_that_makes_no_sense_cannot_be_made(seconds: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"seconds must be seconds above 0; found"):
        Timeout(seconds)


async def test_timeout_as_a_decorator_bounds_each_call() -> None:
    clock = ManualClock()

    @Timeout(1, clock=clock)
    async def wait(seconds: float) -> str:
        await clock.sleep(seconds)
        return "done"

    assert await wait(0.5) == "done"
    with pytest.raises(DeadlineExceededError):
        await wait(2)
