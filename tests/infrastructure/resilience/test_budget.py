"""A share of retries."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infrastructure.errors import ConfigurationError
from infrastructure.resilience.budget import GivenUp, RetryBudget
from infrastructure.resilience.clock import ManualClock


def test_calls_earn_their_part_of_a_retry() -> None:
    budget = RetryBudget(0.25, min_per_second=0, clock=ManualClock())
    budget.calls = 10
    assert [budget.spend() for _ in range(4)] == [True, True, False, False]
    assert (budget.spent, budget.refused) == (2, 2)


def test_seldom_called_things_live_on_what_each_second_brings() -> None:
    clock = ManualClock()
    budget = RetryBudget(0, min_per_second=2, clock=clock)
    assert [budget.spend() for _ in range(3)] == [True, True, False]
    clock.advance(0.5)
    assert [budget.spend() for _ in range(2)] == [True, False]


def test_a_quiet_night_saves_no_more_than_the_burst() -> None:
    clock = ManualClock()
    budget = RetryBudget(1, min_per_second=1, burst=5, clock=clock)
    budget.calls = 1_000_000
    clock.advance(1_000_000)
    assert sum(budget.spend() for _ in range(100)) == 5


@given(
    st.floats(0, 1),
    st.floats(0, 20),
    st.lists(st.tuples(st.integers(0, 50), st.floats(0, 5), st.integers(0, 50)), max_size=30),
)
def test_retries_never_pass_what_calls_and_time_have_earned(
    fraction: float, rate: float, steps: list[tuple[int, float, int]]
) -> None:
    clock = ManualClock()
    budget = RetryBudget(fraction, min_per_second=rate, clock=clock)
    for calls, seconds, retries in steps:
        budget.calls += calls
        clock.advance(seconds)
        for _ in range(retries):
            budget.spend()
        earned = budget.calls * fraction + rate * (clock.now() + 1)
        assert budget.spent <= earned + 1e-6


@pytest.mark.parametrize(
    "settings", [{"fraction": 1.1}, {"fraction": -1}, {"burst": 0}, {"min_per_second": 101}]
)
def test_budget_that_makes_no_sense_cannot_be_made(settings: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match="must be a finite number"):
        RetryBudget(**settings)


def test_mark_set_before_a_call_began_says_nothing_about_it() -> None:
    error = ValueError()
    GivenUp.put_on(error, "cache")
    assert GivenUp.is_on(error, "cache", since=GivenUp.count - 1)
    assert not GivenUp.is_on(error, "cache", since=GivenUp.count)


def test_mark_is_found_on_the_cause_of_a_translated_error() -> None:
    began, cause, error = GivenUp.count, OSError(), ValueError()
    GivenUp.put_on(cause, "cache")
    error.__cause__ = cause
    assert GivenUp.is_on(error, "", since=began)
    assert not GivenUp.is_on(error, "llm", since=began)
