"""Many durations in little space."""

import math
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infrastructure.observability.durations import Durations

SECONDS = st.floats(min_value=1e-6, max_value=1e4, allow_nan=False)


def recorded(*seconds: float) -> Durations:
    durations = Durations()
    for one in seconds:
        durations.record(one)
    return durations


def test_nothing_recorded_is_zero():
    assert recorded().statistics().p99_seconds == 0.0


@given(st.lists(SECONDS, min_size=1, max_size=200))
def test_percentile_is_that_of_the_sorted_list_to_five_percent(seconds):
    known = recorded(*seconds).statistics()
    for share, found in ((0.5, known.p50_seconds), (0.95, known.p95_seconds)):
        exact = sorted(seconds)[math.ceil(share * len(seconds)) - 1]
        assert found == pytest.approx(exact, rel=0.0501)


@given(st.lists(SECONDS, max_size=100))
def test_count_sum_and_maximum_are_exact(seconds):
    known = recorded(*seconds).statistics()
    assert (known.count, known.max_seconds) == (len(seconds), max(seconds, default=0.0))
    assert known.total_seconds == pytest.approx(sum(seconds))


@given(st.lists(SECONDS, max_size=100))
def test_buckets_rise_and_end_with_all(seconds):
    bounds, counts = zip(*recorded(*seconds).buckets(), strict=True)
    assert list(bounds) == sorted(bounds)
    assert list(counts) == sorted(counts)
    assert (bounds[-1], counts[-1]) == (math.inf, len(seconds))


def test_bound_holds_what_is_below_and_not_what_is_above():
    buckets = dict(recorded(0.099, 0.101, 0.1).buckets())
    assert (buckets[0.1], buckets[0.215]) == (2, 3)


@pytest.mark.parametrize("seconds", [0.0, -1.0, 1e9, 1e-12])
def test_odd_durations_are_counted(seconds):
    assert recorded(seconds).statistics().count == 1


def test_space_is_bounded():
    durations = recorded(*(1.001**number * 1e-7 for number in range(30_000)))
    assert len(durations._counts) <= 260


def test_threads_lose_no_duration():
    durations = Durations()

    def record() -> None:
        for _ in range(2_000):
            durations.record(0.01)

    threads = [threading.Thread(target=record) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert durations.statistics().count == 16_000
