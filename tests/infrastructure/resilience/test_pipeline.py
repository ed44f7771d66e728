"""Several strategies around one call."""

import asyncio
import itertools
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from infrastructure.errors import (
    ConfigurationError,
    DeadlineExceededError,
    OverloadedError,
    UnavailableError,
)
from infrastructure.resilience.backoff import FixedDelayStrategy
from infrastructure.resilience.breaker import BreakerOptions, CircuitBreaker, CircuitState
from infrastructure.resilience.bulkhead import Bulkhead
from infrastructure.resilience.clock import ManualClock
from infrastructure.resilience.fallback import Fallback
from infrastructure.resilience.hedge import Hedge
from infrastructure.resilience.idempotence import idempotent
from infrastructure.resilience.pipeline import Pipeline
from infrastructure.resilience.rate_limiter import RateLimiter
from infrastructure.resilience.retry import Retry
from infrastructure.resilience.strategy import Place, Strategy
from infrastructure.resilience.timeout import Timeout


class Service:
    """Fails as often as told, then answers with its arguments."""

    def __init__(self, failures: int = 0) -> None:
        self.failures = failures
        self.calls = 0

    async def ask(self, *args: Any, **kwargs: Any) -> Any:
        self.calls += 1
        if self.calls <= self.failures:
            raise UnavailableError("down")
        return args, kwargs


class Noted(Strategy):
    """Writes down when it begins."""

    def __init__(self, name: str, notes: list[str]) -> None:
        self.name = name
        self.notes = notes

    async def run(self, call: Callable[..., Awaitable[Any]], /, *args: Any, **kwargs: Any) -> Any:
        self.notes.append(self.name)
        return await call(*args, **kwargs)

    def run_sync(self, call: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        self.notes.append(self.name)
        return call(*args, **kwargs)


def every_kind() -> tuple[Strategy, ...]:
    return (
        Bulkhead(1),
        Timeout(1),
        CircuitBreaker(),
        Retry(),
        Fallback(value=None),
        RateLimiter(100),
        Hedge(1.0),
    )


@pytest.mark.parametrize("seed", range(5))
def test_the_order_is_the_same_whatever_the_order_given(seed: int) -> None:
    given = list(itertools.permutations(every_kind()))[seed * 997]
    pipeline = Pipeline(*given, timeout=Timeout(9))
    assert [type(one).__name__ for one in pipeline.strategies] == [
        "Fallback",
        "Timeout",
        "Retry",
        "Hedge",
        "CircuitBreaker",
        "RateLimiter",
        "Bulkhead",
        "Timeout",
    ]


def test_it_shows_its_order() -> None:
    shown = str(Pipeline(Timeout(2), Retry(4), timeout=Timeout(9)))
    assert shown.startswith("Timeout(9) > Retry(4")
    assert shown.endswith("> Timeout(2) > call")


async def test_arguments_and_result_go_through_every_strategy() -> None:
    pipeline = Pipeline(*every_kind(), timeout=Timeout(9))
    assert await pipeline.run(Service().ask, 1, key=2) == ((1,), {"key": 2})


async def test_one_without_strategies_just_calls() -> None:
    assert await Pipeline().run(Service().ask, 1) == ((1,), {})
    assert Pipeline().run_sync(divmod, 7, 2) == (3, 1)


def test_plain_functions_go_through_it_too() -> None:
    pipeline = Pipeline(*every_kind(), timeout=Timeout(9))
    assert pipeline.run_sync(divmod, 7, 2) == (3, 1)


async def test_it_decorates_coroutine_functions() -> None:
    service = Service(failures=1)

    @Pipeline(Retry(2, FixedDelayStrategy(0)))
    async def ask(word: str) -> Any:
        return await service.ask(word)

    assert await ask("x") == (("x",), {})
    assert service.calls == 2


async def test_each_attempt_is_counted_by_the_breaker() -> None:
    clock = ManualClock()
    breaker = CircuitBreaker(BreakerOptions(window_calls=2, minimum_calls=2), clock=clock)
    service = Service(failures=9)
    with pytest.raises(UnavailableError):
        await Pipeline(Retry(2, FixedDelayStrategy(0), clock=clock), breaker).run(service.ask)
    assert breaker.state is CircuitState.OPEN


async def test_a_fallback_answers_when_the_breaker_refuses() -> None:
    breaker = CircuitBreaker()
    breaker.force_open()
    service = Service()
    pipeline = Pipeline(Fallback(value="instead"), breaker)
    assert await pipeline.run(service.ask) == "instead"
    assert service.calls == 0


async def test_a_function_as_fallback_gets_the_arguments_of_the_call() -> None:
    def instead(error: Exception, *args: Any, **kwargs: Any) -> Any:
        return type(error).__name__, args, kwargs

    pipeline = Pipeline(Fallback(function=instead), Retry(1), Bulkhead(1))
    found = await pipeline.run(Service(failures=1).ask, 1, key=2)
    assert found == ("UnavailableError", (1,), {"key": 2})


async def test_the_total_time_bounds_attempts_and_waits() -> None:
    clock = ManualClock()
    retry = Retry(100, FixedDelayStrategy(1.0), clock=clock)
    service = Service(failures=100)
    with pytest.raises((DeadlineExceededError, UnavailableError)):
        await Pipeline(retry, timeout=Timeout(3.5, clock=clock)).run(service.ask)
    assert clock.now() <= 3.5
    assert service.calls <= 4


async def test_an_attempt_that_hangs_is_cut_and_made_again() -> None:
    clock = ManualClock(jumps=False)
    attempts: asyncio.Queue[asyncio.Future[str]] = asyncio.Queue()

    async def ask() -> str:
        answer: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        attempts.put_nowait(answer)
        return await answer

    pipeline = Pipeline(Retry(2, FixedDelayStrategy(0)), Timeout(1.0, clock=clock))
    asked = asyncio.ensure_future(pipeline.run(ask))
    await attempts.get()
    clock.advance(1.0)
    (await attempts.get()).set_result("second")
    assert await asked == "second"


async def test_a_full_bulkhead_is_an_overload_that_the_breaker_does_not_count() -> None:
    breaker, bulkhead = CircuitBreaker(BreakerOptions(minimum_calls=1)), Bulkhead(1)
    pipeline = Pipeline(breaker, bulkhead)
    async with bulkhead:
        with pytest.raises(OverloadedError):
            await pipeline.run(Service().ask)
    assert breaker.state is CircuitState.CLOSED


async def test_a_hedge_stands_around_idempotent_calls_only() -> None:
    hedge = Hedge(0.0)
    pipeline = Pipeline(hedge, Retry(1))
    await pipeline.run(Service().ask)
    assert hedge.calls == 0

    @idempotent
    async def ask() -> int:
        return 1

    assert await pipeline.run(ask) == 1
    assert hedge.calls == 1


def test_two_of_a_kind_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="one place"):
        Pipeline(Retry(), Retry())


async def test_strategies_of_other_classes_stand_innermost_in_the_order_given() -> None:
    notes: list[str] = []
    service = Service(failures=1)
    pipeline = Pipeline(
        Noted("a", notes), Noted("b", notes), Retry(2, FixedDelayStrategy(0)), name="x"
    )
    await pipeline.run(service.ask)
    assert notes == ["a", "b", "a", "b"]


async def test_strategy_of_another_class_stands_where_it_says() -> None:
    notes: list[str] = []

    class Quota(Noted):
        place = Place.RATE_LIMIT

    class Before(Noted):
        place = Place.RETRY

    pipeline = Pipeline(Noted("in", notes), Quota("quota", notes), Before("before", notes))
    await pipeline.run(Service().ask)
    assert notes == ["before", "quota", "in"]
    with pytest.raises(ConfigurationError, match="one place"):
        Pipeline(Quota("quota", notes), RateLimiter(1))


async def test_a_pipeline_can_stand_around_another() -> None:
    service = Service(failures=3)
    clock = ManualClock()
    inner = Pipeline(Retry(2, FixedDelayStrategy(0), dependency="one", clock=clock))
    outer = Pipeline(Retry(2, FixedDelayStrategy(0), dependency="two", clock=clock))
    assert await outer.run(inner.run, service.ask) == ((), {})
    assert service.calls == 4


async def test_what_is_cancelled_leaves_no_place_taken() -> None:
    bulkhead = Bulkhead(1)
    pipeline = Pipeline(Retry(3), CircuitBreaker(), bulkhead, timeout=Timeout(60))
    started = asyncio.Event()

    async def hang() -> None:
        started.set()
        await asyncio.Event().wait()

    task = asyncio.ensure_future(pipeline.run(hang))
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert bulkhead.running == 0


async def test_it_tells_what_its_strategies_count() -> None:
    pipeline = Pipeline(Retry(2, name="x.retry"), Bulkhead(1, name="x.bulkhead"), name="x")
    await pipeline.run(Service().ask)
    names = {one.name for one in pipeline.measurements()}
    assert "switchgear.resilience.retry.calls" in names
    assert any("bulkhead" in name for name in names)
