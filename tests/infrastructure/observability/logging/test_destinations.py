"""How log files grow and rotate."""

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from infrastructure.config.models.logging import LogFile
from infrastructure.observability.logging import get_logger
from infrastructure.observability.logging.backups import Backups
from infrastructure.observability.logging.destinations import RotatingFile
from tests.infrastructure.observability.logging.conftest import Written

log = get_logger("files")


@pytest.fixture
def rotating(tmp_path: Path) -> Iterator[Callable[..., RotatingFile]]:
    files: list[RotatingFile] = []

    def build(**settings: Any) -> RotatingFile:
        files.append(RotatingFile(LogFile(path=tmp_path / "app.log", **settings)))
        return files[-1]

    yield build
    for file in files:
        file.close()


def backups(folder: Path) -> list[bytes]:
    """What the rotated files hold, the oldest first."""
    return [path.read_bytes() for path in Backups(folder / "app.log").listed()]


def test_line_that_does_not_fit_starts_a_new_file(
    rotating: Callable[..., RotatingFile], tmp_path: Path
) -> None:
    file = rotating(max_bytes=10)
    file.write(b"12345\n")
    file.write(b"67890\n")
    assert (tmp_path / "app.log").read_bytes() == b"67890\n"
    assert backups(tmp_path) == [b"12345\n"]


def test_file_exactly_full_does_not_rotate(
    rotating: Callable[..., RotatingFile], tmp_path: Path
) -> None:
    file = rotating(max_bytes=12)
    file.write(b"12345\n")
    file.write(b"67890\n")
    assert backups(tmp_path) == []


def test_no_more_backups_are_kept_than_asked_for(
    rotating: Callable[..., RotatingFile], tmp_path: Path
) -> None:
    file = rotating(max_bytes=2, backup_count=2)
    for number in range(5):
        file.write(b"%d\n" % number)
    file.close()
    assert backups(tmp_path) == [b"2\n", b"3\n"]


def test_without_backups_the_file_starts_anew(
    rotating: Callable[..., RotatingFile], tmp_path: Path
) -> None:
    file = rotating(max_bytes=2, backup_count=0)
    file.write(b"1\n")
    file.write(b"2\n")
    file.close()
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"2\n"]


def test_line_longer_than_the_file_may_be_is_written_whole(
    rotating: Callable[..., RotatingFile], tmp_path: Path
) -> None:
    rotating(max_bytes=3).write(b"1234567890\n")
    assert (tmp_path / "app.log").read_bytes() == b"1234567890\n"


def test_size_of_an_existing_file_counts(
    rotating: Callable[..., RotatingFile], tmp_path: Path
) -> None:
    (tmp_path / "app.log").write_bytes(b"12345\n")
    rotating(max_bytes=8).write(b"678\n")
    assert (tmp_path / "app.log").read_bytes() == b"678\n"


def test_line_after_one_that_a_crash_has_torn_starts_on_its_own(
    rotating: Callable[..., RotatingFile], tmp_path: Path
) -> None:
    (tmp_path / "app.log").write_bytes(b"half a li")
    rotating().write(b"whole\n")
    assert (tmp_path / "app.log").read_bytes() == b"half a li\nwhole\n"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_full_disk_raises_for_the_sink_to_count(tmp_path: Path) -> None:
    (tmp_path / "app.log").symlink_to("/dev/full")
    file = RotatingFile(LogFile(path=tmp_path / "app.log"))
    with pytest.raises(OSError, match="No space left"):
        file.write(b"line\n")
    file.close()


def test_process_that_ends_at_once_has_lost_no_line(tmp_path: Path) -> None:
    """Nothing is buffered: not even an exit without clean-up loses what was logged."""
    code = (
        "import os\nfrom pathlib import Path\n"
        "from infrastructure.observability.logging import *\n"
        f"file = LogFile(path=Path({str(tmp_path / 'app.log')!r}))\n"
        "setup_logging(LoggingConfig(console=False, file=file))\n"
        "for number in range(100): get_logger('x').info('line', number=number)\n"
        "os._exit(0)"
    )
    subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[4], check=True)
    assert len((tmp_path / "app.log").read_bytes().splitlines()) == 100


def test_threads_lose_no_line_over_rotations(
    log_to: Callable[..., Written], tmp_path: Path
) -> None:
    log_to(max_bytes=4_000, backup_count=500)

    def work(name: str) -> None:
        for number in range(100):
            log.info("working", name=name, number=number)

    threads = [threading.Thread(target=work, args=(name,)) for name in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(len(path.read_bytes().splitlines()) for path in tmp_path.iterdir()) == 400
