"""What a set-up puts in place, and what closing it takes away."""

import sys
from collections.abc import Callable
from pathlib import Path

import loguru
import pytest
from pydantic import ValidationError

from infrastructure.errors import ConfigurationError
from infrastructure.observability.logging import (
    LogFile,
    LogFormat,
    LoggingConfig,
    LogLevel,
    get_logger,
    setup_logging,
)
from tests.infrastructure.observability.logging.conftest import Written

log = get_logger("setup")


def test_console_writes_text_to_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    with setup_logging(LoggingConfig()):
        log.info("hello", user="ann")
    out, err = capsys.readouterr()
    assert out == ""
    assert err.endswith("INFO     setup | hello user=ann\n")
    assert len(err.splitlines()) == 1


def test_console_follows_a_redirection(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with setup_logging(LoggingConfig()), (tmp_path / "err").open("w+") as redirected:
        monkeypatch.setattr(sys, "stderr", redirected)
        log.info("hello")
        assert redirected.tell() > 0


def test_console_and_file_have_each_their_format(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    file = LogFile(path=tmp_path / "app.log", format=LogFormat.TEXT)
    with setup_logging(LoggingConfig(format=LogFormat.JSON, file=file)):
        log.info("hello")
    assert capsys.readouterr().err.startswith('{"ts":')
    assert "INFO     setup | hello" in file.path.read_text()


def test_less_severe_lines_are_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    with setup_logging(LoggingConfig(level=LogLevel.WARNING)):
        log.info("quiet")
        log.warning("loud")
    assert "quiet" not in capsys.readouterr().err


def test_unknown_level_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ValidationError, match="'WARNING'"):
        LoggingConfig.model_validate({"level": "loud"})
    assert LoggingConfig.model_validate({"level": "debug"}).level is LogLevel.DEBUG


def test_each_of_two_setups_writes_and_closing_one_leaves_the_other(
    log_to: Callable[..., Written], capsys: pytest.CaptureFixture[str]
) -> None:
    written = log_to()
    second = setup_logging(LoggingConfig())
    log.info("both")
    second.close()
    log.info("first only")
    assert [line["event"] for line in written.lines] == ["both", "first only"]
    assert "first only" not in capsys.readouterr().err


def test_secret_of_one_setup_is_masked_by_the_other_too(log_to: Callable[..., Written]) -> None:
    other = log_to()
    written = log_to(secrets=("correct-horse",))
    log.info("correct-horse")
    assert other.last["event"] == written.last["event"] == "***"


def test_single_string_of_secrets_is_one_secret(capsys: pytest.CaptureFixture[str]) -> None:
    with setup_logging(LoggingConfig(), secrets="correct-horse"):
        log.info("my correct-horse")
    assert "my ***" in capsys.readouterr().err


def test_handler_of_somebody_else_survives(capsys: pytest.CaptureFixture[str]) -> None:
    seen: list[str] = []
    number = loguru.logger.add(seen.append, format="{message}")
    setup_logging(LoggingConfig(console=False)).close()
    log.info("hello")
    loguru.logger.remove(number)
    assert seen == ["hello\n"]


def test_closing_twice_or_after_loguru_was_emptied_is_harmless(
    capsys: pytest.CaptureFixture[str],
) -> None:
    handle = setup_logging(LoggingConfig())
    loguru.logger.remove()
    handle.close()
    handle.close()
    log.info("nobody listens")
    assert capsys.readouterr().err == ""


def test_log_file_that_cannot_be_opened_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    config = LoggingConfig(file=LogFile(path=tmp_path / "file" / "app.log"))
    with pytest.raises(ConfigurationError, match=r"logging\.file\.path: cannot write the log file"):
        setup_logging(config)


def test_folder_of_the_log_file_is_made(tmp_path: Path) -> None:
    file = LogFile(path=tmp_path / "a" / "b" / "app.log")
    with setup_logging(LoggingConfig(console=False, file=file)):
        log.info("hello")
    assert file.path.exists()
