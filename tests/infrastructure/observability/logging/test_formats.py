"""What a line looks like."""

import datetime as dt
from collections.abc import Callable
from typing import Never

import pytest

from infrastructure.observability.logging import get_logger
from tests.infrastructure.observability.logging.conftest import Written

log = get_logger("formats")


def fail(error: Exception | None = None) -> Never:
    token = "local-value"
    raise error or LookupError(f"no such order {token.upper()}")


def test_json_line_has_its_keys_in_order(written: Written) -> None:
    log.info("hello", user=1)
    assert list(written.last) == ["ts", "level", "stream", "logger", "event", "caller", "fields"]
    assert dt.datetime.fromisoformat(written.last["ts"]).tzinfo is not None


@pytest.mark.parametrize("line_format", ["json", "text"])
@pytest.mark.parametrize("data", ["a\nb", "a\r\nb", "a\u2028b\x85c", "\x1b[31mred", "\x9b31m"])
def test_data_cannot_forge_a_line_or_paint_the_terminal(
    log_to: Callable[..., Written], line_format: str, data: str
) -> None:
    written = log_to(line_format)
    log.info(data, field=data, **{data: 1})
    assert written.text.count("\n") == 1
    assert "\x1b" not in written.text
    assert "\r" not in written.text


@pytest.mark.parametrize("data", ["a\u2028b", "a\x85b", "\x9b31m", "\u202eabc"])
def test_text_line_escapes_what_does_not_print(log_to: Callable[..., Written], data: str) -> None:
    written = log_to("text")
    log.info(data, field=data)
    assert written.text.rstrip("\n").isprintable()


def test_text_line_quotes_values_that_could_be_mistaken(log_to: Callable[..., Written]) -> None:
    written = log_to("text")
    log.info("hello", plain="ann", spaced="a b", empty="", number=1, forged="x y=2")
    assert written.text.endswith('hello plain=ann spaced="a b" empty="" number=1 forged="x y=2"\n')


def test_letters_of_any_language_stay_readable(log_to: Callable[..., Written]) -> None:
    written = log_to("text")
    log.info("grüße 你好 🎉")
    assert "grüße 你好 🎉" in written.text


def test_error_has_type_message_and_frames_without_locals_or_source(written: Written) -> None:
    try:
        fail()
    except LookupError:
        log.exception("failed")
    error = written.last["error"]
    assert (error["type"], error["message"]) == ("LookupError", "no such order LOCAL-VALUE")
    assert error["frames"][-1].endswith(" fail")
    assert "local-value" not in written.text


def test_error_tells_its_cause_and_its_notes(written: Written) -> None:
    try:
        try:
            fail()
        except LookupError as cause:
            cause.add_note("asked twice")
            raise RuntimeError("gave up") from cause
    except RuntimeError:
        log.exception("failed")
    assert written.last["error"]["cause"]["message"].endswith("\nasked twice")


def test_members_of_a_group_are_told(written: Written) -> None:
    try:
        fail(ExceptionGroup("two failed", [ValueError("one"), KeyError("two")]))
    except ExceptionGroup:
        log.exception("failed")
    assert [one["type"] for one in written.last["error"]["errors"]] == ["ValueError", "KeyError"]


def test_causes_that_go_round_in_a_circle_end(written: Written) -> None:
    first, second = ValueError("first"), ValueError("second")
    first.__cause__, second.__cause__ = second, first
    try:
        raise first
    except ValueError:
        log.exception("failed")
    assert written.last["error"]["cause"]["message"] == "second"


def test_text_of_an_error_follows_indented_and_escaped(log_to: Callable[..., Written]) -> None:
    written = log_to("text")
    try:
        fail(ValueError("one\n2026-01-01 forged"))
    except ValueError:
        log.exception("failed")
    head, *rest = written.text.splitlines()
    assert head.endswith("| failed")
    assert all(line.startswith("    ") for line in rest)
    assert rest[-1] == r"    ValueError: one\n2026-01-01 forged"
