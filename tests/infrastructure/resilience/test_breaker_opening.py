"""What opens a circuit, and what does not."""

import asyncio
from typing import Any

import pytest

from infrastructure.errors import (
    ConfigurationError,
    NotFoundError,
    OverloadedError,
    UnavailableError,
)
from infrastructure.resilience.breaker import (
    BreakerOptions,
    CircuitBreaker,
    CircuitBreakerOpenError,
    CircuitState,
)
from infrastructure.resilience.bulkhead import Bulkhead
from infrastructure.resilience.clock import ManualClock
from infrastructure.resilience.rate_limiter import RateLimiter
from tests.infrastructure.resilience.breaker_calls import (
    Service,
    breaker_of,
    measured,
    turns,
)


async def test_calls_cancelled_by_their_callers_leave_the_circuit_closed(
    clock: ManualClock, remote: Service
) -> None:
    breaker = breaker_of(clock)
    remote.gate.clear()
    tasks = [asyncio.create_task(breaker.run(remote)) for _ in range(8)]
    await turns()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert breaker.state is CircuitState.CLOSED
    assert measured(breaker, "calls", outcome="unjudged") == 8
    assert measured(breaker, "failure_rate") == 0


async def test_refusals_of_limits_within_are_not_counted(clock: ManualClock) -> None:
    breaker = breaker_of(clock)
    limiter = RateLimiter(1, per_seconds=100, burst=1, clock=clock)
    limiter.try_acquire()

    async def limited() -> None:
        await limiter.acquire()

    for _ in range(10):
        with pytest.raises(OverloadedError):
            await breaker.run(limited)
    assert breaker.state is CircuitState.CLOSED


async def test_refusals_are_counted_when_told(clock: ManualClock, remote: Service) -> None:
    breaker = breaker_of(clock, counts_overload=True)
    remote.error = OverloadedError("429")
    for _ in range(5):
        with pytest.raises(OverloadedError):
            await breaker.run(remote)
    assert breaker.state is CircuitState.OPEN


async def test_outer_breaker_stays_closed_when_an_inner_one_refuses(
    clock: ManualClock, remote: Service
) -> None:
    inner, outer = breaker_of(clock), breaker_of(clock)
    inner.force_open()
    for _ in range(10):
        with pytest.raises(CircuitBreakerOpenError):
            await outer.run(inner.run, remote)
    assert outer.state is CircuitState.CLOSED


async def test_it_opens_at_the_failure_rate(clock: ManualClock, remote: Service) -> None:
    breaker = breaker_of(clock, window_calls=10, minimum_calls=10, failure_rate=0.5)
    for is_up in [True] * 5 + [False] * 4:
        remote.error = None if is_up else UnavailableError("down")
        await asyncio.gather(breaker.run(remote), return_exceptions=True)
    assert breaker.state is CircuitState.CLOSED
    with pytest.raises(UnavailableError):
        await breaker.run(remote)
    assert str(breaker.state) == "open"


@pytest.mark.parametrize("percent", [1, 7, 14, 29, 57, 58, 100])
async def test_it_opens_at_exactly_its_rate_and_not_below(
    clock: ManualClock, remote: Service, percent: int
) -> None:
    """7 of 100 are 7 %, though 0.07 * 100 is more than 7."""
    breaker = breaker_of(clock, window_calls=100, minimum_calls=100, failure_rate=percent / 100)
    remote.error = None
    for _ in range(100 - percent):
        await breaker.run(remote)
    remote.error = UnavailableError("down")
    for _ in range(percent - 1):
        with pytest.raises(UnavailableError):
            await breaker.run(remote)
    assert breaker.state is CircuitState.CLOSED
    with pytest.raises(UnavailableError):
        await breaker.run(remote)
    assert str(breaker.state) == "open"


async def test_success_that_completes_the_minimum_opens_what_failed_before(
    clock: ManualClock, remote: Service
) -> None:
    breaker = breaker_of(clock, failure_rate=0.5)
    for _ in range(4):
        with pytest.raises(UnavailableError):
            await breaker.run(remote)
    remote.error = None
    await breaker.run(remote)
    assert breaker.state is CircuitState.OPEN


async def test_below_the_minimum_of_calls_nothing_opens(
    clock: ManualClock, remote: Service
) -> None:
    breaker = breaker_of(clock)
    for _ in range(4):
        with pytest.raises(UnavailableError):
            await breaker.run(remote)
    assert breaker.state is CircuitState.CLOSED


async def test_failures_long_ago_do_not_open_a_time_window(
    clock: ManualClock, remote: Service
) -> None:
    breaker = breaker_of(clock, window_seconds=60.0)
    for _ in range(8):
        with pytest.raises(UnavailableError):
            await breaker.run(remote)
        clock.advance(20.0)
    assert breaker.state is CircuitState.CLOSED


async def test_successes_growing_old_let_a_time_window_open(
    clock: ManualClock, remote: Service
) -> None:
    breaker = breaker_of(clock, window_seconds=60.0, failure_rate=0.5)
    remote.error = None
    for _ in range(20):
        await breaker.run(remote)
    clock.advance(50.0)
    remote.error = UnavailableError("down")
    for _ in range(4):
        with pytest.raises(UnavailableError):
            await breaker.run(remote)
    clock.advance(20.0)
    with pytest.raises(UnavailableError):
        await breaker.run(remote)
    assert breaker.state is CircuitState.OPEN


async def test_slow_calls_open_it_though_they_succeed(clock: ManualClock, remote: Service) -> None:
    breaker = breaker_of(clock, slow_call_seconds=1.0, slow_call_rate=0.4)
    seconds = iter([0.5, 1.0, 1.5, 0.5, 1.5])

    async def slow() -> None:
        clock.advance(next(seconds))

    for _ in range(5):
        await breaker.run(slow)
    with pytest.raises(CircuitBreakerOpenError, match=r"2 of 5 calls took longer than 1 s"):
        await breaker.run(slow)


async def test_answers_that_say_no_are_successes(clock: ManualClock, remote: Service) -> None:
    breaker = breaker_of(clock)
    remote.error = NotFoundError("no such row")
    for _ in range(10):
        with pytest.raises(NotFoundError):
            await breaker.run(remote)
    assert measured(breaker, "calls", outcome="success") == 10
    assert breaker.state is CircuitState.CLOSED


async def test_bulkhead_full_inside_is_told_apart_from_a_failing_service(
    clock: ManualClock, remote: Service
) -> None:
    breaker, bulkhead = breaker_of(clock), Bulkhead(1)
    async with bulkhead:
        for _ in range(10):
            with pytest.raises(OverloadedError):
                await breaker.run(bulkhead.run, remote)
    assert breaker.state is CircuitState.CLOSED


@pytest.mark.parametrize(
    "options",
    [
        {"failure_rate": 0.0},
        {"failure_rate": 1.1},
        {"slow_call_rate": float("nan")},
        {"slow_call_seconds": 0.0},
        {"window_calls": 0},
        {"window_seconds": -1.0},
        {"minimum_calls": 101},
        {"half_open_permits": 0},
        {"probe_seconds": 0.0},
        {"success_threshold": 0},
        {"open_seconds": 0.0},
        {"open_factor": 0.5},
        {"max_open_seconds": 1.0},
        {"jitter": 2.0},
        {"record_on": ("no such category",)},
    ],
    ids=str,
)
def test_option_out_of_range_is_named_when_it_is_given(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match=r"circuit breaker: ") as caught:
        CircuitBreaker(BreakerOptions(**options))
    assert "record_on" in options or next(iter(options)) in str(caught.value)
