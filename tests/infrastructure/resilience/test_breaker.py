"""A circuit breaker: every way in, its operators, and who is told."""

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import pytest
from loguru import logger

from infrastructure.errors import (
    UnavailableError,
)
from infrastructure.resilience.breaker import (
    BreakerOptions,
    CircuitBreaker,
    CircuitBreakerOpenError,
    CircuitState,
    Transition,
)
from infrastructure.resilience.clock import ManualClock
from tests.infrastructure.resilience.breaker_calls import (
    FIVE_IN_A_ROW,
    Service,
    breaker_of,
    measured,
    opened,
    turns,
)


async def test_decorator_sees_the_failure_of_an_awaited_call(clock: ManualClock) -> None:
    breaker = breaker_of(clock)

    @breaker
    async def fetch() -> str:
        await asyncio.sleep(0)
        raise UnavailableError("down")

    for _ in range(5):
        with pytest.raises(UnavailableError):
            await fetch()
    assert breaker.state is CircuitState.OPEN


async def test_generator_functions_are_refused_by_the_decorator(clock: ManualClock) -> None:
    async def stream() -> Any:
        yield 1

    with pytest.raises(TypeError, match="generator"):
        breaker_of(clock)(stream)


async def test_success_begun_before_an_order_is_counted_and_decides_nothing(
    clock: ManualClock, remote: Service
) -> None:
    breaker = breaker_of(clock)
    remote.error = None
    remote.gate.clear()
    call = asyncio.create_task(breaker.run(remote))
    await turns()
    breaker.force_open()
    remote.gate.set()
    await call
    assert measured(breaker, "calls", outcome="success") == 1
    assert measured(breaker, "late_results") == 1


async def test_forced_open_refuses_until_reset(clock: ManualClock, remote: Service) -> None:
    breaker = breaker_of(clock)
    breaker.force_open()
    clock.advance(1_000_000.0)
    with pytest.raises(CircuitBreakerOpenError, match=r"forced open\. reset\(\)") as caught:
        await breaker.run(remote)
    assert caught.value.retry_after_seconds is None
    breaker.reset()
    remote.error = None
    assert await breaker.run(remote) == "answer"


async def test_disabled_lets_everything_pass(clock: ManualClock, remote: Service) -> None:
    breaker = breaker_of(clock)
    await opened(breaker, remote)
    breaker.disable()
    for _ in range(20):
        with pytest.raises(UnavailableError):
            await breaker.run(remote)
    assert breaker.state is CircuitState.DISABLED


async def test_reset_forgets_failures_of_a_closed_circuit(
    clock: ManualClock, remote: Service
) -> None:
    breaker = breaker_of(clock)
    for _ in range(4):
        with pytest.raises(UnavailableError):
            await breaker.run(remote)
    breaker.reset()
    with pytest.raises(UnavailableError):
        await breaker.run(remote)
    assert breaker.state is CircuitState.CLOSED


async def test_listeners_are_told_of_each_transition(clock: ManualClock, remote: Service) -> None:
    told: list[Transition] = []
    breaker = CircuitBreaker(BreakerOptions(**FIVE_IN_A_ROW), clock=clock, listeners=[told.append])
    await opened(breaker, remote)
    clock.advance(10.0)
    remote.error = None
    await breaker.run(remote)
    assert [(t.old.value, t.new.value, t.number) for t in told] == [
        ("closed", "open", 1),
        ("open", "half_open", 2),
        ("half_open", "closed", 3),
    ]
    assert told[0].reason == "5 of 5 calls failed (limit 100%)"


async def test_raising_listener_harms_nobody(clock: ManualClock, remote: Service) -> None:
    told: list[Transition] = []

    def broken(_: Transition) -> None:
        raise ValueError("listener")

    breaker = CircuitBreaker(
        BreakerOptions(**FIVE_IN_A_ROW), clock=clock, listeners=[broken, told.append]
    )
    await opened(breaker, remote)
    assert len(told) == 1
    assert measured(breaker, "listener_errors") == 1


async def test_listener_may_ask_and_order_the_breaker(clock: ManualClock, remote: Service) -> None:
    seen: list[CircuitState] = []

    def listener(transition: Transition) -> None:
        seen.append(breaker.state)
        if transition.new is CircuitState.OPEN:
            breaker.disable()

    breaker = CircuitBreaker(BreakerOptions(**FIVE_IN_A_ROW), clock=clock, listeners=[listener])
    for _ in range(6):
        with pytest.raises(UnavailableError):
            await breaker.run(remote)
    assert seen == [CircuitState.OPEN, CircuitState.DISABLED]


async def ways_async(breaker: CircuitBreaker, call: Callable[[], Awaitable[Any]]) -> None:
    await breaker.run(call)
    await breaker.call(call)
    await breaker(call)()
    async with breaker:
        await call()


def ways_sync(breaker: CircuitBreaker, call: Callable[[], Any]) -> None:
    breaker.run_sync(call)
    breaker.call(call)
    breaker(call)()
    with breaker:
        call()


async def test_every_way_in_counts_once(clock: ManualClock, remote: Service) -> None:
    breaker = breaker_of(clock)
    remote.error = None
    await ways_async(breaker, remote)
    ways_sync(breaker, remote.answer)
    assert measured(breaker, "calls", outcome="success") == 8


def test_failing_bodies_open_it_and_are_refused_then(clock: ManualClock, remote: Service) -> None:
    breaker = breaker_of(clock)
    for _ in range(5):
        with pytest.raises(UnavailableError), breaker:
            remote.answer()
    with pytest.raises(CircuitBreakerOpenError), breaker:
        pytest.fail("the body of an open circuit ran")


async def test_bodies_of_concurrent_tasks_and_nested_ones_keep_apart(clock: ManualClock) -> None:
    breaker = breaker_of(clock, slow_call_seconds=1.0)
    gate = asyncio.Event()

    async def body() -> None:
        async with breaker, breaker:
            await gate.wait()

    tasks = [asyncio.create_task(body()) for _ in range(5)]
    await turns()
    gate.set()
    await asyncio.gather(*tasks)
    assert measured(breaker, "calls", outcome="success") == 10


def test_threads_lose_no_failure(clock: ManualClock) -> None:
    breaker = breaker_of(clock, window_calls=10_000, minimum_calls=10_000)
    down, up = Service(), Service()
    up.error = None

    def caller() -> None:
        for _ in range(500):
            with pytest.raises(UnavailableError):
                breaker.run_sync(down.answer)
            breaker.run_sync(up.answer)

    with ThreadPoolExecutor(8) as pool:
        for done in [pool.submit(caller) for _ in range(8)]:
            done.result()
    assert measured(breaker, "calls", outcome="failure") == 4_000


def test_repr_says_name_and_state(clock: ManualClock) -> None:
    assert repr(breaker_of(clock)) == "<CircuitBreaker llm.default.breaker: closed>"


@pytest.mark.parametrize(("is_quiet", "told"), [(False, ["open", "closed"]), (True, [])])
def test_an_outage_is_a_line_when_it_opens_and_one_when_it_closes(
    *, is_quiet: bool, told: list[str]
) -> None:
    clock = ManualClock()
    options = BreakerOptions(minimum_calls=1, open_seconds=1, jitter=0)
    breaker = CircuitBreaker(options, clock=clock, is_quiet=is_quiet)
    states: list[str] = []

    def take(message: Any) -> None:
        states.append(message.record["extra"]["fields"]["state"])

    sink = logger.add(take, level="INFO")
    try:
        for answers in (False, False, False, True):
            with suppress(UnavailableError):
                breaker.run_sync(_answer, answers)
            clock.advance(10)
    finally:
        logger.remove(sink)
    assert (states, breaker.state) == (told, CircuitState.CLOSED)


def _answer(answers: bool) -> None:
    if not answers:
        raise UnavailableError("down")
