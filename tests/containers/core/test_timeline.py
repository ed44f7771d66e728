"""The start-up report: a sequence to compute with, a table to read."""

from containers.core.timeline import Started, Timeline

REPORT = Timeline(
    [
        Started("cache.default", 0.0, 0.010),
        Started("db.default", 0.010, 0.030, phase=2),
    ]
)


def test_it_is_a_sequence_of_what_was_started():
    assert [each.path for each in REPORT] == ["cache.default", "db.default"]
    assert max(REPORT, key=lambda each: each.took_seconds).path == "db.default"


def test_printed_it_shows_path_phase_beginning_duration_and_a_bar():
    assert str(REPORT).splitlines() == [
        "provider       phase  began ms   took ms",
        "cache.default      0       0.0      10.0  ======",
        "db.default         2      10.0      30.0        ==================",
        "2 started in 40.0 ms",
    ]


def test_before_a_start_it_says_so():
    assert str(Timeline()) == "nothing was started"


def test_a_start_that_took_no_time_can_be_printed():
    assert "none" in str(Timeline([Started("none", 0.0, 0.0)]))
