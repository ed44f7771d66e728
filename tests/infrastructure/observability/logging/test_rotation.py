"""When a file rotates by time, and what becomes of the files that did."""

import datetime as dt
import gzip
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from infrastructure.config.models.logging import LogFile
from infrastructure.observability.logging.backups import Backups, Caretaker
from infrastructure.observability.logging.destinations import RotatingFile
from infrastructure.observability.logging.periods import DAY_SECONDS, Periods, period_start

NOON = dt.datetime(2026, 3, 28, 12, tzinfo=dt.UTC).timestamp()
HOUR = 3_600


class Clock:
    """A clock that stands until it is set."""

    def __init__(self, now: float = NOON) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def rotating(tmp_path: Path, clock: Clock) -> Iterator[Callable[..., RotatingFile]]:
    files: list[RotatingFile] = []

    def build(**settings: Any) -> RotatingFile:
        file = LogFile(path=tmp_path / "app.log", utc=True, **settings)
        files.append(RotatingFile(file, clock=clock))
        return files[-1]

    yield build
    for file in files:
        file.close()


@pytest.fixture
def berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Its clocks go forward on 2026-03-29 and back on 2026-10-25."""
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def write_at(file: RotatingFile, clock: Clock, path: Path, moment: float, line: bytes) -> None:
    """Write as if it were that time; the file's own time is set to it, too."""
    clock.now = moment
    file.write(line)
    os.utime(path, (moment, moment))


def local(year: int, month: int, day: int, hour: int = 0, minute: int = 0) -> float:
    return dt.datetime(year, month, day, hour, minute).timestamp()  # noqa: DTZ001  # local is meant


def test_first_line_of_a_new_day_starts_a_new_file(
    rotating: Callable[..., RotatingFile], clock: Clock, tmp_path: Path
) -> None:
    file, path = rotating(rotate_every_seconds=DAY_SECONDS), tmp_path / "app.log"
    write_at(file, clock, path, NOON, b"one\n")
    write_at(file, clock, path, NOON + 12 * HOUR - 1, b"two\n")
    write_at(file, clock, path, NOON + 12 * HOUR, b"three\n")
    assert path.read_bytes() == b"three\n"
    assert [backup.read_bytes() for backup in Backups(path).listed()] == [b"one\ntwo\n"]


def test_file_of_yesterday_rotates_after_a_restart(
    rotating: Callable[..., RotatingFile], clock: Clock, tmp_path: Path
) -> None:
    path = tmp_path / "app.log"
    path.write_bytes(b"old\n")
    os.utime(path, (NOON - DAY_SECONDS, NOON - DAY_SECONDS))
    rotating(rotate_every_seconds=DAY_SECONDS).write(b"new\n")
    assert path.read_bytes() == b"new\n"


def test_second_process_does_not_rotate_what_the_first_has(
    rotating: Callable[..., RotatingFile], clock: Clock, tmp_path: Path
) -> None:
    first, second = (rotating(rotate_every_seconds=DAY_SECONDS) for _ in range(2))
    path = tmp_path / "app.log"
    write_at(first, clock, path, NOON, b"one\n")
    write_at(second, clock, path, NOON, b"two\n")
    write_at(first, clock, path, NOON + DAY_SECONDS, b"three\n")
    write_at(second, clock, path, NOON + DAY_SECONDS, b"four\n")
    assert path.read_bytes() == b"three\nfour\n"
    assert len(Backups(path).listed()) == 1


def test_empty_file_is_not_put_aside(
    rotating: Callable[..., RotatingFile], clock: Clock, tmp_path: Path
) -> None:
    file = rotating(rotate_every_seconds=HOUR)
    clock.now += DAY_SECONDS
    file.write(b"one\n")
    assert Backups(tmp_path / "app.log").listed() == []


@pytest.mark.usefixtures("berlin")
@pytest.mark.parametrize("day", [(2026, 3, 29), (2026, 10, 25), (2026, 7, 1)])
def test_local_day_begins_at_local_midnight_even_when_the_clock_changes(
    day: tuple[int, int, int],
) -> None:
    for hour in (0, 1, 4, 12, 23):
        start = period_start(local(*day, hour, 30), DAY_SECONDS, utc=False)
        assert start == local(*day)


@pytest.mark.usefixtures("berlin")
def test_every_hour_of_the_longest_day_is_a_period() -> None:
    midnight = local(2026, 10, 25)
    starts = [period_start(midnight + 60 * n, HOUR, utc=False) for n in range(25 * 60)]
    assert sorted(set(starts)) == [midnight + HOUR * n for n in range(25)]


@pytest.mark.usefixtures("berlin")
def test_local_midnight_after_the_clock_went_forward_is_not_missed() -> None:
    periods = Periods(DAY_SECONDS, utc=False)
    evening, midnight = local(2026, 3, 29, 23, 50), local(2026, 3, 30)
    assert not periods.is_over(evening, evening)
    assert periods.is_over(evening, midnight)


@given(
    moment=st.floats(0, 4e9),
    every=st.sampled_from([60, 900, HOUR, 7 * HOUR, DAY_SECONDS, 7 * DAY_SECONDS]),
)
def test_moment_lies_in_its_period(moment: float, every: int) -> None:
    start = period_start(moment, every, utc=True)
    assert start <= moment < start + every
    assert period_start(start, every, utc=True) == start


def test_backup_that_is_too_old_is_deleted(
    rotating: Callable[..., RotatingFile], clock: Clock, tmp_path: Path
) -> None:
    file = rotating(rotate_every_seconds=DAY_SECONDS, backup_days=2, backup_count=100)
    path = tmp_path / "app.log"
    for day in range(6):
        write_at(file, clock, path, NOON + day * DAY_SECONDS, b"%d\n" % day)
    file.close()
    assert [backup.read_bytes() for backup in Backups(path).listed()] == [b"2\n", b"3\n", b"4\n"]


def test_rotated_file_is_compressed_and_loses_nothing(
    rotating: Callable[..., RotatingFile], tmp_path: Path
) -> None:
    file = rotating(max_bytes=10, compress=True)
    for number in range(3):
        file.write(b"line %d\n" % number)
    file.close()
    found = Backups(tmp_path / "app.log").listed()
    assert [gzip.decompress(backup.read_bytes()) for backup in found] == [b"line 0\n", b"line 1\n"]
    assert all(backup.suffix == ".gz" for backup in found)


def test_what_a_crash_left_half_compressed_is_compressed_at_the_next_start(
    rotating: Callable[..., RotatingFile], tmp_path: Path
) -> None:
    backup = tmp_path / "app.log.20260327T120000.000000"
    backup.write_bytes(b"whole\n")
    backup.with_name(f"{backup.name}.gz.part").write_bytes(b"half")
    backup.with_name(f"{backup.name}.part").write_bytes(b"half")
    rotating(compress=True).close()
    assert gzip.decompress(backup.with_name(f"{backup.name}.gz").read_bytes()) == b"whole\n"
    assert not backup.exists()


def test_backups_stay_in_order_when_the_clock_goes_back(
    rotating: Callable[..., RotatingFile], clock: Clock, tmp_path: Path
) -> None:
    file = rotating(max_bytes=2)
    for number in range(4):
        file.write(b"%d\n" % number)
        clock.now -= HOUR
    file.close()
    found = Backups(tmp_path / "app.log").listed()
    assert [backup.read_bytes() for backup in found] == [b"0\n", b"1\n", b"2\n"]


def test_files_of_others_are_left_alone(
    rotating: Callable[..., RotatingFile], tmp_path: Path
) -> None:
    for name in ("app.log.1", "app.log.bak", "app.log2", "xapp.log.20260327T120000.000000"):
        (tmp_path / name).write_bytes(b"theirs\n")
    file = rotating(max_bytes=2, backup_count=0)
    file.write(b"1\n")
    file.write(b"2\n")
    file.close()
    assert len(list(tmp_path.iterdir())) == 5


def test_rotation_that_fails_is_told_and_the_line_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[Exception] = []
    file = RotatingFile(LogFile(path=tmp_path / "app.log", max_bytes=2), failed=told.append)
    (tmp_path / "app.log").write_bytes(b"1\n")

    def refuse(*_: object) -> None:
        raise PermissionError("no")

    monkeypatch.setattr(Path, "rename", refuse)
    file.write(b"2\n")
    file.close()
    assert (tmp_path / "app.log").read_bytes() == b"1\n2\n"
    assert isinstance(told[0], PermissionError)


def test_caretaker_that_fails_says_so_and_goes_on() -> None:
    told: list[Exception] = []

    def fail() -> None:
        raise OSError("no space left")

    caretaker = Caretaker(fail, told.append)
    caretaker.wake()
    caretaker.close()
    assert [str(error) for error in told][-1] == "no space left"


@pytest.mark.parametrize("wrong", [{"rotate_every_seconds": 0}, {"backup_days": -1}])
def test_impossible_rotation_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        LogFile(path=Path("x"), **wrong)


def test_rotation_costs_no_line_when_there_is_no_thread_for_the_backups(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_more_threads(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    failed: list[Exception] = []
    file = RotatingFile(LogFile(path=tmp_path / "app.log", max_bytes=10), failed=failed.append)
    monkeypatch.setattr(threading.Thread, "start", no_more_threads)
    file.write(b"0123456\n")
    file.write(b"1234567\n")
    file.close()
    assert (tmp_path / "app.log").read_bytes() == b"1234567\n"
    assert [str(error) for error in failed] == ["can't start new thread"]
