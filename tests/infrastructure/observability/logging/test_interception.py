"""What becomes of records of the standard library and of plain loguru."""

import logging
from collections.abc import Callable

import loguru
import pytest

from infrastructure.observability.logging import LoggingConfig, setup_logging
from infrastructure.observability.logging.interception import Interception
from tests.infrastructure.observability.logging.conftest import Written

stdlib = logging.getLogger("vendor.client")


def test_record_keeps_its_logger_level_and_caller(written: Written) -> None:
    stdlib.warning("slow answer")
    assert written.last["logger"] == "vendor.client"
    assert written.last["level"] == "WARNING"
    assert ":test_record_keeps_its_logger_level_and_caller:" in written.last["caller"]


def test_percent_arguments_are_applied_and_braces_stay(written: Written) -> None:
    stdlib.info("%s of %d {x}", "three", 4)
    assert written.last["event"] == "three of 4 {x}"


def test_wrong_arguments_lose_no_line_and_raise_nothing(
    written: Written, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    root = logging.getLogger()
    ours = [handler for handler in root.handlers if isinstance(handler, Interception)]
    monkeypatch.setattr(root, "handlers", ours)  # pytest's own would raise
    stdlib.info("%d items", "many")
    assert written.last["event"] == "%d items ('many',)"
    assert capsys.readouterr().err == ""


def test_unknown_level_is_told_by_its_number(written: Written) -> None:
    stdlib.log(25, "between")
    assert written.last["level"] == "Level 25"


def test_extra_attributes_become_fields(written: Written) -> None:
    stdlib.info("sent", extra={"bytes_sent": 12})
    assert written.last["fields"] == {"bytes_sent": 12}


def test_exception_of_a_record_is_described(written: Written) -> None:
    try:
        int("x")
    except ValueError:
        stdlib.exception("no number")
    assert written.last["error"]["type"] == "ValueError"


def test_exc_info_outside_of_an_exception_is_no_error(written: Written) -> None:
    stdlib.error("odd", exc_info=True)
    assert "error" not in written.last


def test_plain_loguru_keeps_its_bound_values_as_fields(written: Written) -> None:
    loguru.logger.bind(user=1).info("hello {}", "there")
    assert written.last["event"] == "hello there"
    assert written.last["fields"] == {"user": 1}


def test_keyword_that_plain_loguru_has_formatted_is_redacted_in_both_places(
    log_to: Callable[..., Written],
) -> None:
    written = log_to(secrets=("correct-horse",))
    loguru.logger.info("trying {password}", password="correct-horse")
    assert written.last["event"] == "trying ***"
    assert written.last["fields"] == {"password": "***"}


def test_contextualized_values_stand_beside_the_fields(written: Written) -> None:
    from infrastructure.observability.logging import get_logger

    with loguru.logger.contextualize(tenant="north"):
        get_logger("x").info("hello", user=1)
    assert written.last["fields"] == {"tenant": "north", "user": 1}


def test_root_logger_is_given_back_as_it_was() -> None:
    root = logging.getLogger()
    before = (root.level, list(root.handlers))
    with setup_logging(LoggingConfig(console=False)):
        assert root.level == logging.INFO
    assert (root.level, list(root.handlers)) == before


def test_root_logger_that_passes_more_is_not_made_to_pass_less(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    root = logging.getLogger()
    monkeypatch.setattr(root, "level", logging.DEBUG)
    with setup_logging(LoggingConfig(console=False)):
        assert root.level == logging.DEBUG


@pytest.mark.parametrize("intercept", [True, False])
def test_interception_can_be_switched_off(
    capsys: pytest.CaptureFixture[str], intercept: bool
) -> None:
    with setup_logging(LoggingConfig(intercept_stdlib=intercept)):
        stdlib.warning("slow answer")
    assert ("slow answer" in capsys.readouterr().err) is intercept
