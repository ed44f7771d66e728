"""Deadlines, and one flight for many callers."""

import asyncio
import gc
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infrastructure.errors import DeadlineExceededError
from infrastructure.resilience import SingleFlight, deadline

FOREVER = 3_600


async def until(condition: Callable[[], bool]) -> None:
    """Let others run until the condition holds; the test's own timeout bounds it."""
    while not condition():  # noqa: ASYNC110  # what is waited for has no event
        await asyncio.sleep(0)


class Call:
    """A call that counts itself and waits to be let go."""

    def __init__(self, result: Any = "done") -> None:
        self.result = result
        self.started = 0
        self.cancelled = 0
        self.gate = asyncio.Event()

    async def __call__(self) -> Any:
        self.started += 1
        try:
            await self.gate.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        if isinstance(self.result, Exception):
            raise self.result
        return self.result


async def joined(flights: SingleFlight[Any], call: Call, count: int) -> list[asyncio.Task[Any]]:
    """So many callers of one key, all waiting."""
    tasks = [asyncio.create_task(flights.do("key", call)) for _ in range(count)]
    await until(lambda: call.started > 0)
    return tasks


async def test_body_in_time_is_left_alone() -> None:
    async with deadline(FOREVER, "cache.default"):
        await asyncio.sleep(0)


async def test_body_that_takes_too_long_is_cancelled_and_told() -> None:
    with pytest.raises(DeadlineExceededError) as caught:
        async with deadline(0.01, "cache.default"):
            await asyncio.Event().wait()
    assert str(caught.value) == "cache.default: no answer within 0.01 s"
    assert isinstance(caught.value.__cause__, asyncio.CancelledError)


async def test_timeout_of_the_body_is_not_taken_for_the_deadline() -> None:
    with pytest.raises(TimeoutError, match="mine"):
        async with deadline(FOREVER, "cache.default"):
            raise TimeoutError("mine")


async def test_inner_deadline_tells_its_own_place() -> None:
    with pytest.raises(DeadlineExceededError, match="inner"):
        async with deadline(FOREVER, "outer"), deadline(0.01, "inner"):
            await asyncio.Event().wait()


async def test_cancellation_from_outside_stays_a_cancellation() -> None:
    async def wait() -> None:
        async with deadline(FOREVER, "cache.default"):
            await asyncio.Event().wait()

    task = asyncio.create_task(wait())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_callers_of_one_key_share_one_call() -> None:
    flights, call = SingleFlight[Any](), Call()
    tasks = await joined(flights, call, 50)
    call.gate.set()
    assert await asyncio.gather(*tasks) == ["done"] * 50
    assert call.started == 1
    assert len(flights) == 0


async def test_callers_of_other_keys_do_not_wait() -> None:
    flights, slow, quick = SingleFlight[Any](), Call(), Call("quick")
    (waiting,) = await joined(flights, slow, 1)
    quick.gate.set()
    assert await flights.do("other", quick) == "quick"
    waiting.cancel()


async def test_result_is_not_kept() -> None:
    flights, call = SingleFlight[Any](), Call()
    call.gate.set()
    await flights.do("key", call)
    await flights.do("key", call)
    assert call.started == 2


async def test_exception_goes_to_every_caller_and_is_not_kept() -> None:
    flights, call = SingleFlight[Any](), Call(ValueError("no"))
    tasks = await joined(flights, call, 3)
    call.gate.set()
    answers = await asyncio.gather(*tasks, return_exceptions=True)
    assert [str(answer) for answer in answers] == ["no"] * 3
    call.result = "yes"
    assert await flights.do("key", call) == "yes"


async def test_cancelled_leader_leaves_the_call_to_the_others() -> None:
    flights, call = SingleFlight[Any](), Call()
    leader, follower = await joined(flights, call, 2)
    leader.cancel()
    with pytest.raises(asyncio.CancelledError):
        await leader
    call.gate.set()
    assert await follower == "done"
    assert (call.started, call.cancelled) == (1, 0)


async def test_last_caller_to_leave_cancels_the_call() -> None:
    flights, call = SingleFlight[Any](), Call()
    tasks = await joined(flights, call, 3)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await until(lambda: call.cancelled == 1)
    assert len(flights) == 0


async def test_call_after_all_have_left_starts_anew_while_the_old_one_still_ends() -> None:
    """The old call takes a while to be cancelled; its end must not take the new one away."""
    flights, ending = SingleFlight[Any](), asyncio.Event()
    old_ended = False

    async def stubborn() -> None:
        nonlocal old_ended
        with suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        await ending.wait()
        old_ended = True

    first = asyncio.create_task(flights.do("key", stubborn))
    await until(lambda: len(flights) == 1)
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    call = Call()
    (second,) = await joined(flights, call, 1)
    ending.set()
    await until(lambda: old_ended)
    await asyncio.sleep(0)
    third = asyncio.create_task(flights.do("key", call))
    await asyncio.sleep(0)
    call.gate.set()
    assert list(await asyncio.gather(second, third)) == ["done", "done"]
    assert call.started == 1


async def test_failure_that_nobody_waits_for_is_not_reported_as_lost() -> None:
    flights, complaints = SingleFlight[Any](), []
    asyncio.get_running_loop().set_exception_handler(lambda _, told: complaints.append(told))

    async def failing() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            raise ValueError("while being cancelled")

    task = asyncio.create_task(flights.do("key", failing))
    await until(lambda: len(flights) == 1)
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    for _ in range(3):
        await asyncio.sleep(0)
    gc.collect()
    assert complaints == []


def test_flight_of_a_loop_that_is_gone_is_not_joined() -> None:
    flights = SingleFlight[str]()

    async def answer() -> str:
        return "new"

    async def leave_behind() -> None:
        task = asyncio.create_task(flights.do("key", asyncio.Event().wait))  # type: ignore[arg-type] # never answers
        await asyncio.sleep(0)
        task.cancel()

    asyncio.run(leave_behind())
    assert asyncio.run(flights.do("key", answer)) == "new"


async def fly(leavers: frozenset[int], count: int, result: Any) -> tuple[list[Any], Call, int]:
    flights, call = SingleFlight[Any](), Call(result)
    tasks = await joined(flights, call, count)
    for number in leavers:
        tasks[number].cancel()
    await asyncio.sleep(0)
    call.gate.set()
    answers = await asyncio.gather(*tasks, return_exceptions=True)
    await asyncio.sleep(0)
    return answers, call, len(flights)


@settings(max_examples=60)
@given(data=st.data(), count=st.integers(1, 12), fails=st.booleans())
def test_whoever_stays_gets_the_one_result(data: st.DataObject, count: int, fails: bool) -> None:
    leavers = data.draw(st.frozensets(st.integers(0, count - 1)))
    result = ValueError("no") if fails else "done"
    answers, call, left = asyncio.run(fly(leavers, count, result))
    stayed = [answer for number, answer in enumerate(answers) if number not in leavers]
    assert stayed == [result] * (count - len(leavers))
    assert all(isinstance(answers[number], asyncio.CancelledError) for number in leavers)
    assert (call.started, call.cancelled, left) == (1, int(len(leavers) == count), 0)
