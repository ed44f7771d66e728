"""Audit lines that are sealed with a key: without it, nobody can compute the chain anew."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from infrastructure.errors import ConfigurationError
from infrastructure.observability.logging import AuditFile, verify_audit
from infrastructure.observability.logging.backups import Backups
from infrastructure.observability.logging.chain import FIRST, numbered_of, sealed
from tests.infrastructure.observability.logging.chained import written

OLD, NEW = "an old secret of 2025", "the secret of 2026"
KEYS = {"2025": OLD, "2026": NEW}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "audit.log"


def keyed(path: Path, lines: int, key: str = "2026", **settings: Any) -> None:
    written(path, lines, key={"id": key, "secret": KEYS[key]}, **settings)


def computed_anew(lines: list[bytes], secret: bytes | None = None) -> bytes:
    """The chain of these lines, as somebody makes it who can write the file."""
    before, made = FIRST, b""
    for line in lines:
        numbered = numbered_of(line)
        assert numbered is not None
        bare = line[: line.rindex(b',"hash"')].replace(numbered.prev.encode(), before.encode())
        new, before = sealed(bare + b"}\n", secret)
        made += new
    return made


def test_lines_say_which_key_seals_them_and_verify_with_it(path: Path) -> None:
    keyed(path, 3)
    report = verify_audit(path, keys=KEYS)
    assert (report.is_intact, report.lines, report.keyed_lines) == (True, 3, 3)
    assert path.read_bytes().count(b'"key":"2026"') == 3
    assert NEW.encode() not in path.read_bytes()


def test_without_its_key_a_chain_is_neither_intact_nor_broken(path: Path) -> None:
    keyed(path, 1)
    with pytest.raises(ConfigurationError, match=f"{path}:1: keyed, key missing.*'2026'.*Hand in"):
        verify_audit(path)


def test_chain_that_was_computed_anew_without_the_key_is_found(path: Path) -> None:
    keyed(path, 3)
    changed = path.read_bytes().replace(b"event 1", b"event 7").splitlines(keepends=True)
    path.write_bytes(computed_anew(changed))
    assert str(verify_audit(path, keys=KEYS).broken) == f"{path}:1: it was changed"


def test_what_makes_a_chain_anew_is_what_the_file_makes(path: Path) -> None:
    """So that the test above fails for the key alone."""
    written(path, 3)
    original = path.read_bytes()
    assert computed_anew(original.splitlines(keepends=True)) == original


def test_chain_whose_keys_were_taken_out_is_found(path: Path) -> None:
    keyed(path, 3)
    bare = path.read_bytes().replace(b',"key":"2026"', b"").splitlines(keepends=True)
    path.write_bytes(computed_anew(bare))
    assert verify_audit(path).is_intact
    broken = verify_audit(path, keys=KEYS).broken
    assert str(broken) == f"{path}:3: it ends here, and no line of it is sealed with a key"


def test_line_without_a_key_behind_one_that_has_it_is_found(path: Path) -> None:
    keyed(path, 1)
    written(path, 1)
    broken = verify_audit(path, keys=KEYS).broken
    assert str(broken) == f"{path}:2: it is sealed with no key, and a line before it is"


def test_lines_from_before_the_first_key_are_covered_by_it(path: Path) -> None:
    written(path, 2)
    keyed(path, 1)
    report = verify_audit(path, keys=KEYS)
    assert (report.is_intact, report.lines, report.keyed_lines) == (True, 3, 1)
    *older, last = path.read_bytes().replace(b"event 1", b"event 7").splitlines(keepends=True)
    path.write_bytes(computed_anew(older) + last)
    assert "what stands before it" in str(verify_audit(path, keys=KEYS).broken)


@pytest.mark.parametrize("compress", [True, False])
def test_keys_change_over_rotations_backups_and_restarts(path: Path, compress: bool) -> None:
    keyed(path, 6, "2025", max_bytes=600, compress=compress)
    keyed(path, 6, "2026", max_bytes=600, compress=compress)
    report = verify_audit(path, keys=KEYS)
    assert (report.broken, report.keyed_lines) == (None, 12)
    assert len(Backups(path).listed()) > 3
    with pytest.raises(ConfigurationError, match="'2025'"):
        verify_audit(path, keys={"2026": NEW})


def test_no_file_is_larger_than_its_bound_with_a_long_key_id(path: Path) -> None:
    written(path, 8, key={"id": "k" * 64, "secret": NEW}, max_bytes=900)
    assert max(each.stat().st_size for each in [path, *Backups(path).listed()]) <= 900


@pytest.mark.parametrize("cut", [1, 30, 200])
def test_keyed_chain_survives_a_torn_line(path: Path, cut: int) -> None:
    keyed(path, 3)
    path.write_bytes(path.read_bytes()[:-cut])
    keyed(path, 2)
    assert verify_audit(path, keys=KEYS).broken is None


def test_wrong_secret_under_the_right_id_is_a_break(path: Path) -> None:
    keyed(path, 1)
    assert "it was changed" in str(verify_audit(path, keys={"2026": OLD}).broken)


def test_id_that_somebody_has_made_up_cannot_paint_the_terminal(path: Path) -> None:
    keyed(path, 1)
    path.write_bytes(path.read_bytes().replace(b'"key":"2026"', b'"key":"\\u001b[31m\\nok"'))
    with pytest.raises(ConfigurationError) as raised:
        verify_audit(path, keys=KEYS)
    assert str(raised.value).isprintable()


@pytest.mark.parametrize(
    "key",
    [{"id": "2026", "secret": "short"}, {"id": 'a"b', "secret": NEW}, {"id": "", "secret": NEW}],
    ids=["short secret", "quote in the id", "no id"],
)
def test_key_that_cannot_be_one_is_refused(path: Path, key: dict[str, str]) -> None:
    with pytest.raises(ValidationError) as raised:
        AuditFile.model_validate({"path": path, "key": key})
    assert NEW not in str(raised.value)
