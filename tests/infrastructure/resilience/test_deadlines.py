"""Bounded bodies: by shared timers, in whatever task, loop and thread they run."""

import asyncio
import gc
import threading
import weakref
from collections.abc import AsyncGenerator

import pytest

from infrastructure.errors import DeadlineExceededError
from infrastructure.resilience import deadline, remaining
from infrastructure.resilience.clock import ManualClock
from infrastructure.resilience.deadlines import Deadline, Scope, _innermost
from infrastructure.resilience.timeout import Timeout

FOREVER = 3_600


async def hang() -> None:
    """Never end by itself."""
    await asyncio.get_running_loop().create_future()


def depth() -> int:
    """How many scopes this context can see."""
    scope: Scope | None = _innermost.get()
    seen = 0
    while scope is not None:
        scope, seen = scope.outer, seen + 1
    return seen


async def test_deadline_of_every_backend_call_can_be_asked_for() -> None:
    async with deadline(FOREVER, "outer"), deadline(50, "cache.default"):
        left = remaining()
    assert left is not None
    assert 40 < left <= 50
    assert remaining() is None


@pytest.mark.parametrize("time", range(3))
async def test_deadline_ends_its_body_however_often_it_was_asked_for_before(time: int) -> None:
    with pytest.raises(DeadlineExceededError, match=r"cache: no answer within 0.015 s"):
        async with deadline(0.015, "cache"):
            await hang()


async def test_cleaning_up_after_a_deadline_is_bounded_by_its_own() -> None:
    clock = ManualClock(jumps=False)

    async def body() -> None:
        try:
            await hang()
        finally:
            with Deadline(5, "close", clock):
                await hang()

    task = asyncio.create_task(Timeout(1, clock=clock).run(body))
    await clock.pass_time(6)
    assert isinstance(task.exception(), DeadlineExceededError)


async def test_body_that_goes_on_after_the_outer_end_is_still_cut_at_its_own() -> None:
    clock = ManualClock(jumps=False)
    ends: list[float] = []

    async def stubborn() -> None:
        try:
            with Deadline(5, "inner", clock):
                try:
                    await hang()
                except asyncio.CancelledError:
                    ends.append(clock.now())
                await hang()
        except asyncio.CancelledError:
            ends.append(clock.now())
            raise

    task = asyncio.create_task(Timeout(1, clock=clock).run(stubborn))
    await clock.pass_time(6)
    assert task.done()
    assert ends == [1, 5]


async def streamed() -> AsyncGenerator[int, None]:
    async with deadline(FOREVER, "stream"):
        yield 1
        yield 2


async def test_stream_may_be_closed_by_another_task_than_read_it() -> None:
    stream = streamed()
    assert await asyncio.create_task(anext(stream)) == 1
    await asyncio.create_task(stream.aclose())
    assert remaining() is None


async def test_bodies_left_in_another_order_than_entered_leave_nothing_behind() -> None:
    for _ in range(20):
        stream = streamed()
        await anext(stream)
        async with deadline(50, "reader"):
            await stream.aclose()
            left = remaining()
            assert left is None or left <= 50
    assert remaining() is None
    assert depth() <= 2


@pytest.mark.parametrize("shared", [False, True])
def test_closed_loop_is_not_kept(shared: bool) -> None:
    timeout = Timeout(FOREVER)

    async def call() -> "weakref.ref[asyncio.AbstractEventLoop]":
        for _ in range(1 + shared):
            await timeout.run(asyncio.sleep, 0)
            async with deadline(FOREVER, f"closed loop {shared}"):
                await asyncio.sleep(0)
        return weakref.ref(asyncio.get_running_loop())

    loop = asyncio.run(call())
    gc.collect()
    assert loop() is None


def test_loops_in_several_threads_share_a_timeout_and_each_ends_its_own_calls() -> None:
    timeout, ends = Timeout(0.02), list[str]()
    together = threading.Barrier(4)

    async def call() -> None:
        for _ in range(50):
            await timeout.run(asyncio.sleep, 0)
        with pytest.raises(DeadlineExceededError):
            await timeout.run(hang)
        ends.append(threading.current_thread().name)

    def run() -> None:
        together.wait()
        asyncio.run(call())

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=10)
    assert len(ends) == 4


async def test_task_that_outlives_a_deadline_does_not_keep_the_one_that_had_it() -> None:
    async def start() -> "asyncio.Task[None]":
        async with deadline(FOREVER, "start"):
            return asyncio.create_task(hang())

    starter = asyncio.create_task(start())
    listener = await starter
    gone = weakref.ref(starter)
    del starter
    await asyncio.sleep(0)  # the loop is done with it
    gc.collect()
    assert gone() is None
    listener.cancel()


async def test_timers_do_not_grow_with_calls() -> None:
    loop = asyncio.get_running_loop()
    for _ in range(1_000):
        async with deadline(FOREVER, "a call of many"):
            pass
    scheduled = [one for one in loop._scheduled if not one.cancelled()]  # type: ignore[attr-defined]  # asyncio's own
    assert len(scheduled) < 10


def test_code_without_a_loop_is_told_its_time_and_not_interrupted() -> None:
    with deadline(50, "thread"):
        left = remaining()
    assert left is not None
    assert 40 < left <= 50
