"""`switchgear audit`, as it is typed."""

from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from containers.cli.app import app
from infrastructure.observability.logging import LoggingConfig, get_logger, setup_logging
from infrastructure.observability.logging.backups import Backups

SECRET = "the secret of 2026"


def typed(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["audit", *arguments])


def audit_of(path: Path, **file: Any) -> Path:
    """Three lines of an audit."""
    streams = {"audit": {"file": {"path": path, **file}}}
    config = LoggingConfig.model_validate({"console": False, "streams": streams})
    with setup_logging(config):
        for number in range(3):
            get_logger("shop", stream="audit").info("paid", order=number)
    return path


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return audit_of(tmp_path / "audit.log")


def test_an_intact_chain_is_told_by_its_last_number_and_hash(file: Path) -> None:
    done = typed(str(file))
    number, _, seal = done.stdout.strip().partition(":")
    assert (done.exit_code, number, len(seal)) == (0, "3", 64)


def test_an_edited_line_is_named_and_the_code_is_one(file: Path) -> None:
    file.write_bytes(file.read_bytes().replace(b'"order":1', b'"order":7'))
    done = typed(str(file))
    assert done.exit_code == 1
    assert f"{file}:2:" in done.stdout.replace("\n", "")


def test_lines_cut_off_are_found_by_what_was_known(file: Path) -> None:
    known = typed(str(file)).stdout.strip()
    file.write_bytes(b"".join(file.read_bytes().splitlines(keepends=True)[:2]))
    assert typed(str(file)).exit_code == 0
    assert typed(str(file), "--known", known).exit_code == 1


def test_what_is_no_file_or_no_mark_is_an_error_of_the_caller(file: Path, tmp_path: Path) -> None:
    assert typed(str(tmp_path / "none.log")).exit_code == 2
    assert typed(str(file), "--known", "three").exit_code == 2


def test_keyed_chain_asks_for_its_key_and_verifies_with_it(tmp_path: Path) -> None:
    path = audit_of(tmp_path / "audit.log", key={"id": "2026", "secret": SECRET})
    asked = typed(str(path))
    assert (asked.exit_code, "keyed, key missing" in asked.stderr) == (2, True)
    (tmp_path / "key").write_text(f"{SECRET}\n")
    done = typed(str(path), "--key", f"2026={tmp_path / 'key'}")
    assert (done.exit_code, done.stdout[:2]) == (0, "3:")


@pytest.mark.parametrize("given", ["2026", "=key", "2026=/nowhere"])
def test_key_that_cannot_be_read_is_an_error_of_the_caller(file: Path, given: str) -> None:
    assert typed(str(file), "--key", given).exit_code == 2


def test_file_that_was_put_aside_just_now_is_verified_by_its_backups(file: Path) -> None:
    file.rename(Backups(file).next_path())
    assert typed(str(file)).stdout.startswith("3:")
