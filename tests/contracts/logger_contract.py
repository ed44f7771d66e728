"""What every logger promises, whatever it writes to."""

from collections.abc import Callable
from typing import Any, NamedTuple

import pytest

from infrastructure.observability.logging import LoggerPort


class Line(NamedTuple):
    level: str
    event: str
    fields: dict[str, Any]
    error: str | None


class LoggerContract:
    """Subclasses give a `logger`, and `lines`, which tells what it has taken."""

    @pytest.mark.parametrize("level", ["trace", "debug", "info", "warning", "error", "critical"])
    def test_method_gives_the_level(
        self, logger: LoggerPort, lines: Callable[[], list[Line]], level: str
    ) -> None:
        getattr(logger, level)("something")
        assert lines() == [Line(level.upper(), "something", {}, None)]

    def test_event_and_fields_stand_apart(
        self, logger: LoggerPort, lines: Callable[[], list[Line]]
    ) -> None:
        logger.info("order {order} accepted", order=7)
        assert lines()[0][1:3] == ("order {order} accepted", {"order": 7})

    def test_bound_fields_stand_on_every_line_and_give_way_to_the_call(
        self, logger: LoggerPort, lines: Callable[[], list[Line]]
    ) -> None:
        bound = logger.bind(shop="north").bind(till=1)
        bound.info("opened", till=2)
        logger.info("other")
        assert [line.fields for line in lines()] == [{"shop": "north", "till": 2}, {}]

    def test_exception_that_is_being_handled_is_taken_along(
        self, logger: LoggerPort, lines: Callable[[], list[Line]]
    ) -> None:
        try:
            int("seven")
        except ValueError:
            logger.exception("failed", order=7)
        assert lines()[0][:3] == ("ERROR", "failed", {"order": 7})
        assert "'seven'" in str(lines()[0].error)

    def test_exception_outside_of_any_is_an_error_line(
        self, logger: LoggerPort, lines: Callable[[], list[Line]]
    ) -> None:
        logger.exception("odd")  # noqa: LOG004  # the mistake to survive
        assert lines() == [Line("ERROR", "odd", {}, None)]

    @pytest.mark.parametrize("name", ["self", "event", "level", "fields", "stream", "origin"])
    def test_field_of_any_name_is_a_field(
        self, logger: LoggerPort, lines: Callable[[], list[Line]], name: str
    ) -> None:
        logger.info("something", **{name: "mine"})
        assert lines()[0].fields == {name: "mine"}
