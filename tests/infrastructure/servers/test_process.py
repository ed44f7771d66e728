import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from infrastructure.errors import UnavailableError
from infrastructure.servers.process import ServerProcess, free_port

SLEEP = [sys.executable, "-c", "import time; time.sleep(600)"]
DEAF = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("on", flush=True)
time.sleep(600)
"""


@pytest.fixture
def process() -> Iterator[ServerProcess]:
    process = ServerProcess("example")
    yield process
    process.close()


def _is_alive(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


def test_it_is_started_when_it_answers(process: ServerProcess) -> None:
    answers = iter([False, False, True])
    process.start(SLEEP, is_ready=lambda: next(answers))
    assert process.is_running
    assert list(answers) == []


def test_a_refused_connection_means_not_yet(process: ServerProcess) -> None:
    answers = iter([ConnectionRefusedError(), None])

    def is_ready() -> bool:
        if (error := next(answers)) is not None:
            raise error
        return True

    process.start(SLEEP, is_ready=is_ready)
    assert process.is_running


def test_one_that_ends_at_once_is_told_with_its_log(process: ServerProcess) -> None:
    command = [sys.executable, "-c", "raise SystemExit('bad option --frob')"]
    with pytest.raises(UnavailableError, match="'example' ended at start: bad option --frob"):
        process.start(command, is_ready=lambda: False)


def test_one_that_never_answers_is_ended_and_told(process: ServerProcess) -> None:
    seen: list[int | None] = []

    def is_ready() -> bool:
        seen.append(process.pid)
        return False

    with pytest.raises(UnavailableError, match=r"no answer within 0\.1 s"):
        process.start(SLEEP, is_ready=is_ready, timeout_seconds=0.1)
    assert seen[0] is not None
    assert not _is_alive(seen[0])


def test_one_that_ignores_the_request_to_end_is_killed(process: ServerProcess) -> None:
    process.start([sys.executable, "-c", DEAF], is_ready=lambda: "on" in process.log_tail())
    pid = process.pid
    assert pid is not None
    process.end(timeout_seconds=0.1)
    assert not _is_alive(pid)


def test_it_can_be_started_again_after_a_crash(process: ServerProcess) -> None:
    process.start(SLEEP, is_ready=lambda: True)
    first = process.pid
    process.kill()
    assert not process.is_running
    process.start(SLEEP, is_ready=lambda: True)
    assert process.pid not in {first, None}


def test_starting_what_runs_starts_no_other(process: ServerProcess) -> None:
    process.start(SLEEP, is_ready=lambda: True)
    first = process.pid
    process.start(SLEEP, is_ready=lambda: True)
    assert process.pid == first


def test_its_folder_is_private_and_goes_with_it() -> None:
    process = ServerProcess("example")
    assert process.folder.stat().st_mode & 0o077 == 0
    process.close()
    process.close()
    assert not process.folder.exists()


def test_a_free_port_is_none_that_an_outgoing_connection_is_given() -> None:
    ports = {free_port() for _ in range(50)}
    assert len(ports) > 1
    assert max(ports) < 32_768
