"""A circuit breaker; where other libraries were tried and failed, its name says what is held."""

import asyncio
import gc
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import pytest
from loguru import logger

from infrastructure.errors import (
    Category,
    ConfigurationError,
    NotFoundError,
    OverloadedError,
    UnavailableError,
    classify,
)
from infrastructure.resilience.breaker import (
    BreakerOptions,
    CircuitBreaker,
    CircuitBreakerOpenError,
    CircuitState,
    Transition,
)
from infrastructure.resilience.bulkhead import Bulkhead
from infrastructure.resilience.clock import ManualClock
from infrastructure.resilience.rate_limiter import RateLimiter

FIVE_IN_A_ROW: dict[str, Any] = {
    "window_calls": 5,
    "minimum_calls": 5,
    "failure_rate": 1.0,
    "open_seconds": 10.0,
    "jitter": 0.0,
}


class Service:
    """Something remote: it works, fails, or keeps its callers waiting."""

    def __init__(self) -> None:
        self.error: Exception | None = UnavailableError("down")
        self.reached = 0
        self.gate = asyncio.Event()
        self.gate.set()

    async def __call__(self) -> str:
        self.reached += 1
        await self.gate.wait()
        return self.answer()

    def answer(self) -> str:
        if self.error is not None:
            raise self.error
        return "answer"


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def service() -> Service:
    return Service()


def breaker_of(clock: ManualClock, **options: Any) -> CircuitBreaker:
    settings = BreakerOptions(**{**FIVE_IN_A_ROW, **options})
    return CircuitBreaker(settings, name="llm.default.breaker", clock=clock)


async def opened(breaker: CircuitBreaker, service: Service, calls: int = 5) -> None:
    """Fail until it opens."""
    for _ in range(calls):
        with pytest.raises(UnavailableError):
            await breaker.run(service)
    assert breaker.state is CircuitState.OPEN


async def at_once(breaker: CircuitBreaker, service: Service, callers: int) -> list[Any]:
    """So many callers in one turn of the loop, with the service answering after all have come."""
    service.gate.clear()
    tasks = [asyncio.create_task(breaker.run(service)) for _ in range(callers)]
    await turns()
    service.gate.set()
    return await asyncio.gather(*tasks, return_exceptions=True)


async def turns(count: int = 5) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


def measured(breaker: CircuitBreaker, name: str, **labels: str) -> float:
    return sum(
        m.value
        for m in breaker.measurements()
        if m.name == f"switchgear.resilience.breaker.{name}" and labels.items() <= m.labels.items()
    )


# What five other libraries did when tried


@pytest.mark.parametrize("is_up", [False, True], ids=["still down", "up again"])
@pytest.mark.parametrize("permits", [1, 3])
async def test_half_open_lets_exactly_its_permits_of_fifty_callers_in(
    clock: ManualClock, service: Service, permits: int, *, is_up: bool
) -> None:
    breaker = breaker_of(clock, half_open_permits=permits, success_threshold=permits)
    await opened(breaker, service)
    clock.advance(10.0)
    service.reached, service.error = 0, None if is_up else UnavailableError("down")
    results = await at_once(breaker, service, 50)
    assert service.reached == permits
    refused = [result for result in results if isinstance(result, CircuitBreakerOpenError)]
    assert len(refused) == 50 - permits
    assert breaker.state is (CircuitState.CLOSED if is_up else CircuitState.OPEN)


async def test_calls_cancelled_by_their_callers_leave_the_circuit_closed(
    clock: ManualClock, service: Service
) -> None:
    breaker = breaker_of(clock)
    service.gate.clear()
    tasks = [asyncio.create_task(breaker.run(service)) for _ in range(8)]
    await turns()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert breaker.state is CircuitState.CLOSED
    assert measured(breaker, "calls", outcome="unjudged") == 8
    assert measured(breaker, "failure_rate") == 0


async def test_cancelled_probe_gives_its_permit_to_the_next_call(
    clock: ManualClock, service: Service
) -> None:
    breaker = breaker_of(clock)
    await opened(breaker, service)
    clock.advance(10.0)
    service.error = None
    service.gate.clear()
    probe = asyncio.create_task(breaker.run(service))
    await turns()
    probe.cancel()
    await asyncio.gather(probe, return_exceptions=True)
    service.gate.set()
    assert await breaker.run(service) == "answer"
    assert breaker.state is CircuitState.CLOSED


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


async def test_probe_that_never_ends_gives_its_permit_back_at_its_deadline(
    clock: ManualClock, service: Service
) -> None:
    breaker = breaker_of(clock, probe_seconds=30.0)
    await opened(breaker, service)
    clock.advance(10.0)
    service.gate.clear()
    stuck = asyncio.create_task(breaker.run(service))
    await turns()
    clock.advance(29.0)
    with pytest.raises(CircuitBreakerOpenError) as caught:
        await breaker.run(service)
    assert caught.value.retry_after_seconds == pytest.approx(1.0)
    clock.advance(1.0)
    other = Service()
    other.error = None
    assert await breaker.run(other) == "answer"
    assert breaker.state is CircuitState.CLOSED
    stuck.cancel()
    await asyncio.gather(stuck, return_exceptions=True)


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


async def test_refusals_are_counted_when_told(clock: ManualClock, service: Service) -> None:
    breaker = breaker_of(clock, counts_overload=True)
    service.error = OverloadedError("429")
    for _ in range(5):
        with pytest.raises(OverloadedError):
            await breaker.run(service)
    assert breaker.state is CircuitState.OPEN


async def test_outer_breaker_stays_closed_when_an_inner_one_refuses(
    clock: ManualClock, service: Service
) -> None:
    inner, outer = breaker_of(clock), breaker_of(clock)
    inner.force_open()
    for _ in range(10):
        with pytest.raises(CircuitBreakerOpenError):
            await outer.run(inner.run, service)
    assert outer.state is CircuitState.CLOSED


# Opening


async def test_it_opens_at_the_failure_rate(clock: ManualClock, service: Service) -> None:
    breaker = breaker_of(clock, window_calls=10, minimum_calls=10, failure_rate=0.5)
    for is_up in [True] * 5 + [False] * 4:
        service.error = None if is_up else UnavailableError("down")
        await asyncio.gather(breaker.run(service), return_exceptions=True)
    assert breaker.state is CircuitState.CLOSED
    with pytest.raises(UnavailableError):
        await breaker.run(service)
    assert str(breaker.state) == "open"


async def test_success_that_completes_the_minimum_opens_what_failed_before(
    clock: ManualClock, service: Service
) -> None:
    breaker = breaker_of(clock, failure_rate=0.5)
    for _ in range(4):
        with pytest.raises(UnavailableError):
            await breaker.run(service)
    service.error = None
    await breaker.run(service)
    assert breaker.state is CircuitState.OPEN


async def test_below_the_minimum_of_calls_nothing_opens(
    clock: ManualClock, service: Service
) -> None:
    breaker = breaker_of(clock)
    for _ in range(4):
        with pytest.raises(UnavailableError):
            await breaker.run(service)
    assert breaker.state is CircuitState.CLOSED


async def test_failures_long_ago_do_not_open_a_time_window(
    clock: ManualClock, service: Service
) -> None:
    breaker = breaker_of(clock, window_seconds=60.0)
    for _ in range(8):
        with pytest.raises(UnavailableError):
            await breaker.run(service)
        clock.advance(20.0)
    assert breaker.state is CircuitState.CLOSED


async def test_successes_growing_old_let_a_time_window_open(
    clock: ManualClock, service: Service
) -> None:
    breaker = breaker_of(clock, window_seconds=60.0, failure_rate=0.5)
    service.error = None
    for _ in range(20):
        await breaker.run(service)
    clock.advance(50.0)
    service.error = UnavailableError("down")
    for _ in range(4):
        with pytest.raises(UnavailableError):
            await breaker.run(service)
    clock.advance(20.0)
    with pytest.raises(UnavailableError):
        await breaker.run(service)
    assert breaker.state is CircuitState.OPEN


async def test_slow_calls_open_it_though_they_succeed(clock: ManualClock, service: Service) -> None:
    breaker = breaker_of(clock, slow_call_seconds=1.0, slow_call_rate=0.4)
    seconds = iter([0.5, 1.0, 1.5, 0.5, 1.5])

    async def slow() -> None:
        clock.advance(next(seconds))

    for _ in range(5):
        await breaker.run(slow)
    with pytest.raises(CircuitBreakerOpenError, match=r"2 of 5 calls took longer than 1 s"):
        await breaker.run(slow)


async def test_answers_that_say_no_are_successes(clock: ManualClock, service: Service) -> None:
    breaker = breaker_of(clock)
    service.error = NotFoundError("no such row")
    for _ in range(10):
        with pytest.raises(NotFoundError):
            await breaker.run(service)
    assert measured(breaker, "calls", outcome="success") == 10
    assert breaker.state is CircuitState.CLOSED


# Open, half-open, closed again


async def test_open_circuit_refuses_without_trying_and_says_when(
    clock: ManualClock, service: Service
) -> None:
    breaker = breaker_of(clock)
    await opened(breaker, service)
    clock.advance(4.0)
    with pytest.raises(CircuitBreakerOpenError) as caught:
        await breaker.run(service)
    assert service.reached == 5
    assert caught.value.retry_after_seconds == pytest.approx(6.0)
    assert caught.value.state is CircuitState.OPEN
    assert classify(caught.value) is Category.OVERLOAD
    assert str(caught.value) == (
        "llm.default.breaker: the circuit is open: 5 of 5 calls failed (limit 100%). "
        "A call may be let in after 6 s."
    )


async def test_open_time_grows_with_each_failed_probe_to_its_cap_and_starts_over(
    clock: ManualClock, service: Service
) -> None:
    breaker = breaker_of(clock, open_factor=3.0, max_open_seconds=50.0)
    await opened(breaker, service)
    waits: list[float] = []
    for _ in range(4):
        with pytest.raises(CircuitBreakerOpenError) as caught:
            await breaker.run(service)
        waits.append(caught.value.retry_after_seconds or 0.0)
        clock.advance(waits[-1])
        with pytest.raises(UnavailableError):
            await breaker.run(service)
    assert waits == pytest.approx([10.0, 30.0, 50.0, 50.0])
    clock.advance(50.0)
    service.error = None
    await breaker.run(service)
    service.error = UnavailableError("down")
    await opened(breaker, service)
    with pytest.raises(CircuitBreakerOpenError) as caught:
        await breaker.run(service)
    assert caught.value.retry_after_seconds == pytest.approx(10.0)


@pytest.mark.parametrize(("drawn", "seconds"), [(0.0, 10.0), (0.5, 9.0), (1.0, 8.0)])
async def test_jitter_shortens_the_open_time_and_never_lengthens_it(
    clock: ManualClock, service: Service, drawn: float, seconds: float
) -> None:
    options = BreakerOptions(**{**FIVE_IN_A_ROW, "jitter": 0.2})
    breaker = CircuitBreaker(options, clock=clock, random_source=lambda: drawn)
    await opened(breaker, service)
    with pytest.raises(CircuitBreakerOpenError) as caught:
        await breaker.run(service)
    assert caught.value.retry_after_seconds == pytest.approx(seconds)


async def test_it_closes_after_as_many_probes_as_asked_for(
    clock: ManualClock, service: Service
) -> None:
    breaker = breaker_of(clock, success_threshold=3)
    await opened(breaker, service)
    clock.advance(10.0)
    service.error = None
    seen = []
    for _ in range(3):
        await breaker.run(service)
        seen.append(breaker.state)
    assert seen == [CircuitState.HALF_OPEN, CircuitState.HALF_OPEN, CircuitState.CLOSED]


async def test_closed_again_it_has_forgotten_what_failed(
    clock: ManualClock, service: Service
) -> None:
    breaker = breaker_of(clock)
    await opened(breaker, service)
    clock.advance(10.0)
    service.error = None
    await breaker.run(service)
    service.error = UnavailableError("down")
    for _ in range(4):
        with pytest.raises(UnavailableError):
            await breaker.run(service)
    assert breaker.state is CircuitState.CLOSED


async def test_slow_probe_opens_it_again(clock: ManualClock, service: Service) -> None:
    breaker = breaker_of(clock, slow_call_seconds=1.0)
    await opened(breaker, service)
    clock.advance(10.0)

    async def slow() -> None:
        clock.advance(2.0)

    await breaker.run(slow)
    assert breaker.state is CircuitState.OPEN


async def test_probe_answered_no_closes_it(clock: ManualClock, service: Service) -> None:
    breaker = breaker_of(clock)
    await opened(breaker, service)
    clock.advance(10.0)
    service.error = NotFoundError("no such row")
    with pytest.raises(NotFoundError):
        await breaker.run(service)
    assert breaker.state is CircuitState.CLOSED


async def test_probe_that_says_nothing_leaves_it_half_open_for_the_next(
    clock: ManualClock, service: Service
) -> None:
    breaker = breaker_of(clock)
    await opened(breaker, service)
    clock.advance(10.0)
    service.error = OverloadedError("429")
    with pytest.raises(OverloadedError, match="429"):
        await breaker.run(service)
    assert breaker.state is CircuitState.HALF_OPEN
    service.error = None
    await breaker.run(service)
    assert str(breaker.state) == "closed"


async def test_success_begun_before_it_opened_does_not_close_it(
    clock: ManualClock, service: Service
) -> None:
    breaker = breaker_of(clock)
    early = Service()
    early.error = None
    early.gate.clear()
    late_success = asyncio.create_task(breaker.run(early))
    await turns()
    await opened(breaker, service)
    clock.advance(10.0)
    service.gate.clear()
    probe = asyncio.create_task(breaker.run(service))
    await turns()
    early.gate.set()
    assert await late_success == "answer"
    assert breaker.state is CircuitState.HALF_OPEN
    assert measured(breaker, "late_results") == 1
    service.gate.set()
    await asyncio.gather(probe, return_exceptions=True)


async def test_failures_begun_before_it_closed_do_not_open_it(
    clock: ManualClock, service: Service
) -> None:
    breaker = breaker_of(clock)
    early = Service()
    early.gate.clear()
    late_failures = [asyncio.create_task(breaker.run(early)) for _ in range(10)]
    await turns()
    await opened(breaker, service)
    clock.advance(10.0)
    service.error = None
    await breaker.run(service)
    early.gate.set()
    await asyncio.gather(*late_failures, return_exceptions=True)
    assert breaker.state is CircuitState.CLOSED
    assert measured(breaker, "failure_rate") == 0


async def test_collected_probe_gives_its_permit_back(clock: ManualClock, service: Service) -> None:
    breaker = breaker_of(clock)
    await opened(breaker, service)
    clock.advance(10.0)
    service.gate.clear()
    service.error = None
    probe = breaker.run(service)
    probe.send(None)  # by hand, to its first wait
    del probe
    gc.collect()
    service.gate.set()
    assert await breaker.run(service) == "answer"


async def test_success_begun_before_an_order_is_counted_and_decides_nothing(
    clock: ManualClock, service: Service
) -> None:
    breaker = breaker_of(clock)
    service.error = None
    service.gate.clear()
    call = asyncio.create_task(breaker.run(service))
    await turns()
    breaker.force_open()
    service.gate.set()
    await call
    assert measured(breaker, "calls", outcome="success") == 1
    assert measured(breaker, "late_results") == 1


# Operators and listeners


async def test_forced_open_refuses_until_reset(clock: ManualClock, service: Service) -> None:
    breaker = breaker_of(clock)
    breaker.force_open()
    clock.advance(1_000_000.0)
    with pytest.raises(CircuitBreakerOpenError, match=r"forced open\. reset\(\)") as caught:
        await breaker.run(service)
    assert caught.value.retry_after_seconds is None
    breaker.reset()
    service.error = None
    assert await breaker.run(service) == "answer"


async def test_disabled_lets_everything_pass(clock: ManualClock, service: Service) -> None:
    breaker = breaker_of(clock)
    await opened(breaker, service)
    breaker.disable()
    for _ in range(20):
        with pytest.raises(UnavailableError):
            await breaker.run(service)
    assert breaker.state is CircuitState.DISABLED


async def test_reset_forgets_failures_of_a_closed_circuit(
    clock: ManualClock, service: Service
) -> None:
    breaker = breaker_of(clock)
    for _ in range(4):
        with pytest.raises(UnavailableError):
            await breaker.run(service)
    breaker.reset()
    with pytest.raises(UnavailableError):
        await breaker.run(service)
    assert breaker.state is CircuitState.CLOSED


async def test_listeners_are_told_of_each_transition(clock: ManualClock, service: Service) -> None:
    told: list[Transition] = []
    breaker = CircuitBreaker(BreakerOptions(**FIVE_IN_A_ROW), clock=clock, listeners=[told.append])
    await opened(breaker, service)
    clock.advance(10.0)
    service.error = None
    await breaker.run(service)
    assert [(t.old.value, t.new.value, t.number) for t in told] == [
        ("closed", "open", 1),
        ("open", "half_open", 2),
        ("half_open", "closed", 3),
    ]
    assert told[0].reason == "5 of 5 calls failed (limit 100%)"


async def test_raising_listener_harms_nobody(clock: ManualClock, service: Service) -> None:
    told: list[Transition] = []

    def broken(_: Transition) -> None:
        raise ValueError("listener")

    breaker = CircuitBreaker(
        BreakerOptions(**FIVE_IN_A_ROW), clock=clock, listeners=[broken, told.append]
    )
    await opened(breaker, service)
    assert len(told) == 1
    assert measured(breaker, "listener_errors") == 1


async def test_listener_may_ask_and_order_the_breaker(clock: ManualClock, service: Service) -> None:
    seen: list[CircuitState] = []

    def listener(transition: Transition) -> None:
        seen.append(breaker.state)
        if transition.new is CircuitState.OPEN:
            breaker.disable()

    breaker = CircuitBreaker(BreakerOptions(**FIVE_IN_A_ROW), clock=clock, listeners=[listener])
    for _ in range(6):
        with pytest.raises(UnavailableError):
            await breaker.run(service)
    assert seen == [CircuitState.OPEN, CircuitState.DISABLED]


async def test_raising_rule_keeps_no_permit(clock: ManualClock, service: Service) -> None:
    is_broken = False

    def rule(error: Exception) -> bool:
        if is_broken:
            raise ZeroDivisionError
        return isinstance(error, UnavailableError)

    breaker = breaker_of(clock, record_on=(rule,))
    await opened(breaker, service)
    clock.advance(10.0)
    is_broken = True
    with pytest.raises(ZeroDivisionError):
        await breaker.run(service)
    service.error = None
    assert await breaker.run(service) == "answer"


# Every way in


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


async def test_every_way_in_counts_once(clock: ManualClock, service: Service) -> None:
    breaker = breaker_of(clock)
    service.error = None
    await ways_async(breaker, service)
    ways_sync(breaker, service.answer)
    assert measured(breaker, "calls", outcome="success") == 8


def test_failing_bodies_open_it_and_are_refused_then(clock: ManualClock, service: Service) -> None:
    breaker = breaker_of(clock)
    for _ in range(5):
        with pytest.raises(UnavailableError), breaker:
            service.answer()
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


def test_half_open_lets_exactly_one_of_many_threads_in(clock: ManualClock) -> None:
    breaker = breaker_of(clock)
    down = Service()
    for _ in range(5):
        with pytest.raises(UnavailableError):
            breaker.run_sync(down.answer)
    clock.advance(10.0)
    together, reached, refused = threading.Barrier(16), [], threading.Semaphore(0)

    def probe() -> None:
        reached.append(1)
        for _ in range(15):
            refused.acquire(timeout=10)

    def caller() -> None:
        together.wait(10)
        try:
            breaker.run_sync(probe)
        except CircuitBreakerOpenError:
            refused.release()

    with ThreadPoolExecutor(16) as pool:
        for done in [pool.submit(caller) for _ in range(16)]:
            done.result(timeout=20)
    assert len(reached) == 1
    assert breaker.state is CircuitState.CLOSED


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


async def test_bulkhead_full_inside_is_told_apart_from_a_failing_service(
    clock: ManualClock, service: Service
) -> None:
    breaker, bulkhead = breaker_of(clock), Bulkhead(1)
    async with bulkhead:
        for _ in range(10):
            with pytest.raises(OverloadedError):
                await breaker.run(bulkhead.run, service)
    assert breaker.state is CircuitState.CLOSED


# Options


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
