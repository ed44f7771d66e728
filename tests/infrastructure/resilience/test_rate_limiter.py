"""A token bucket for tasks and threads; its times are in the state machine beside."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from infrastructure.errors import (
    Category,
    ConfigurationError,
    OverloadedError,
    RejectedError,
    classify,
)
from infrastructure.resilience.clock import ManualClock
from infrastructure.resilience.rate_limiter import RateLimiter


async def turns(count: int = 5) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(jumps=False)


async def test_callers_beyond_the_burst_come_at_the_rate(clock: ManualClock) -> None:
    limiter = RateLimiter(10, wait_seconds=10, clock=clock)
    came: list[float] = []

    async def call() -> None:
        came.append(clock.now())

    tasks = [asyncio.create_task(limiter.run(call)) for _ in range(25)]
    await clock.pass_time(1.5)
    await asyncio.gather(*tasks)
    assert came == pytest.approx([0.0] * 10 + [n / 10 for n in range(1, 16)])


async def test_cancelled_waiters_leave_no_debt(clock: ManualClock) -> None:
    limiter = RateLimiter(10, wait_seconds=60, clock=clock)
    tasks = [asyncio.create_task(limiter.acquire()) for _ in range(110)]
    await turns()
    for task in tasks[10:]:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert limiter.waiting == 0
    await clock.pass_time(1.0)
    assert [limiter.try_acquire() for _ in range(11)] == [True] * 10 + [False]


async def test_refusal_says_when_to_come_again(clock: ManualClock) -> None:
    limiter = RateLimiter(2, per_seconds=60, name="llm.default.rate_limiter", clock=clock)
    await limiter.acquire(2)
    with pytest.raises(OverloadedError) as caught:
        await limiter.acquire()
    assert classify(caught.value) is Category.OVERLOAD
    assert str(caught.value).startswith("llm.default.rate_limiter: more than 2 per 60 s")
    assert caught.value.retry_after_seconds == pytest.approx(30.0)
    clock.advance(30.0)
    await limiter.acquire()


async def test_wait_longer_than_allowed_is_refused_at_once(clock: ManualClock) -> None:
    limiter = RateLimiter(1, wait_seconds=2, clock=clock)
    await limiter.acquire()
    waiting = [asyncio.create_task(limiter.acquire()) for _ in range(2)]
    await turns()
    with pytest.raises(OverloadedError) as caught:
        await limiter.acquire()
    assert caught.value.retry_after_seconds == pytest.approx(3.0)
    await clock.pass_time(2.0)
    await asyncio.gather(*waiting)


async def test_more_than_the_bucket_holds_is_never_given(clock: ManualClock) -> None:
    limiter = RateLimiter(10, burst=5, wait_seconds=100, clock=clock)
    with pytest.raises(RejectedError, match="6 tokens were asked for, and the bucket holds 5"):
        await limiter.acquire(6)


@pytest.mark.parametrize("tokens", [0.0, -1.0, float("nan")])
async def test_nobody_gives_tokens_back_by_asking_for_less_than_none(
    clock: ManualClock, tokens: float
) -> None:
    limiter = RateLimiter(1, clock=clock)
    with pytest.raises(RejectedError, match="above 0"):
        await limiter.acquire(tokens)
    assert [limiter.try_acquire(), limiter.try_acquire()] == [True, False]


async def test_pause_fills_the_bucket_to_its_burst_and_no_further(clock: ManualClock) -> None:
    limiter = RateLimiter(10, burst=3, clock=clock)
    clock.advance(1_000.0)
    assert [limiter.try_acquire() for _ in range(4)] == [True, True, True, False]


async def test_rate_below_one_lets_one_pass_at_a_time(clock: ManualClock) -> None:
    limiter = RateLimiter(0.5, clock=clock)
    assert [limiter.try_acquire(), limiter.try_acquire()] == [True, False]
    clock.advance(2.0)
    assert limiter.try_acquire()


async def test_newcomer_does_not_pass_who_waits_for_more(clock: ManualClock) -> None:
    limiter = RateLimiter(1, burst=5, wait_seconds=60, clock=clock)
    await limiter.acquire(4)
    big = asyncio.create_task(limiter.acquire(5))
    await turns()
    assert not limiter.try_acquire()
    await clock.pass_time(4.0)
    await big


def test_threads_wait_on_the_clock_too() -> None:
    clock = ManualClock()
    limiter = RateLimiter(2, burst=1, wait_seconds=10, clock=clock)
    for _ in range(3):
        assert limiter.run_sync(lambda: "called") == "called"
    assert clock.sleeps == pytest.approx([0.5, 0.5])


def test_threads_get_no_more_than_there_is() -> None:
    limiter = RateLimiter(100, per_seconds=1_000_000, clock=ManualClock())
    with ThreadPoolExecutor(8) as pool:
        taken = list(pool.map(lambda _: limiter.try_acquire(), range(400)))
    assert sum(taken) == 100


async def test_bodies_take_a_token_and_keep_it(clock: ManualClock) -> None:
    limiter = RateLimiter(2, clock=clock)
    async with limiter:
        pass
    with limiter:
        pass
    with pytest.raises(OverloadedError):
        async with limiter:
            pytest.fail("there was no token")


async def test_failing_call_has_used_its_token(clock: ManualClock) -> None:
    limiter = RateLimiter(1, clock=clock)

    @limiter
    async def fail() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    with pytest.raises(OverloadedError):
        await fail()


async def test_tiny_steps_of_a_late_clock_never_hang_it() -> None:
    clock = ManualClock()
    clock.advance(1e9)
    limiter = RateLimiter(3e6, burst=1, wait_seconds=1, clock=clock)
    for _ in range(100):
        await limiter.acquire()
    assert len(clock.sleeps) < 300


async def test_measurements_count_all_three_fates(clock: ManualClock) -> None:
    limiter = RateLimiter(1, wait_seconds=1, clock=clock)
    await limiter.acquire()
    waits = asyncio.create_task(limiter.acquire())
    await turns()
    with pytest.raises(OverloadedError):
        await limiter.acquire()
    await clock.pass_time(1.0)
    await waits
    said = {m.name.rpartition(".")[2]: m.value for m in limiter.measurements()}
    assert said == {"admitted": 2, "waited": 1, "refused": 1, "waiting": 0, "tokens": 0}


@pytest.mark.parametrize(
    "numbers",
    [
        {"rate": 0},
        {"rate": -1},
        {"rate": float("nan")},
        {"rate": 1, "per_seconds": 0},
        {"rate": 1, "burst": 0.5},
        {"rate": 1, "wait_seconds": -1},
        {"rate": 1, "wait_seconds": float("inf")},
    ],
    ids=str,
)
def test_number_out_of_range_is_named_when_it_is_made(numbers: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match=list(numbers)[-1]):
        RateLimiter(**numbers)
