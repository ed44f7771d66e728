"""Several processes on one file: nothing lost, nobody held up for long, forks survive."""

import gzip
import os
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from infrastructure.config.models.logging import LogFile
from infrastructure.file_locks import locked
from infrastructure.observability.logging import appending, get_logger, verify_audit
from infrastructure.observability.logging.backups import Backups
from infrastructure.observability.logging.destinations import RotatingFile
from infrastructure.observability.logging.process import process
from infrastructure.observability.logging.sinks import LineSink
from tests.infrastructure.observability.logging.conftest import Written

ROOT = Path(__file__).parents[4]
LINES = 1_500
log = get_logger("processes")

PROGRAM = """
import sys
from pathlib import Path
from infrastructure.observability.logging import *
path, stream, name = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
streams = Streams(audit=AuditConfig(file=AuditFile(path=path, max_bytes=30_000, compress=True)))
file = LogFile(path=path, max_bytes=30_000, backup_count=1_000, compress=True)
chosen = {"streams": streams} if stream == "audit" else {"file": file}
config = LoggingConfig(console=False, **chosen)
with setup_logging(config) as handle:
    log = get_logger(name, stream=stream)
    print("ready", flush=True)
    sys.stdin.readline()
    for number in range(1_500):
        log.info("line", number=number)
    assert handle.failures == 0
"""


def run_three(path: Path, stream: str) -> None:
    """Three processes that begin at once."""
    children = [
        subprocess.Popen(
            [sys.executable, "-c", PROGRAM, str(path), stream, f"process-{number}"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in range(3)
    ]
    for child in children:
        assert child.stdout
        assert child.stdout.readline() == "ready\n"
    for child in children:
        child.communicate("go\n", timeout=60)
        assert child.returncode == 0


def lines_of_all(path: Path) -> list[bytes]:
    files = [*Backups(path).listed(), path]
    return [
        line
        for file in files
        for line in (
            gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes()
        ).splitlines()
    ]


def test_three_processes_lose_no_line_over_rotations_and_compression(tmp_path: Path) -> None:
    path = tmp_path / "app.log"
    run_three(path, "app")
    found = Counter(line.split(b'"logger":"')[1][:9] for line in lines_of_all(path))
    assert found == {f"process-{number}".encode(): LINES for number in range(3)}
    assert len(Backups(path).listed()) > 10
    assert not list(tmp_path.glob("*.part"))


def test_three_processes_make_one_audit_chain(tmp_path: Path) -> None:
    path = tmp_path / "audit.log"
    run_three(path, "audit")
    report = verify_audit(path)
    assert report.broken is None
    assert (report.lines, report.first_seq, report.last_seq) == (3 * LINES, 1, 3 * LINES)


def test_killed_process_breaks_no_chain(tmp_path: Path) -> None:
    path = tmp_path / "audit.log"
    for _ in range(3):
        child = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, str(path), "audit", "process-0"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert child.stdin
        assert child.stdout
        assert child.stdout.readline() == "ready\n"
        child.stdin.write("go\n")
        child.stdin.flush()
        poll_until_changed(path)
        child.kill()
        child.wait()
        child.stdin.close()
        child.stdout.close()
    report = verify_audit(path)
    assert (report.broken, report.first_seq) == (None, 1)


def poll_until_changed(path: Path) -> None:
    """Look again and again, for 30 seconds at most."""
    end = time.monotonic() + 30
    with suppress(FileNotFoundError):  # it was just put aside: it has changed
        size = path.stat().st_size
        while path.stat().st_size == size:
            assert time.monotonic() < end


def test_frozen_process_that_holds_the_file_stops_a_writer_once_and_briefly(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(appending, "LOCK_SECONDS", 0.01)
    file = RotatingFile(LogFile(path=tmp_path / "app.log"))
    with (tmp_path / "app.log").open("rb") as other:
        assert locked(other.fileno())
        with pytest.raises(TimeoutError, match="another process holds the file"):
            file.write(b"one\n")
        monkeypatch.setattr(appending, "LOCK_SECONDS", 1_000_000.0)
        with pytest.raises(TimeoutError):
            file.write(b"two\n")
    file.write(b"three\n")
    assert (tmp_path / "app.log").read_bytes() == b"three\n"
    file.close()


def test_file_that_was_moved_away_is_made_anew(tmp_path: Path) -> None:
    """As logrotate does."""
    file = RotatingFile(LogFile(path=tmp_path / "app.log"))
    file.write(b"one\n")
    (tmp_path / "app.log").rename(tmp_path / "elsewhere")
    file.write(b"two\n")
    file.close()
    assert (tmp_path / "app.log").read_bytes() == b"two\n"


def in_child(work: Callable[[], object]) -> int:
    """Run it in a forked child and tell the child's exit code."""
    child = os.fork()
    if not child:
        try:
            work()
        finally:
            os._exit(0)
    return os.waitpid(child, 0)[1]


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_forked_child_writes_though_a_thread_of_its_parent_held_the_lock(
    written: Written,
) -> None:
    held, done = threading.Event(), threading.Event()

    sink = process._handles[-1]._sinks[0]
    assert isinstance(sink, LineSink)

    def hold() -> None:
        with sink._lock:
            held.set()
            assert done.wait(30)

    thread = threading.Thread(target=hold)
    thread.start()
    assert held.wait(30)
    in_child(lambda: log.info("from the child"))
    done.set()
    thread.join()
    assert written.last["event"] == "from the child"
