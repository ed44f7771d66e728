"""Retries: what is retried, how often, and what is raised in the end."""

import asyncio
from typing import Any

import pytest

from infrastructure.errors import (
    AuthenticationError,
    ConfigurationError,
    OutcomeUnknownError,
    OverloadedError,
    UnavailableError,
)
from infrastructure.resilience.attempts import End, RetryEvent
from infrastructure.resilience.backoff import ExponentialBackoffStrategy
from infrastructure.resilience.clock import ManualClock
from infrastructure.resilience.retry import Retry, retry_with_backoff
from tests.infrastructure.resilience.retry_ways import (
    Service,
    Way,
    by_decorator,
    by_loop,
    by_run,
    down,
    new,
)


async def test_success_is_given_after_one_call_without_a_wait(use: Way) -> None:
    service, clock = Service("answer"), ManualClock()
    assert await use(new(clock=clock), service) == "answer"
    assert (service.calls, clock.sleeps) == (1, [])


async def test_temporary_failures_are_waited_out(use: Way) -> None:
    service, clock = Service(down(), OverloadedError("full"), "answer"), ManualClock()
    retry = new(clock=clock)
    assert await use(retry, service) == "answer"
    assert (service.calls, clock.sleeps) == (3, [1.0, 1.0])
    assert (retry.calls, retry.retries, retry.waited_seconds) == (1, 2, 2.0)


async def test_last_error_itself_is_raised_with_attempts_and_waits_in_a_note(use: Way) -> None:
    last = down()
    service = Service(down(), down(), last)
    backoff = ExponentialBackoffStrategy(0.5, 9.0, jitter=0)
    with pytest.raises(UnavailableError) as caught:
        await use(new(backoff_strategy=backoff, name="shop.retry"), service)
    assert caught.value is last
    assert last.__notes__ == [
        "shop.retry: gave up after 3 attempts and waits of 0.5, 1 s: no attempts are left"
    ]


async def test_calls_are_no_more_than_max_attempts(use: Way) -> None:
    service = Service(down())
    with pytest.raises(UnavailableError):
        await use(new(4), service)
    assert service.calls == 4


@pytest.mark.parametrize(
    "error", [ValueError("a bug"), AuthenticationError("no"), OutcomeUnknownError("sent")]
)
async def test_other_errors_are_raised_at_once_and_bare(use: Way, error: Exception) -> None:
    service, retry = Service(error), new()
    with pytest.raises(type(error)) as caught:
        await use(retry, service)
    assert service.calls == 1
    assert not hasattr(caught.value, "__notes__")
    assert retry.given_up == {End.ERROR: 1}


async def test_error_of_a_later_attempt_that_is_not_retried_tells_of_the_attempts(
    use: Way,
) -> None:
    with pytest.raises(ValueError, match="a bug") as caught:
        await use(new(name="shop"), Service(down(), ValueError("a bug")))
    assert caught.value.__notes__ == [
        "shop: gave up after 2 attempts and waits of 1 s: such an error is not retried"
    ]


@pytest.mark.parametrize("end", [KeyboardInterrupt, asyncio.CancelledError, SystemExit])
async def test_what_ends_a_task_or_a_program_is_never_retried(
    use: Way, end: type[BaseException]
) -> None:
    service = Service(end())
    with pytest.raises(end):
        await use(new(retry_on=lambda _: True), service)
    assert service.calls == 1


async def test_unknown_outcome_is_not_retried_by_a_wide_rule(use: Way) -> None:
    service = Service(OutcomeUnknownError("sent"))
    with pytest.raises(OutcomeUnknownError):
        await use(new(retry_on=[Exception]), service)
    assert service.calls == 1


async def test_only_what_is_named_is_retried(use: Way) -> None:
    service = Service(KeyError("x"), OSError("y"))
    with pytest.raises(OSError, match="y"):
        await use(new(retry_on=[KeyError]), service)
    assert service.calls == 2


async def test_stop_wins_over_retry(use: Way) -> None:
    service = Service(AuthenticationError("no"))
    with pytest.raises(AuthenticationError):
        await use(new(retry_on=[Exception], stop_on=[AuthenticationError]), service)
    assert service.calls == 1


@pytest.mark.parametrize("way", [by_run, by_decorator, by_loop])
async def test_uses_of_one_retry_at_once_have_their_own_attempts(way: Way) -> None:
    retry, services = new(), [Service(down()) for _ in range(20)]
    await asyncio.gather(*(way(retry, each) for each in services), return_exceptions=True)
    assert [each.calls for each in services] == [3] * 20


async def test_error_object_raised_to_many_callers_does_not_grow_without_end() -> None:
    error = down()
    for _ in range(50):
        with pytest.raises(UnavailableError):
            await new().run(Service(error))
    assert len(error.__notes__) == 10


async def test_hooks_are_told_of_each_failed_attempt(use: Way) -> None:
    told = list[RetryEvent]()
    first, last = down(), down()
    retry = new(2, on_retry=told.append, on_give_up=told.append, name="shop")
    with pytest.raises(UnavailableError):
        await use(retry, Service(first, last))
    assert told == [
        RetryEvent("shop", 1, first, wait_seconds=1.0),
        RetryEvent("shop", 2, last, end=End.ATTEMPTS),
    ]


async def test_loop_without_entering_its_attempts_is_told_and_does_not_run_for_ever() -> None:
    with pytest.raises(ConfigurationError, match="with attempt:"):
        async for _attempt in new():
            pass


async def test_attempts_know_their_numbers() -> None:
    numbers = list[int]()
    async for attempt in new():
        with attempt:
            numbers.append(attempt.number)
            if attempt.number < 3:
                raise down()
    assert numbers == [1, 2, 3]


async def test_loop_may_be_left_from_inside_an_attempt() -> None:
    retry = new()
    for attempt in retry:
        with attempt:
            break
    assert retry.given_up == {}


async def test_the_documents_call_works() -> None:
    clock, service = ManualClock(), Service(ConnectionError(), TimeoutError(), ["i-1"])

    class Provisioner:
        @retry_with_backoff(
            max_attempts=3,
            backoff_strategy=ExponentialBackoffStrategy(
                initial_delay=1.0, max_delay=30.0, multiplier=2.0
            ),
            retry_on=[ConnectionError, TimeoutError],
            stop_on=[AuthenticationError],
            clock=clock,
        )
        async def provision(self, request: str) -> object:
            """Provision."""
            return await service()

    assert await Provisioner().provision("two machines") == ["i-1"]
    assert Provisioner.provision.__doc__ == "Provision."
    assert len(clock.sleeps) == 2


@pytest.mark.parametrize(
    "options",
    [
        {"max_attempts": 0},
        {"max_attempts": 2.5},
        {"max_attempts": None},
        {"timeout": 0},
        {"attempt_timeout": -1},
        {"max_retry_after": float("nan")},
        {"retry_on": ["sometimes"]},
        {"stop_on": [KeyboardInterrupt]},
    ],
)
def test_retry_that_makes_no_sense_cannot_be_made(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match="shop: "):
        Retry(**options, name="shop")


def test_retry_put_straight_on_a_function_is_told() -> None:
    with pytest.raises(ConfigurationError, match="max_attempts must be a whole number"):
        retry_with_backoff(test_retry_put_straight_on_a_function_is_told)  # type: ignore[arg-type]  # the mistake


def test_generator_function_is_refused() -> None:
    async def stream() -> Any:
        yield 1

    with pytest.raises(TypeError, match="generator function"):
        new()(stream)


def test_retry_shows_what_it_does() -> None:
    assert repr(new(timeout=9)) == "Retry(3, FixedDelayStrategy(delay=1.0, jitter=0.0), timeout=9)"


async def test_retries_are_told_by_the_number_of_the_attempt() -> None:
    retry = new(4)
    await retry.run(Service(down(), down(), "answer"))
    await retry.run(Service(down(), "answer"))
    assert by_attempt(retry) == {"2": 2, "3": 1, "4": 0}


async def test_numbers_of_many_attempts_are_few_labels() -> None:
    retry = new(100)
    with pytest.raises(UnavailableError):
        await retry.run(Service(down()))
    told = by_attempt(retry)
    assert (len(told), told["10+"], sum(told.values())) == (9, 91, retry.retries)


def by_attempt(retry: Retry) -> dict[str, float]:
    name = "switchgear.resilience.retry.retries"
    return {one.labels["attempt"]: one.value for one in retry.measurements() if one.name == name}


async def test_what_was_counted_is_told() -> None:
    retry = new(name="shop.retry")
    with pytest.raises(UnavailableError):
        await retry.run(Service(down()))
    told = {(each.name, each.labels.get("outcome")): each.value for each in retry.measurements()}
    assert told["switchgear.resilience.retry.calls", None] == 1
    assert told["switchgear.resilience.retry.wait.duration", None] == 2.0
    assert told["switchgear.resilience.retry.given_up", "attempts"] == 1
