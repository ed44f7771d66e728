"""Waits between attempts."""

from math import inf, nan
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infrastructure.errors import ConfigurationError
from infrastructure.resilience.backoff import ExponentialBackoffStrategy, FixedDelayStrategy

seconds = st.floats(0, 1e6)
shares = st.floats(0, 1)


def test_waits_grow_by_the_multiplier_up_to_the_cap() -> None:
    backoff = ExponentialBackoffStrategy(1.0, 10.0, 2.0, jitter=0)
    assert [backoff(attempt) for attempt in range(2, 8)] == [1, 2, 4, 8, 10, 10]


def test_documents_names_are_the_parameters() -> None:
    backoff = ExponentialBackoffStrategy(initial_delay=1.0, max_delay=30.0, multiplier=2.0)
    assert backoff.longest(4) == 4.0


def test_full_jitter_leaves_the_whole_wait_to_chance() -> None:
    backoff = ExponentialBackoffStrategy(
        4.0, 4.0, jitter=1, chance=iter([0.0, 0.25, 0.999]).__next__
    )
    assert [backoff(2) for _ in range(3)] == pytest.approx([4.0, 3.0, 0.004])


def test_equal_jitter_keeps_half_of_the_wait() -> None:
    backoff = ExponentialBackoffStrategy(4.0, 4.0, jitter=0.5, chance=iter([0.0, 0.5]).__next__)
    assert [backoff(2), backoff(2)] == [4.0, 3.0]


def test_wait_far_along_is_the_cap_and_no_overflow() -> None:
    assert ExponentialBackoffStrategy(1.0, 30.0, 10.0, jitter=0)(100_000) == 30.0


def test_fixed_delay_is_the_same_every_time() -> None:
    assert [FixedDelayStrategy(1.5)(attempt) for attempt in (2, 3, 50)] == [1.5] * 3


def test_fixed_delay_can_be_spread() -> None:
    assert FixedDelayStrategy(2.0, jitter=0.5, chance=lambda: 0.5)(2) == 1.5


@given(seconds, seconds, st.floats(1, 100), st.integers(2, 300))
def test_waits_without_jitter_never_shrink_and_never_pass_the_cap(
    initial: float, more: float, multiplier: float, attempt: int
) -> None:
    backoff = ExponentialBackoffStrategy(initial, initial + more, multiplier, jitter=0)
    assert initial <= backoff(attempt) <= backoff(attempt + 1) <= initial + more


@given(seconds, shares, st.floats(0, 1, exclude_max=True), st.integers(2, 50))
def test_jitter_takes_off_at_most_its_part(
    initial: float, jitter: float, chance: float, attempt: int
) -> None:
    backoff = ExponentialBackoffStrategy(initial, 1e6, jitter=jitter, chance=lambda: chance)
    longest = backoff.longest(attempt)
    assert longest * (1 - jitter) <= backoff(attempt) <= longest


@pytest.mark.parametrize(
    "settings",
    [
        {"initial_delay": -1},
        {"initial_delay": nan},
        {"initial_delay": "1"},
        {"initial_delay": True},
        {"max_delay": inf},
        {"initial_delay": 5.0, "max_delay": 4.0},
        {"multiplier": 0.5},
        {"jitter": 1.5},
        {"jitter": -0.1},
    ],
)
def test_exponential_backoff_that_makes_no_sense_cannot_be_made(settings: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match=r"ExponentialBackoffStrategy: .* found"):
        ExponentialBackoffStrategy(**settings)


@pytest.mark.parametrize("delay", [-0.1, nan, inf, None])
def test_fixed_delay_that_makes_no_sense_cannot_be_made(delay: Any) -> None:
    with pytest.raises(ConfigurationError, match="FixedDelayStrategy: delay must be"):
        FixedDelayStrategy(delay)


def test_strategies_show_their_numbers() -> None:
    assert repr(FixedDelayStrategy(1.0)) == "FixedDelayStrategy(delay=1.0, jitter=0.0)"
