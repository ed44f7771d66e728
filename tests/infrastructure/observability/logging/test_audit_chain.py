"""The chain of the audit lines: it goes on over everything, and shows what was touched."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infrastructure.errors import ConfigurationError, NotFoundError
from infrastructure.observability.logging import AuditFile, verify_audit
from infrastructure.observability.logging.audit import ChainedFile
from infrastructure.observability.logging.backups import Backups
from tests.infrastructure.observability.logging.chained import entry, written


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "audit.log"


@pytest.mark.parametrize("compress", [True, False])
def test_chain_goes_on_over_rotations_and_restarts(path: Path, compress: bool) -> None:
    for _ in range(4):
        written(path, 5, max_bytes=500, compress=compress)
    report = verify_audit(path)
    assert report.broken is None
    assert (report.first_seq, report.last_seq) == (1, 20)
    assert len(Backups(path).listed()) > 5


def test_file_lost_in_a_crash_after_rotation_goes_on_from_the_backup(path: Path) -> None:
    written(path, 3)
    path.rename(Backups(path).next_path())
    written(path, 1)
    assert verify_audit(path).last_seq == 4


def test_deleted_old_backups_are_seen_in_the_first_number(path: Path) -> None:
    written(path, 20, max_bytes=500, backup_count=1)
    report = verify_audit(path)
    assert report.first_seq > 1
    assert report.is_intact


def change(line: bytes) -> bytes:
    return line.replace(b"event", b"evens")


@pytest.mark.parametrize(
    ("tamper", "broken_at"),
    [
        (lambda lines: [*lines[:2], change(lines[2]), *lines[3:]], 3),
        (lambda lines: [*lines[:2], *lines[3:]], 3),
        (lambda lines: [*lines[:3], lines[2], *lines[3:]], 4),
        (lambda lines: [lines[1], lines[0], *lines[2:]], 2),
        (lambda lines: [*lines[:2], b"{}\n", *lines[3:]], 4),
        (lambda lines: [*lines[:2], b"made up\n", *lines[2:]], 4),
        (lambda lines: [b"made up\n", *lines], 2),
    ],
    ids=["changed", "removed", "doubled", "swapped", "emptied", "added", "begun otherwise"],
)
def test_tampering_is_found_at_its_line(
    path: Path, tamper: Callable[[list[bytes]], list[bytes]], broken_at: int
) -> None:
    written(path, 5)
    path.write_bytes(b"".join(tamper(path.read_bytes().splitlines(keepends=True))))
    broken = verify_audit(path).broken
    assert broken is not None
    assert (broken.file, broken.line) == (path, broken_at)


def test_line_added_at_the_end_by_a_stranger_is_found(path: Path) -> None:
    written(path, 2)
    with path.open("ab") as file:
        file.write(b"made up\n")
    assert str(verify_audit(path).broken) == f"{path}:3: nothing accounts for this line"


def test_backup_that_is_gone_is_found(path: Path) -> None:
    written(path, 20, max_bytes=500)
    Backups(path).listed()[3].unlink()
    assert "follows line" in str(verify_audit(path).broken)


@given(position=st.integers(0, 10_000), bit=st.integers(0, 7))
def test_any_flipped_bit_is_found(
    tmp_path_factory: pytest.TempPathFactory, position: int, bit: int
) -> None:
    path = tmp_path_factory.mktemp("bits") / "audit.log"
    written(path, 4)
    data = bytearray(path.read_bytes())
    # But of the last newline: half a line at the end may be a write that goes on.
    data[position % (len(data) - 1)] ^= 1 << bit
    path.write_bytes(data)
    assert not verify_audit(path).is_intact


@given(cut=st.integers(0, 600), more=st.integers(1, 3))
def test_chain_survives_a_line_torn_anywhere(
    tmp_path_factory: pytest.TempPathFactory, cut: int, more: int
) -> None:
    path = tmp_path_factory.mktemp("torn") / "audit.log"
    written(path, 3)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) - cut % len(data)])
    for _ in range(more):
        written(path, 1)
    report = verify_audit(path)
    assert report.broken is None
    assert report.torn_lines <= 1
    assert report.last_seq >= more


def test_line_before_a_torn_one_cannot_be_changed_either(path: Path) -> None:
    written(path, 3)
    path.write_bytes(path.read_bytes()[:-20])
    written(path, 2)
    path.write_bytes(path.read_bytes().replace(b"event 1", b"event 7", 1))
    assert not verify_audit(path).is_intact


def test_two_torn_lines_one_after_the_other_are_survived(path: Path) -> None:
    written(path, 2)
    with path.open("ab") as file:
        file.write(b'{"ts":"20\n{"half')
    written(path, 2)
    report = verify_audit(path)
    assert (report.is_intact, report.torn_lines, report.last_seq) == (True, 2, 4)


def test_backup_that_cannot_be_unpacked_is_a_break(path: Path) -> None:
    written(path, 10, max_bytes=500, compress=True)
    backup = Backups(path).listed()[0]
    backup.write_bytes(backup.read_bytes()[:-9])
    assert str(verify_audit(path).broken) == f"{backup}:1: this backup cannot be unpacked"


def test_very_long_line_is_found_again(path: Path) -> None:
    file = ChainedFile(AuditFile(path=path, max_bytes=10**9))
    file.append(entry("x" * 200_000))
    file.close()
    written(path, 1)
    assert verify_audit(path).last_seq == 2


def test_number_of_a_line_that_failed_is_used_again(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = ChainedFile(AuditFile(path=path))
    file.append(entry("one"))
    with monkeypatch.context() as patched:
        patched.setattr(os, "write", lambda *_: 3)
        with pytest.raises(OSError, match="3 of"):
            file.append(entry("two"))
    file.append(entry("three"))
    file.close()
    report = verify_audit(path)
    assert (report.is_intact, report.last_seq, report.torn_lines) == (True, 2, 0)


def test_file_that_is_not_there_cannot_be_verified(path: Path) -> None:
    with pytest.raises(NotFoundError, match="there is no audit file"):
        verify_audit(path)


@pytest.mark.parametrize("left", [0, 3])
def test_lines_cut_off_at_the_end_are_found_by_who_knew_them(path: Path, left: int) -> None:
    written(path, 5)
    report = verify_audit(path)
    known = (report.last_seq, report.last_hash)
    assert verify_audit(path, known=known).is_intact
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:left]))
    assert verify_audit(path).is_intact
    assert "line 5 was known" in str(verify_audit(path, known=known).broken)


def test_chain_that_was_computed_anew_is_found_by_who_knew_the_old(path: Path) -> None:
    written(path, 3)
    report = verify_audit(path)
    path.unlink()
    written(path, 2)
    written(path, 1)
    known = (report.last_seq, report.last_hash)
    assert verify_audit(path).last_seq == report.last_seq
    assert str(verify_audit(path, known=known).broken).endswith("than the one that was known")


def test_backup_that_cannot_be_read_is_told_with_what_to_do(path: Path) -> None:
    written(path, 1)
    backup = Backups(path).next_path()
    backup.mkdir()
    with pytest.raises(ConfigurationError, match=r"cannot be read .* user who may read") as raised:
        verify_audit(path)
    assert raised.value.where == str(backup)
