"""What a sink does when something under it fails."""

import logging
import signal
from collections.abc import Callable, Iterator
from typing import Never

import loguru
import pytest

from infrastructure.observability.logging import (
    LogFormat,
    LoggingConfig,
    LoggingHandle,
    get_logger,
    setup_logging,
)
from infrastructure.observability.logging.sinks import MAX_NESTED

log = get_logger("sinks")


class Broken:
    """A destination whose disk is full."""

    def __str__(self) -> str:
        return "the full disk"

    def write(self, line: bytes) -> Never:
        raise OSError("no space left for correct-horse")

    def close(self) -> None:
        """Nothing is held."""


class Kept:
    """A destination that keeps its lines, and does something at the first."""

    def __init__(self, at_first: Callable[[], object] = lambda: None) -> None:
        self.lines: list[bytes] = []
        self.at_first = at_first

    def write(self, line: bytes) -> None:
        self.lines.append(line)
        if len(self.lines) == 1:
            self.at_first()

    def close(self) -> None:
        """Nothing is held."""


@pytest.fixture
def handle() -> Iterator[LoggingHandle]:
    with setup_logging(LoggingConfig(console=False), secrets=["correct-horse"]) as handle:
        yield handle


def test_failing_destination_is_counted_and_raises_nothing(handle: LoggingHandle) -> None:
    handle.add(Broken(), LogFormat.JSON)
    log.info("one")
    log.info("two")
    assert handle.failures == 2


def test_failing_destination_falls_back_to_standard_error_once_a_while(
    handle: LoggingHandle, capsys: pytest.CaptureFixture[str]
) -> None:
    sink = handle.add(Broken(), LogFormat.TEXT)
    now = 0.0
    sink.fallback.clock = lambda: now
    for event in ("one", "two", "three"):
        log.info(event)
    now = 10.0
    log.info("four")
    err = capsys.readouterr().err
    assert "logging to the full disk failed 1 times, last with OSError: no space left" in err
    assert "failed 4 times" in err
    assert "| one\n" in err
    assert "two" not in err


def test_fallback_has_no_secret(handle: LoggingHandle, capsys: pytest.CaptureFixture[str]) -> None:
    handle.add(Broken(), LogFormat.TEXT)
    log.info("the correct-horse", password="battery-staple")
    assert "correct-horse" not in (err := capsys.readouterr().err)
    assert "battery-staple" not in err


def test_standard_error_that_is_closed_stops_nobody(
    handle: LoggingHandle, monkeypatch: pytest.MonkeyPatch
) -> None:
    handle.add(Broken(), LogFormat.TEXT)
    monkeypatch.setattr("sys.stderr", None)
    log.info("nobody can hear this")
    assert handle.failures == 1


def test_one_failing_destination_does_not_starve_the_next(handle: LoggingHandle) -> None:
    kept = Kept()
    handle.add(Broken(), LogFormat.JSON)
    handle.add(kept, LogFormat.JSON)
    log.info("one")
    assert len(kept.lines) == 1


def test_loguru_prints_no_record_of_its_own(
    handle: LoggingHandle, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its error handler would print the record as it is, secrets included."""
    handle.add(Broken(), LogFormat.JSON)
    log.info("one", password="battery-staple")
    assert "Record was" not in capsys.readouterr().err


class Talkative:
    """A value that logs while it is written, as lazily loading objects do."""

    def __repr__(self) -> str:
        log.info("loading")
        return "Talkative()"


def test_value_that_logs_while_it_is_written_is_written(
    handle: LoggingHandle, capsys: pytest.CaptureFixture[str]
) -> None:
    kept = Kept()
    handle.add(kept, LogFormat.JSON)
    log.info("outer", value=Talkative())
    assert [b"loading" in line for line in kept.lines] == [True, False]
    assert capsys.readouterr().err == ""


def test_signal_handler_that_logs_in_the_middle_of_a_line_does_not_hang(
    handle: LoggingHandle,
) -> None:
    before = signal.signal(signal.SIGUSR1, lambda *_: log.info("from the signal handler"))
    kept = Kept(at_first=lambda: signal.raise_signal(signal.SIGUSR1))
    handle.add(kept, LogFormat.JSON)
    log.info("interrupted")
    signal.signal(signal.SIGUSR1, before)
    assert b"from the signal handler" in kept.lines[1]


def test_destination_that_logs_at_each_line_does_not_hang(handle: LoggingHandle) -> None:
    class Chatty(Kept):
        def write(self, line: bytes) -> None:
            super().write(line)
            log.info("written")

    chatty = Chatty()
    handle.add(chatty, LogFormat.JSON)
    log.info("one")
    assert len(chatty.lines) <= MAX_NESTED + 1
    assert handle.failures == 1


def test_exception_whose_text_raises_is_still_told(
    handle: LoggingHandle, capsys: pytest.CaptureFixture[str]
) -> None:
    class MuteError(AssertionError):
        def __str__(self) -> str:
            raise RuntimeError("no text")

    kept = Kept()
    handle.add(kept, LogFormat.JSON)
    loguru.logger.opt(exception=MuteError()).error("failed")
    assert b"<its text raised RuntimeError>" in kept.lines[0]
    assert capsys.readouterr().err == ""


def test_record_that_cannot_be_read_is_replaced_without_its_content(handle: LoggingHandle) -> None:
    class Hostile:
        def __str__(self) -> str:
            raise RuntimeError("correct-horse")

    kept = Kept()
    handle.add(kept, LogFormat.JSON)
    loguru.logger.bind(logger=Hostile()).info("battery-staple")
    assert b"a log record could not be read" in kept.lines[0]
    assert b"battery-staple" not in kept.lines[0]


def test_nothing_is_written_after_closing() -> None:
    seen = []
    number = loguru.logger.add(lambda message: seen.append(message.record))
    log.info("late")
    loguru.logger.remove(number)
    kept = Kept()
    handle = setup_logging(LoggingConfig(console=False))
    handle.add(kept, LogFormat.JSON)
    handle.close()
    handle.take(seen[0])
    assert kept.lines == []


def test_destination_that_cannot_be_closed_keeps_no_other_open() -> None:
    class Unclosable(Kept):
        def close(self) -> None:
            raise OSError("the disk is gone")

    class Closing(Kept):
        is_closed = False

        def close(self) -> None:
            self.is_closed = True

    handle, other = setup_logging(LoggingConfig(console=False)), Closing()
    handle.add(Unclosable(), LogFormat.TEXT)
    handle.add(other, LogFormat.TEXT)
    before = logging.getLogger().handlers[:]
    handle.close()
    assert other.is_closed
    assert len(logging.getLogger().handlers) == len(before) - 1


def test_error_of_a_destination_cannot_forge_a_line_on_standard_error(
    handle: LoggingHandle, capsys: pytest.CaptureFixture[str]
) -> None:
    class Forging(Kept):
        def write(self, line: bytes) -> None:
            raise OSError("full\n2026-01-01 INFO all is well\x1b[2J")

    handle.add(Forging(), LogFormat.TEXT)
    log.info("one")
    notice, line = capsys.readouterr().err.splitlines()
    assert r"full\n2026-01-01 INFO all is well\x1b[2J" in notice
    assert line.endswith("sinks | one")
