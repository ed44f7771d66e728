"""A bulkhead for tasks and threads; its order and numbers are in the state machine beside."""

import asyncio
import gc
import os
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from infrastructure.errors import Category, ConfigurationError, OverloadedError, classify
from infrastructure.resilience.bulkhead import Bulkhead
from infrastructure.resilience.clock import ManualClock
from infrastructure.resilience.turns import ThreadTurn


async def turns(count: int = 5) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def named_task() -> str:
    return "task"


async def holding(bulkhead: Bulkhead, gate: asyncio.Event, calls: int) -> list[asyncio.Task[Any]]:
    """So many calls that wait for the gate, inside or for a place."""
    tasks = [asyncio.create_task(bulkhead.run(gate.wait)) for _ in range(calls)]
    await turns()
    return tasks


async def test_what_is_beyond_places_and_queue_is_refused_with_the_numbers() -> None:
    bulkhead, gate = Bulkhead(2, max_waiting=4, name="llm.default.bulkhead"), asyncio.Event()
    tasks = await holding(bulkhead, gate, 10)
    assert (bulkhead.running, bulkhead.waiting) == (2, 4)
    gate.set()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    refused = [result for result in results if isinstance(result, OverloadedError)]
    assert len(refused) == 4
    assert classify(refused[0]) is Category.OVERLOAD
    assert str(refused[0]).startswith("llm.default.bulkhead: full: 2 of 2 calls run, 4 of 4 wait.")
    assert (bulkhead.running, bulkhead.waiting) == (0, 0)


async def test_who_waits_too_long_is_refused() -> None:
    clock, gate = ManualClock(jumps=False), asyncio.Event()
    bulkhead = Bulkhead(1, max_waiting=1, wait_seconds=3.0, clock=clock)
    first, second = await holding(bulkhead, gate, 2)
    await clock.pass_time(3.0)
    with pytest.raises(OverloadedError, match=r"no place within 3 s: 1 of 1 calls run, 0 of 1"):
        await second
    gate.set()
    await first


async def test_coroutine_collected_inside_gives_its_place_back() -> None:
    bulkhead = Bulkhead(1)
    call = bulkhead.run(asyncio.Event().wait)
    call.send(None)  # by hand, to its first wait
    assert bulkhead.running == 1
    del call
    gc.collect()
    assert bulkhead.running == 0


def test_place_of_a_waiter_whose_loop_is_gone_goes_to_the_next() -> None:
    bulkhead = Bulkhead(1, max_waiting=2)
    gone = asyncio.new_event_loop()
    waiter = None

    async def leave_somebody_waiting() -> None:
        nonlocal waiter
        waiter = asyncio.get_running_loop().create_task(bulkhead.run(asyncio.Event().wait))
        await turns()

    with bulkhead:
        gone.run_until_complete(leave_somebody_waiting())
        gone.close()
        assert bulkhead.waiting == 1
    assert (bulkhead.running, bulkhead.waiting) == (0, 0)
    assert waiter is not None
    waiter._log_destroy_pending = False  # type: ignore[attr-defined]  # left behind on purpose


@pytest.fixture
def hasty_threads() -> Iterator[None]:
    """Threads take turns as often as they can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def test_threads_share_the_places_and_wait_for_them(hasty_threads: None) -> None:
    bulkhead = Bulkhead(3, max_waiting=16, wait_seconds=30)
    inside: list[None] = []
    most: list[int] = []

    def work() -> None:
        inside.append(None)
        most.append(len(inside))
        os.sched_yield()
        inside.pop()

    def caller() -> None:
        for _ in range(200):
            bulkhead.run_sync(work)

    with ThreadPoolExecutor(16) as pool:
        for done in [pool.submit(caller) for _ in range(16)]:
            done.result()
    assert (len(most), max(most)) == (3_200, 3)
    assert (bulkhead.running, bulkhead.waiting) == (0, 0)


# What threads do to each other in between two steps, made to happen


def test_place_freed_before_a_thread_has_joined_the_queue_is_not_missed() -> None:
    bulkhead = Bulkhead(1, max_waiting=1, wait_seconds=0.01)
    bulkhead._wait_sync()  # it saw none free; by now there is one
    assert (bulkhead.running, bulkhead.waiting) == (1, 0)


def test_thread_that_joined_the_queue_while_a_place_was_freed_gets_it() -> None:
    bulkhead, turn = Bulkhead(1, max_waiting=1), ThreadTurn()

    class Racing(list[None]):
        def append(self, item: None) -> None:
            bulkhead._queue[turn] = None
            super().append(item)

    bulkhead._free = Racing([None])
    with bulkhead:
        pass
    assert turn.has_place
    assert (bulkhead.running, bulkhead.waiting) == (1, 0)


def test_place_that_nobody_wants_any_more_is_free() -> None:
    bulkhead, turn = Bulkhead(1, max_waiting=1), ThreadTurn()
    turn.call = lambda: False  # type: ignore[method-assign]  # as one of a loop that is closed
    bulkhead._queue[turn] = None
    bulkhead._hand_out()
    assert (bulkhead.running, bulkhead.waiting) == (0, 0)


def test_thread_that_waits_too_long_is_refused() -> None:
    bulkhead = Bulkhead(1, max_waiting=1, wait_seconds=0.01)
    with bulkhead, pytest.raises(OverloadedError, match=r"no place within 0\.01 s"):
        bulkhead.run_sync(lambda: pytest.fail("there was no place"))
    assert (bulkhead.running, bulkhead.waiting) == (0, 0)


async def test_thread_gets_the_place_that_a_task_leaves_and_the_reverse() -> None:
    bulkhead, gate = Bulkhead(1, max_waiting=2, wait_seconds=30), asyncio.Event()
    (task,) = await holding(bulkhead, gate, 1)
    thread = asyncio.create_task(asyncio.to_thread(bulkhead.run_sync, lambda: "thread"))
    while not bulkhead.waiting:  # noqa: ASYNC110 - a thread takes its time, and has no event
        await asyncio.sleep(0)
    behind = asyncio.create_task(bulkhead.run(named_task))
    await turns()
    gate.set()
    assert [await task, await thread, await behind] == [True, "thread", "task"]


async def test_bodies_take_places_too() -> None:
    bulkhead = Bulkhead(1)
    async with bulkhead:
        with pytest.raises(OverloadedError), bulkhead:
            pytest.fail("there was no place")
    with bulkhead:
        assert bulkhead.running == 1
    assert bulkhead.running == 0


async def test_measurements_say_how_full_it_is_and_who_was_turned_away() -> None:
    bulkhead, gate = Bulkhead(2, max_waiting=1, name="db"), asyncio.Event()
    tasks = await holding(bulkhead, gate, 5)
    said = {
        (m.name.rpartition(".")[2], m.labels.get("reason")): m.value
        for m in bulkhead.measurements()
    }
    assert said == {
        ("running", None): 2,
        ("waiting", None): 1,
        ("limit", None): 2,
        ("admitted", None): 2,
        ("refused", "full"): 2,
        ("refused", "timeout"): 0,
    }
    gate.set()
    await asyncio.gather(*tasks, return_exceptions=True)


@pytest.mark.parametrize(
    ("numbers", "named"),
    [
        ((0,), "max_concurrent"),
        ((10**7,), "max_concurrent"),
        ((1, -1), "max_waiting"),
        ((1, 1.5), "max_waiting"),
        ((1, 1, 0.0), "wait_seconds"),
    ],
)
def test_number_out_of_range_is_named_when_it_is_made(numbers: tuple[Any, ...], named: str) -> None:
    with pytest.raises(ConfigurationError, match=named):
        Bulkhead(*numbers)
