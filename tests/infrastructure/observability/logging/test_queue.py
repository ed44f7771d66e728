"""Destinations behind a queue: the caller never waits, what is dropped is counted."""

import asyncio
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from infrastructure.observability.logging import (
    LogFile,
    LogFormat,
    LoggingConfig,
    LogQueue,
    get_logger,
    setup_logging,
)
from infrastructure.observability.logging.fallback import Fallback
from infrastructure.observability.logging.line_queue import LineQueue
from infrastructure.observability.logging.queued import Queued
from infrastructure.observability.logging.redaction import Redactor

log = get_logger("queue")


class Stuck:
    """A destination that hangs in its first write until it is let go."""

    def __init__(self) -> None:
        self.lines: list[bytes] = []
        self.entered, self.let_go = threading.Event(), threading.Event()

    def __str__(self) -> str:
        return "the stuck disk"

    def write(self, line: bytes) -> None:
        self.entered.set()
        assert self.let_go.wait(30)
        self.lines.append(line)

    def close(self) -> None:
        """Nothing is held."""


def queued(stuck: Stuck, **settings: float) -> Queued:
    return Queued(stuck, LogQueue.model_validate(settings), Fallback(Redactor(), str(stuck)))


async def test_stuck_destination_does_not_stop_the_loop() -> None:
    stuck = Stuck()
    with setup_logging(LoggingConfig(console=False)) as handle:
        handle.add(queued(stuck), LogFormat.TEXT)
        for _ in range(100):
            log.info("hello")
        assert await asyncio.to_thread(stuck.entered.wait, 30)
        stuck.let_go.set()
    assert len(stuck.lines) == 100


def test_oldest_lines_are_dropped_and_counted() -> None:
    stuck = Stuck()
    queue = queued(stuck, max_lines=3)
    queue.write(b"0")
    assert stuck.entered.wait(30)
    for number in range(1, 10):
        queue.write(b"%d" % number)
    assert queue.dropped == 6
    stuck.let_go.set()
    queue.close()
    assert stuck.lines == [b"0", b"7", b"8", b"9"]


def test_what_was_dropped_is_counted_and_told(capsys: pytest.CaptureFixture[str]) -> None:
    stuck = Stuck()
    with setup_logging(LoggingConfig(console=False)) as handle:
        handle.add(queued(stuck, max_lines=1), LogFormat.TEXT)
        log.info("first")
        assert stuck.entered.wait(30)
        log.info("second")
        log.info("third")
        assert (handle.dropped, handle.failures) == (1, 0)
        assert [one.value for one in handle.measurements()] == [0, 1]
        stuck.let_go.set()
    told = "logging to the stuck disk has trouble: OverloadedError: 1 lines did not fit the queue"
    assert told in capsys.readouterr().err


def test_closing_waits_no_longer_than_allowed_and_counts_the_rest() -> None:
    stuck = Stuck()
    queue = queued(stuck, close_seconds=0.01)
    for _ in range(5):
        queue.write(b"line")
    assert stuck.entered.wait(30)
    queue.close()
    assert queue.dropped == 5
    stuck.let_go.set()


def test_line_after_closing_is_dropped_and_counted() -> None:
    queue = queued(Stuck())
    queue.close()
    queue.write(b"late")
    assert queue.dropped == 1


def test_failing_destination_does_not_end_the_thread(capsys: pytest.CaptureFixture[str]) -> None:
    class Failing(Stuck):
        def write(self, line: bytes) -> None:
            self.lines.append(line)
            raise OSError("no space left")

    fallback, failing = Fallback(Redactor(), "the disk"), Failing()
    queue = Queued(failing, LogQueue(), fallback)
    queue.write(b"1\n")
    queue.write(b"2\n")
    queue.close()
    assert (failing.lines, fallback.failures) == ([b"1\n", b"2\n"], 2)
    assert "logging to the disk failed 1 times, last with OSError" in capsys.readouterr().err


def test_value_that_cannot_be_pickled_or_changes_later_is_written_as_it_was(
    tmp_path: Path,
) -> None:
    file = LogFile(path=tmp_path / "app.log", queue=LogQueue())
    value = {"lock": threading.Lock(), "state": "before"}
    with setup_logging(LoggingConfig(console=False, file=file)):
        log.info("hello", value=value)
        value["state"] = "after"
    assert b'"state":"before"' in file.path.read_bytes()


def test_console_can_have_a_queue(capsys: pytest.CaptureFixture[str]) -> None:
    with setup_logging(LoggingConfig(console_queue=LogQueue())):
        log.info("hello")
    assert "hello" in capsys.readouterr().err


@pytest.mark.parametrize("ending", ["", "raise SystemExit(3)", "1 / 0"])
def test_program_that_ends_without_closing_loses_nothing(tmp_path: Path, ending: str) -> None:
    code = (
        "from pathlib import Path\n"
        "from infrastructure.observability.logging import *\n"
        f"file = LogFile(path=Path({str(tmp_path / 'app.log')!r}), queue=LogQueue())\n"
        "setup_logging(LoggingConfig(console=False, file=file))\n"
        "for number in range(2_000): get_logger('x').info('line', number=number)\n"
        f"{ending}"
    )
    root = Path(__file__).parents[4]
    subprocess.run([sys.executable, "-c", code], cwd=root, check=False, capture_output=True)
    assert len((tmp_path / "app.log").read_bytes().splitlines()) == 2_000


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_forked_child_has_a_thread_of_its_own_even_when_the_queue_was_full(
    tmp_path: Path,
) -> None:
    stuck = Stuck()
    queue = queued(stuck, max_lines=2)
    for _ in range(5):
        queue.write(b"parent's\n")
    assert stuck.entered.wait(30)
    child = os.fork()
    if not child:
        stuck.let_go.set()
        queue.write(b"child's\n")
        queue.close()
        os._exit(0 if stuck.lines == [b"child's\n"] else 1)
    assert os.waitpid(child, 0)[1] == 0
    stuck.let_go.set()
    queue.close()


def test_lines_are_handed_over_in_batches_and_in_order() -> None:
    batches: list[list[bytes]] = []
    queue = LineQueue(batches.append, 1_000, batch_lines=10, linger_seconds=30)
    for number in range(25):
        queue.put(b"%d" % number)
    queue.close(30)
    assert [line for batch in batches for line in batch] == [b"%d" % n for n in range(25)]
    assert max(map(len, batches)) <= 10


def test_full_batch_does_not_linger() -> None:
    taken = threading.Event()
    queue = LineQueue(lambda _: taken.set(), 10, batch_lines=2, linger_seconds=1_000)
    queue.put(b"1")
    queue.put(b"2")
    assert taken.wait(30)
    queue.close(1)


def test_pause_ends_when_the_queue_is_closed() -> None:
    begun, over = threading.Event(), threading.Event()

    def deliver(_: list[bytes]) -> None:
        begun.set()
        queue.pause(1_000)
        over.set()

    queue = LineQueue(deliver, 10)
    queue.put(b"1")
    assert begun.wait(30)
    queue.close(30)
    assert over.is_set()


def test_thread_that_cannot_be_started_is_tried_again_with_the_next_line(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    delivered: list[bytes] = []
    queue = LineQueue(delivered.extend, 10)
    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", no_more_threads)
        with pytest.raises(RuntimeError, match="can't start new thread"):
            queue.put(b"lost, and told")
    queue.put(b"written")
    queue.close(10)
    assert (delivered, queue.dropped) == ([b"written"], 0)


def test_queue_whose_thread_never_started_can_be_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    queue = LineQueue(lambda _: None, 10)
    monkeypatch.setattr(threading.Thread, "start", no_more_threads)
    with pytest.raises(RuntimeError, match="can't start new thread"):
        queue.put(b"lost, and told")
    queue.close(10)
    assert queue.dropped == 0


def no_more_threads(_: threading.Thread) -> None:
    """What the system says when it has none left."""
    raise RuntimeError("can't start new thread")
