"""Windows say the same as a plain list of all outcomes."""

import tracemalloc

from hypothesis import given
from hypothesis import strategies as st

from infrastructure.resilience import windows
from infrastructure.resilience.windows import CountWindow, TimeWindow, Window

OUTCOMES = st.lists(st.tuples(st.booleans(), st.booleans()), max_size=200)
STEPS = st.lists(
    st.tuples(st.booleans(), st.booleans(), st.floats(0, 30, allow_nan=False)), max_size=100
)


def said(window: Window) -> tuple[int, int, int]:
    return window.calls, window.failures, window.slow_calls


def counted(outcomes: list[tuple[bool, bool]]) -> tuple[int, int, int]:
    return len(outcomes), sum(o[0] for o in outcomes), sum(o[1] for o in outcomes)


@given(outcomes=OUTCOMES, size=st.integers(1, 40))
def test_count_window_knows_the_last_calls(outcomes: list[tuple[bool, bool]], size: int) -> None:
    window = CountWindow(size)
    for at, (failed, slow) in enumerate(outcomes, 1):
        window.record(failed, slow, 0.0)
        assert said(window) == counted(outcomes[:at][-size:])


@given(outcomes=OUTCOMES, size=st.integers(1, 40), many=st.integers(0, 100))
def test_successes_recorded_at_once_are_as_if_one_by_one(
    outcomes: list[tuple[bool, bool]], size: int, many: int
) -> None:
    at_once, one_by_one = CountWindow(size), CountWindow(size)
    for failed, slow in outcomes:
        at_once.record(failed, slow, 0.0)
        one_by_one.record(failed, slow, 0.0)
    at_once.record_successes(many, 0.0)
    for _ in range(many):
        one_by_one.record(failed=False, slow=False, now=0.0)
    assert said(at_once) == said(one_by_one)


@given(steps=STEPS, seconds=st.sampled_from([1.0, 8.0, 60.0]), buckets=st.integers(1, 12))
def test_time_window_knows_the_calls_of_its_buckets(
    steps: list[tuple[bool, bool, float]], seconds: float, buckets: int
) -> None:
    window = TimeWindow(seconds, buckets)
    now, everything = 5.0, []
    for failed, slow, later in steps:
        now += later
        index = int(now / (seconds / buckets))
        window.record(failed, slow, now)
        everything.append((index, (failed, slow)))
        kept = [outcome for at, outcome in everything if at > index - buckets]
        assert said(window) == counted(kept)


def test_time_window_forgets_without_new_calls() -> None:
    window = TimeWindow(10.0)
    window.record(failed=True, slow=True, now=100.0)
    window.advance(109.0)
    assert said(window) == (1, 1, 1)
    window.advance(110.0)
    assert said(window) == (0, 0, 0)


def test_clock_read_a_little_earlier_by_another_thread_counts_with_the_newest() -> None:
    window = TimeWindow(10.0)
    window.record(failed=False, slow=False, now=100.0)
    window.record(failed=True, slow=False, now=99.0)
    assert said(window) == (2, 1, 0)


def test_rates_are_shares_of_the_calls_known() -> None:
    window = CountWindow(4)
    assert (window.failure_rate, window.slow_call_rate) == (0.0, 0.0)
    for failed, slow in [(True, False), (False, True), (False, True), (True, True)]:
        window.record(failed, slow, 0.0)
    assert (window.failure_rate, window.slow_call_rate) == (0.5, 0.75)


def test_cleared_windows_are_as_new() -> None:
    for window in (CountWindow(3), TimeWindow(3.0)):
        window.record(failed=True, slow=True, now=1.0)
        window.clear()
        assert said(window) == (0, 0, 0)
        window.record(failed=False, slow=True, now=1.0)
        assert said(window) == (1, 0, 1)


def test_a_hundred_thousand_calls_take_no_memory() -> None:
    both = [CountWindow(100), TimeWindow(60.0)]
    tracemalloc.start()
    try:
        before = _bytes_of_windows()
        for window in both:
            for call in range(100_000):
                window.record(failed=call % 3 == 0, slow=call % 5 == 0, now=call / 100)
        after = _bytes_of_windows()
    finally:
        tracemalloc.stop()
    assert after - before < 4_096


def _bytes_of_windows() -> int:
    """What lines of the windows have allocated and keep; no other thread counts."""
    taken = tracemalloc.take_snapshot().filter_traces([tracemalloc.Filter(True, windows.__file__)])
    return sum(line.size for line in taken.statistics("filename"))
