"""An open circuit, its probes, and how it closes again."""

import asyncio
import gc
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from infrastructure.errors import (
    Category,
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
)
from infrastructure.resilience.clock import ManualClock
from tests.infrastructure.resilience.breaker_calls import (
    FIVE_IN_A_ROW,
    Service,
    at_once,
    breaker_of,
    measured,
    opened,
    turns,
)


@pytest.mark.parametrize("is_up", [False, True], ids=["still down", "up again"])
@pytest.mark.parametrize("permits", [1, 3])
async def test_half_open_lets_exactly_its_permits_of_fifty_callers_in(
    clock: ManualClock, remote: Service, permits: int, *, is_up: bool
) -> None:
    breaker = breaker_of(clock, half_open_permits=permits, success_threshold=permits)
    await opened(breaker, remote)
    clock.advance(10.0)
    remote.reached, remote.error = 0, None if is_up else UnavailableError("down")
    results = await at_once(breaker, remote, 50)
    assert remote.reached == permits
    refused = [result for result in results if isinstance(result, CircuitBreakerOpenError)]
    assert len(refused) == 50 - permits
    assert breaker.state is (CircuitState.CLOSED if is_up else CircuitState.OPEN)


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


async def test_cancelled_probe_gives_its_permit_to_the_next_call(
    clock: ManualClock, remote: Service
) -> None:
    breaker = breaker_of(clock)
    await opened(breaker, remote)
    clock.advance(10.0)
    remote.error = None
    remote.gate.clear()
    probe = asyncio.create_task(breaker.run(remote))
    await turns()
    probe.cancel()
    await asyncio.gather(probe, return_exceptions=True)
    remote.gate.set()
    assert await breaker.run(remote) == "answer"
    assert breaker.state is CircuitState.CLOSED


async def test_probe_that_never_ends_gives_its_permit_back_at_its_deadline(
    clock: ManualClock, remote: Service
) -> None:
    breaker = breaker_of(clock, probe_seconds=30.0)
    await opened(breaker, remote)
    clock.advance(10.0)
    remote.gate.clear()
    stuck = asyncio.create_task(breaker.run(remote))
    await turns()
    clock.advance(29.0)
    with pytest.raises(CircuitBreakerOpenError) as caught:
        await breaker.run(remote)
    assert caught.value.retry_after_seconds == pytest.approx(1.0)
    clock.advance(1.0)
    other = Service()
    other.error = None
    assert await breaker.run(other) == "answer"
    assert breaker.state is CircuitState.CLOSED
    stuck.cancel()
    await asyncio.gather(stuck, return_exceptions=True)


async def test_open_circuit_refuses_without_trying_and_says_when(
    clock: ManualClock, remote: Service
) -> None:
    breaker = breaker_of(clock)
    await opened(breaker, remote)
    clock.advance(4.0)
    with pytest.raises(CircuitBreakerOpenError) as caught:
        await breaker.run(remote)
    assert remote.reached == 5
    assert caught.value.retry_after_seconds == pytest.approx(6.0)
    assert caught.value.state is CircuitState.OPEN
    assert classify(caught.value) is Category.OVERLOAD
    assert str(caught.value) == (
        "llm.default.breaker: the circuit is open: 5 of 5 calls failed (limit 100%). "
        "A call may be let in after 6 s."
    )


async def test_open_time_grows_with_each_failed_probe_to_its_cap_and_starts_over(
    clock: ManualClock, remote: Service
) -> None:
    breaker = breaker_of(clock, open_factor=3.0, max_open_seconds=50.0)
    await opened(breaker, remote)
    waits: list[float] = []
    for _ in range(4):
        with pytest.raises(CircuitBreakerOpenError) as caught:
            await breaker.run(remote)
        waits.append(caught.value.retry_after_seconds or 0.0)
        clock.advance(waits[-1])
        with pytest.raises(UnavailableError):
            await breaker.run(remote)
    assert waits == pytest.approx([10.0, 30.0, 50.0, 50.0])
    clock.advance(50.0)
    remote.error = None
    await breaker.run(remote)
    remote.error = UnavailableError("down")
    await opened(breaker, remote)
    with pytest.raises(CircuitBreakerOpenError) as caught:
        await breaker.run(remote)
    assert caught.value.retry_after_seconds == pytest.approx(10.0)


@pytest.mark.parametrize(("drawn", "seconds"), [(0.0, 10.0), (0.5, 9.0), (1.0, 8.0)])
async def test_jitter_shortens_the_open_time_and_never_lengthens_it(
    clock: ManualClock, remote: Service, drawn: float, seconds: float
) -> None:
    options = BreakerOptions(**{**FIVE_IN_A_ROW, "jitter": 0.2})
    breaker = CircuitBreaker(options, clock=clock, random_source=lambda: drawn)
    await opened(breaker, remote)
    with pytest.raises(CircuitBreakerOpenError) as caught:
        await breaker.run(remote)
    assert caught.value.retry_after_seconds == pytest.approx(seconds)


async def test_it_closes_after_as_many_probes_as_asked_for(
    clock: ManualClock, remote: Service
) -> None:
    breaker = breaker_of(clock, success_threshold=3)
    await opened(breaker, remote)
    clock.advance(10.0)
    remote.error = None
    seen = []
    for _ in range(3):
        await breaker.run(remote)
        seen.append(breaker.state)
    assert seen == [CircuitState.HALF_OPEN, CircuitState.HALF_OPEN, CircuitState.CLOSED]


async def test_closed_again_it_has_forgotten_what_failed(
    clock: ManualClock, remote: Service
) -> None:
    breaker = breaker_of(clock)
    await opened(breaker, remote)
    clock.advance(10.0)
    remote.error = None
    await breaker.run(remote)
    remote.error = UnavailableError("down")
    for _ in range(4):
        with pytest.raises(UnavailableError):
            await breaker.run(remote)
    assert breaker.state is CircuitState.CLOSED


async def test_slow_probe_opens_it_again(clock: ManualClock, remote: Service) -> None:
    breaker = breaker_of(clock, slow_call_seconds=1.0)
    await opened(breaker, remote)
    clock.advance(10.0)

    async def slow() -> None:
        clock.advance(2.0)

    await breaker.run(slow)
    assert breaker.state is CircuitState.OPEN


async def test_probe_answered_no_closes_it(clock: ManualClock, remote: Service) -> None:
    breaker = breaker_of(clock)
    await opened(breaker, remote)
    clock.advance(10.0)
    remote.error = NotFoundError("no such row")
    with pytest.raises(NotFoundError):
        await breaker.run(remote)
    assert breaker.state is CircuitState.CLOSED


async def test_probe_that_says_nothing_leaves_it_half_open_for_the_next(
    clock: ManualClock, remote: Service
) -> None:
    breaker = breaker_of(clock)
    await opened(breaker, remote)
    clock.advance(10.0)
    remote.error = OverloadedError("429")
    with pytest.raises(OverloadedError, match="429"):
        await breaker.run(remote)
    assert breaker.state is CircuitState.HALF_OPEN
    remote.error = None
    await breaker.run(remote)
    assert str(breaker.state) == "closed"


async def test_success_begun_before_it_opened_does_not_close_it(
    clock: ManualClock, remote: Service
) -> None:
    breaker = breaker_of(clock)
    early = Service()
    early.error = None
    early.gate.clear()
    late_success = asyncio.create_task(breaker.run(early))
    await turns()
    await opened(breaker, remote)
    clock.advance(10.0)
    remote.gate.clear()
    probe = asyncio.create_task(breaker.run(remote))
    await turns()
    early.gate.set()
    assert await late_success == "answer"
    assert breaker.state is CircuitState.HALF_OPEN
    assert measured(breaker, "late_results") == 1
    remote.gate.set()
    await asyncio.gather(probe, return_exceptions=True)


async def test_failures_begun_before_it_closed_do_not_open_it(
    clock: ManualClock, remote: Service
) -> None:
    breaker = breaker_of(clock)
    early = Service()
    early.gate.clear()
    late_failures = [asyncio.create_task(breaker.run(early)) for _ in range(10)]
    await turns()
    await opened(breaker, remote)
    clock.advance(10.0)
    remote.error = None
    await breaker.run(remote)
    early.gate.set()
    await asyncio.gather(*late_failures, return_exceptions=True)
    assert breaker.state is CircuitState.CLOSED
    assert measured(breaker, "failure_rate") == 0


async def test_collected_probe_gives_its_permit_back(clock: ManualClock, remote: Service) -> None:
    breaker = breaker_of(clock)
    await opened(breaker, remote)
    clock.advance(10.0)
    remote.gate.clear()
    remote.error = None
    probe = breaker.run(remote)
    probe.send(None)  # by hand, to its first wait
    del probe
    gc.collect()
    remote.gate.set()
    assert await breaker.run(remote) == "answer"


async def test_raising_rule_keeps_no_permit(clock: ManualClock, remote: Service) -> None:
    is_broken = False

    def rule(error: Exception) -> bool:
        if is_broken:
            raise ZeroDivisionError
        return isinstance(error, UnavailableError)

    breaker = breaker_of(clock, record_on=(rule,))
    await opened(breaker, remote)
    clock.advance(10.0)
    is_broken = True
    with pytest.raises(ZeroDivisionError):
        await breaker.run(remote)
    remote.error = None
    assert await breaker.run(remote) == "answer"
