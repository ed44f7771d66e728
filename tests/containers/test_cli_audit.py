"""`switchgear audit`, as it is typed."""

from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from containers.cli.app import app
from infrastructure.observability.logging import LoggingConfig, get_logger, setup_logging


def typed(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["audit", *arguments])


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Three lines of an audit."""
    path = tmp_path / "audit.log"
    streams = {"audit": {"file": {"path": path}}}
    config = LoggingConfig.model_validate({"console": False, "streams": streams})
    with setup_logging(config):
        for number in range(3):
            get_logger("shop", stream="audit").info("paid", order=number)
    return path


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
