"""The clock that tests move, and the machine's."""

import asyncio

from infrastructure.resilience.clock import SYSTEM_CLOCK, ManualClock


async def test_jumping_sleep_moves_the_clock_and_is_written_down() -> None:
    clock = ManualClock()
    await clock.sleep(2.5)
    clock.sleep_sync(1.5)
    assert (clock.now(), clock.sleeps) == (4.0, [2.5, 1.5])


async def test_waiting_sleep_ends_when_the_clock_has_come_past_it() -> None:
    clock = ManualClock(jumps=False)
    sleeper = asyncio.create_task(clock.sleep(2))
    await clock.pass_time(1.9)
    assert not sleeper.done()
    await clock.pass_time(0.1)
    assert sleeper.done()


async def test_cancelled_sleep_ends_at_once() -> None:
    clock = ManualClock(jumps=False)
    sleeper = asyncio.create_task(clock.sleep(2))
    await clock.pass_time(0)
    sleeper.cancel()
    await clock.pass_time(5)
    assert sleeper.cancelled()


def test_timers_ring_in_the_order_of_their_times_and_at_their_times() -> None:
    clock, rung = ManualClock(), list[tuple[str, float]]()
    clock.call_later(2, lambda: rung.append(("late", clock.now())))
    clock.call_later(1, lambda: rung.append(("early", clock.now())))
    clock.advance(3)
    assert rung == [("early", 1.0), ("late", 2.0)]


def test_cancelled_timer_does_not_ring() -> None:
    clock, rung = ManualClock(), list[int]()
    clock.call_later(1, lambda: rung.append(1)).cancel()
    clock.advance(3)
    assert rung == []


def test_timer_set_by_a_timer_rings_in_the_same_advance() -> None:
    clock, rung = ManualClock(), list[float]()
    clock.call_later(1, lambda: clock.call_later(1, lambda: rung.append(clock.now())))
    clock.advance(3)
    assert rung == [2.0]


async def test_passing_time_lets_tasks_sleep_again_on_the_way() -> None:
    clock = ManualClock(jumps=False)

    async def twice() -> float:
        await clock.sleep(1)
        await clock.sleep(1)
        return clock.now()

    task = asyncio.create_task(twice())
    await clock.pass_time(5)
    assert task.result() == 2.0


async def test_machines_clock_sets_timers_of_the_running_loop() -> None:
    rung = asyncio.Event()
    SYSTEM_CLOCK.call_later(0, rung.set)
    await rung.wait()
    await SYSTEM_CLOCK.sleep(0)
    assert SYSTEM_CLOCK.now() <= SYSTEM_CLOCK.now()
