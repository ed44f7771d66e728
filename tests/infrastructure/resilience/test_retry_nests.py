"""Retries inside retries do not multiply, nor beyond a budget."""

import asyncio
from collections.abc import AsyncGenerator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infrastructure.errors import (
    UnavailableError,
)
from infrastructure.resilience.attempts import End
from infrastructure.resilience.backoff import FixedDelayStrategy
from infrastructure.resilience.budget import RetryBudget, _repetitions
from infrastructure.resilience.clock import ManualClock
from infrastructure.resilience.retry import Retry
from tests.infrastructure.resilience.retry_ways import (
    Service,
    Way,
    down,
    new,
)


async def test_retry_inside_a_retry_does_not_multiply(use: Way) -> None:
    service, inner, outer = Service(down()), new(), new()

    async def call() -> object:
        return await use(inner, service)

    with pytest.raises(UnavailableError):
        await outer.run(call)
    assert service.calls == 3
    assert (inner.given_up, outer.given_up) == ({End.ATTEMPTS: 1}, {End.INNER: 1})


async def test_retry_inside_a_retry_does_not_multiply_when_its_error_is_translated() -> None:
    service, inner, outer = Service(ConnectionError()), new(), new()

    async def call() -> object:
        try:
            return await inner.run(service)
        except ConnectionError as error:
            raise UnavailableError("shop is down") from error

    with pytest.raises(UnavailableError):
        await outer.run(call)
    assert service.calls == 3


async def test_retry_inside_leaves_its_errors_to_one_that_repeats_already() -> None:
    service, inner, outer = Service(down()), new(), new()

    async def call() -> object:
        if outer.retries == 0:
            raise down()
        return await inner.run(service)

    with pytest.raises(UnavailableError):
        await outer.run(call)
    assert service.calls == 2
    assert inner.given_up == {End.OUTER: 2}


async def test_retry_inside_keeps_its_attempts_for_errors_the_outer_does_not_retry() -> None:
    service, inner, outer = Service(down()), new(), new(retry_on=[KeyError])

    async def call() -> object:
        if outer.retries == 0:
            raise KeyError
        return await inner.run(service)

    with pytest.raises(UnavailableError):
        await outer.run(call)
    assert service.calls == 3


async def test_retries_of_different_dependencies_are_independent() -> None:
    service = Service(down())
    inner, outer = new(dependency="llm"), new(dependency="jobs")
    with pytest.raises(UnavailableError):
        await outer.run(inner.run, service)
    assert service.calls == 9


async def test_retries_of_one_named_dependency_do_not_multiply() -> None:
    service = Service(down())
    inner, outer = new(dependency="llm"), new(dependency="llm")
    with pytest.raises(UnavailableError):
        await outer.run(inner.run, service)
    assert service.calls == 3


async def test_error_object_given_up_elsewhere_before_is_retried_all_the_same(use: Way) -> None:
    error = down()
    with pytest.raises(UnavailableError):
        await new().run(Service(error))
    service = Service(error)
    with pytest.raises(UnavailableError):
        await use(new(), service)
    assert service.calls == 3


@given(st.integers(1, 4), st.integers(1, 4), st.lists(st.booleans(), max_size=20))
async def test_failures_of_one_service_never_multiply_over_two_retries(
    inner_attempts: int, outer_attempts: int, body_fails: list[bool]
) -> None:
    service, later = Service(down()), iter(body_fails)
    inner, outer = new(inner_attempts), new(outer_attempts)

    async def call() -> object:
        if next(later, False):
            raise down()
        return await inner.run(service)

    with pytest.raises(UnavailableError):
        await outer.run(call)
    assert service.calls <= inner_attempts + outer_attempts - 1


async def test_budget_that_is_spent_ends_retries_but_no_first_attempts(use: Way) -> None:
    clock = ManualClock()
    budget = RetryBudget(0.5, min_per_second=0, clock=clock)
    retry = new(budget=budget, clock=clock)
    services = [Service(down()) for _ in range(8)]
    for service in services:
        with pytest.raises(UnavailableError) as caught:
            await use(retry, service)
    assert "the retry budget is spent" in str(caught.value.__notes__)
    assert sum(service.calls for service in services) == 8 + 4
    assert budget.calls == 8


async def test_stream_inside_an_attempt_may_be_closed_by_another_task() -> None:
    async def stream() -> AsyncGenerator[int, None]:
        async for attempt in Retry(3, FixedDelayStrategy(0), retry_on=OSError):
            with attempt:
                if attempt.number == 1:
                    raise OSError
                yield attempt.number

    reading = stream()
    assert await asyncio.create_task(anext(reading)) == 2
    await asyncio.create_task(reading.aclose())


async def test_task_that_outlives_an_attempt_has_its_own_attempts_again() -> None:
    service, inner, outer, over = Service(down()), new(), new(), asyncio.Event()
    tasks: list[asyncio.Task[object]] = []

    async def later() -> object:
        await over.wait()
        return await inner.run(service)

    async def call() -> None:
        if outer.retries == 0:
            raise down()
        tasks.append(asyncio.create_task(later()))

    await outer.run(call)
    over.set()
    with pytest.raises(UnavailableError):
        await tasks[0]
    assert (service.calls, inner.given_up) == (3, {End.ATTEMPTS: 1})


async def test_streams_closed_elsewhere_leave_nothing_behind_in_the_task_that_read_them() -> None:
    async def stream() -> AsyncGenerator[int, None]:
        async for attempt in Retry(2, FixedDelayStrategy(0), retry_on=OSError):
            with attempt:
                if attempt.number == 1:
                    raise OSError
                yield attempt.number

    for _ in range(50):
        reading = stream()
        await anext(reading)
        await asyncio.create_task(reading.aclose())
    assert len(_repetitions.get()) == 1
