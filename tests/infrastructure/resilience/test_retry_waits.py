"""How long a retry waits, for how long it goes on, and what cuts an attempt."""

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infrastructure.errors import (
    ConfigurationError,
    DeadlineExceededError,
    OverloadedError,
    UnavailableError,
)
from infrastructure.resilience.attempts import End
from infrastructure.resilience.backoff import ExponentialBackoffStrategy
from infrastructure.resilience.clock import ManualClock
from infrastructure.resilience.timeout import Timeout
from tests.infrastructure.resilience.retry_ways import (
    Service,
    Way,
    by_decorator,
    by_loop,
    by_run,
    down,
    new,
)


async def test_wait_is_as_long_as_the_other_side_asks(use: Way) -> None:
    clock = ManualClock()
    service = Service(OverloadedError("full", retry_after_seconds=7.5), "answer")
    await use(new(clock=clock), service)
    assert clock.sleeps == [7.5]


@pytest.mark.parametrize("asked", [0.1, 0.0, -5.0, float("nan")])
async def test_asked_wait_is_never_shorter_than_the_own(asked: float) -> None:
    clock = ManualClock()
    await new(clock=clock).run(Service(OverloadedError("full", retry_after_seconds=asked), "yes"))
    assert clock.sleeps == [1.0]


@pytest.mark.parametrize("asked", [30.5, 86_400.0, float("inf")])
async def test_longer_wait_than_is_granted_is_not_begun(use: Way, asked: float) -> None:
    clock, retry = ManualClock(), new(max_retry_after=30, name="shop")
    retry.clock = clock
    asks = [OverloadedError("full", retry_after_seconds=seconds) for seconds in (30, asked)]
    service = Service(*asks, "never")
    with pytest.raises(OverloadedError) as caught:
        await use(retry, service)
    assert caught.value is asks[1]
    assert (service.calls, clock.sleeps, retry.given_up) == (2, [30], {End.ASKED: 1})
    (note,) = caught.value.__notes__
    assert note.endswith("waits of 30 s: the other side asks for a longer wait than is granted")


async def test_asked_wait_may_be_read_by_a_function() -> None:
    clock = ManualClock()
    retry = new(clock=clock, retry_on=[OSError], retry_after=lambda error: float(error.args[0]))
    await retry.run(Service(OSError(4), "answer"))
    assert clock.sleeps == [4.0]


async def test_no_wait_begins_that_would_end_after_the_timeout(use: Way) -> None:
    clock, service = ManualClock(), Service(down())
    backoff = ExponentialBackoffStrategy(1.0, 60.0, jitter=0)
    with pytest.raises(UnavailableError) as caught:
        await use(new(9, backoff_strategy=backoff, timeout=5, clock=clock), service)
    assert (clock.now(), service.calls) == (3.0, 3)
    assert "3 attempts and waits of 1, 2 s: the next wait would last" in caught.value.__notes__[0]


async def test_wait_is_not_begun_when_a_timeout_around_would_cut_it() -> None:
    clock, service = ManualClock(), Service(down())
    with pytest.raises(UnavailableError):
        await Timeout(1.5, clock=clock).run(new(clock=clock).run, service)
    assert (clock.now(), service.calls) == (1.0, 2)


@pytest.mark.parametrize("way", [by_run, by_decorator, by_loop])
async def test_timeout_cuts_an_attempt_that_hangs(way: Way) -> None:
    clock = ManualClock()

    class Hanging(Service):
        async def __call__(self) -> object:
            await clock.sleep(100)
            return self.sync()

    with pytest.raises(DeadlineExceededError, match="no answer within 5 s"):
        await way(new(timeout=5, clock=clock), Hanging("never"))


@pytest.mark.parametrize("way", [by_run, by_decorator, by_loop])
async def test_attempt_that_takes_too_long_is_cut_and_followed_by_another(way: Way) -> None:
    clock, cut = ManualClock(), list[float]()

    class SlowAtFirst(Service):
        async def __call__(self) -> object:
            if not cut:
                cut.append(clock.now())
                await clock.sleep(3)
            return self.sync()

    retry = new(attempt_timeout=2, timeout=50, clock=clock)
    assert await way(retry, SlowAtFirst("answer")) == "answer"


async def test_cancelling_during_a_wait_ends_it_at_once() -> None:
    clock, service = ManualClock(jumps=False), Service(down())
    task = asyncio.create_task(new(clock=clock).run(service))
    await clock.pass_time(0.5)
    task.cancel()
    await clock.pass_time(0)
    assert task.cancelled()
    assert service.calls == 1


async def test_backoff_may_be_any_function_of_the_attempts_number() -> None:
    clock = ManualClock()
    retry = new(4, backoff_strategy=lambda attempt: attempt * 10.0, clock=clock)
    await retry.run(Service(down(), down(), down(), "answer"))
    assert clock.sleeps == [20.0, 30.0, 40.0]


@pytest.mark.parametrize("wait", [-1.0, float("nan"), float("inf"), None, "soon"])
async def test_backoff_that_gives_no_seconds_is_told_with_the_error_behind_it(wait: Any) -> None:
    retry = new(backoff_strategy=lambda _: wait)
    with pytest.raises(ConfigurationError, match=r"backoff strategy .* gave") as caught:
        await retry.run(Service(down()))
    assert isinstance(caught.value.__cause__, UnavailableError)


@given(
    st.integers(1, 8),
    st.floats(0, 10),
    st.floats(0, 50),
    st.floats(0.1, 100),
    st.floats(0, 1, exclude_max=True),
)
async def test_calls_and_waits_stay_within_their_bounds(
    attempts: int, initial: float, more: float, seconds: float, chance: float
) -> None:
    clock, service = ManualClock(), Service(down())
    backoff = ExponentialBackoffStrategy(initial, initial + more, chance=lambda: chance)
    retry = new(attempts, backoff_strategy=backoff, timeout=seconds, clock=clock)
    with pytest.raises(UnavailableError):
        await retry.run(service)
    assert 1 <= service.calls <= attempts
    assert len(clock.sleeps) == service.calls - 1
    assert sum(clock.sleeps) <= min(seconds, sum(map(backoff.longest, range(2, attempts + 1))))
