"""What the application's logger promises."""

from collections.abc import Callable

import pytest

from infrastructure.observability.logging import get_logger
from tests.infrastructure.observability.logging.conftest import Written

log = get_logger("shop.orders")


def test_event_and_fields_stand_apart(written: Written) -> None:
    log.info("order accepted", order=7, total=12.5)
    assert written.last["event"] == "order accepted"
    assert written.last["fields"] == {"order": 7, "total": 12.5}


@pytest.mark.parametrize("event", ["json {'a': 1}", "{user.secret}", "{0} {} {", "100 % %s <red>"])
def test_event_is_never_taken_for_a_template(written: Written, event: str) -> None:
    log.info(event, user=1)
    assert written.last["event"] == event


@pytest.mark.parametrize("level", ["trace", "debug", "info", "warning", "error", "critical"])
def test_method_gives_the_level(written: Written, level: str) -> None:
    getattr(log, level)("something")
    assert written.last["level"] == level.upper()


def test_line_names_logger_and_caller(written: Written) -> None:
    log.info("something")
    assert written.last["logger"] == "shop.orders"
    assert written.last["caller"].startswith(f"{__name__}:test_line_names_logger_and_caller:")


def test_exception_names_the_caller_too(written: Written) -> None:
    try:
        int("x")
    except ValueError:
        log.exception("no number", field="age")
    assert ":test_exception_names_the_caller_too:" in written.last["caller"]
    assert written.last["error"]["type"] == "ValueError"


def test_bound_fields_stand_on_every_line_and_give_way_to_the_call(written: Written) -> None:
    bound = log.bind(shop="north", till=1)
    bound.info("opened", till=2)
    log.info("other")
    assert written.lines[0]["fields"] == {"shop": "north", "till": 2}
    assert "fields" not in written.lines[1]


@pytest.mark.parametrize("name", ["self", "event", "level", "logger", "fields", "exception", "ts"])
def test_field_of_any_name_is_a_field(written: Written, name: str) -> None:
    log.info("something", **{name: "mine"})
    assert written.last["event"] == "something"
    assert written.last["fields"] == {name: "mine"}


def test_logger_made_before_the_setup_writes_after_it(log_to: Callable[..., Written]) -> None:
    early = get_logger("early")
    early.info("lost")
    written = log_to()
    early.info("kept")
    assert [line["event"] for line in written.lines] == ["kept"]
