"""Retries: what is retried, how often, how long, and what is raised in the end."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infrastructure.errors import (
    AuthenticationError,
    ConfigurationError,
    DeadlineExceededError,
    OutcomeUnknownError,
    OverloadedError,
    UnavailableError,
)
from infrastructure.resilience.attempts import End, RetryEvent
from infrastructure.resilience.backoff import ExponentialBackoffStrategy, FixedDelayStrategy
from infrastructure.resilience.budget import RetryBudget
from infrastructure.resilience.clock import ManualClock
from infrastructure.resilience.retry import Retry, retry_with_backoff
from infrastructure.resilience.timeout import Timeout

WAIT = FixedDelayStrategy(1.0)


class Service:
    """Gives its outcomes one by one, and the last one from then on; counts its calls."""

    def __init__(self, *outcomes: object) -> None:
        self.outcomes = outcomes
        self.calls = 0

    def sync(self) -> object:
        outcome = self.outcomes[min(self.calls, len(self.outcomes) - 1)]
        self.calls += 1
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome

    async def __call__(self) -> object:
        return self.sync()


def down() -> UnavailableError:
    return UnavailableError("down", where="shop")


def new(attempts: int = 3, **options: Any) -> Retry:
    """A retry that waits a second on a clock that jumps."""
    options = {"backoff_strategy": WAIT, "clock": ManualClock(), **options}
    return Retry(attempts, **options)


Way = Callable[[Retry, Service], Awaitable[object]]


async def by_run(retry: Retry, service: Service) -> object:
    return await retry.run(service)


async def by_decorator(retry: Retry, service: Service) -> object:
    return await retry(service.__call__)()


async def by_loop(retry: Retry, service: Service) -> object:
    async for attempt in retry:
        with attempt:
            return await service()
    return None


async def by_sync_run(retry: Retry, service: Service) -> object:
    return retry.run_sync(service.sync)


async def by_sync_decorator(retry: Retry, service: Service) -> object:
    return retry(service.sync)()


async def by_sync_loop(retry: Retry, service: Service) -> object:
    for attempt in retry:
        with attempt:
            return service.sync()
    return None


WAYS = [by_run, by_decorator, by_loop, by_sync_run, by_sync_decorator, by_sync_loop]


@pytest.fixture(params=WAYS, ids=lambda way: way.__name__)
def use(request: pytest.FixtureRequest) -> Way:
    """Every way to use a retry keeps the same promises."""
    way: Way = request.param
    return way


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


async def test_wait_is_as_long_as_the_other_side_asks(use: Way) -> None:
    clock = ManualClock()
    service = Service(OverloadedError("full", retry_after_seconds=7.5), "answer")
    await use(new(clock=clock), service)
    assert clock.sleeps == [7.5]


async def test_asked_wait_is_never_shorter_than_the_own_nor_longer_than_the_cap() -> None:
    clock = ManualClock()
    asks = [OverloadedError("full", retry_after_seconds=asked) for asked in (0.1, 3_600)]
    await new(clock=clock, max_retry_after=30).run(Service(*asks, "answer"))
    assert clock.sleeps == [1.0, 30]


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


@pytest.mark.parametrize("way", [by_run, by_decorator, by_loop])
async def test_uses_of_one_retry_at_once_have_their_own_attempts(way: Way) -> None:
    retry, services = new(), [Service(down()) for _ in range(20)]
    await asyncio.gather(*(way(retry, each) for each in services), return_exceptions=True)
    assert [each.calls for each in services] == [3] * 20


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


async def test_what_was_counted_is_told() -> None:
    retry = new(name="shop.retry")
    with pytest.raises(UnavailableError):
        await retry.run(Service(down()))
    told = {(each.name, each.labels.get("outcome")): each.value for each in retry.measurements()}
    assert told["switchgear.resilience.retry.calls", None] == 1
    assert told["switchgear.resilience.retry.retries", None] == 2
    assert told["switchgear.resilience.retry.wait.duration", None] == 2.0
    assert told["switchgear.resilience.retry.given_up", "attempts"] == 1


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
