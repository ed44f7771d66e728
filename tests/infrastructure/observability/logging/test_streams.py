"""Which lines go where: streams, and the levels of streams, loggers and vendors."""

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import loguru
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from infrastructure.errors import ConfigurationError
from infrastructure.observability.logging import (
    LoggingConfig,
    LoggingHandle,
    LogLevel,
    Stream,
    get_logger,
    setup_logging,
)
from infrastructure.observability.logging.levels import Levels, severity
from infrastructure.observability.logging.origin import Origin


class Setup:
    """Files of a set-up that can be read back by name."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.handles: list[LoggingHandle] = []

    def __call__(self, **config: Any) -> LoggingHandle:
        whole = {"console": False, "file": {"path": self.folder / "app"}, **config}
        self.handles.append(setup_logging(LoggingConfig.model_validate(whole)))
        return self.handles[-1]

    def file(self, name: str) -> dict[str, Any]:
        return {"file": {"path": self.folder / name}}

    def events(self, name: str = "app") -> list[str]:
        lines = (self.folder / name).read_bytes().splitlines()
        return [msgspec.json.decode(line)["event"] for line in lines]


@pytest.fixture
def setup(tmp_path: Path) -> Iterator[Setup]:
    started = Setup(tmp_path)
    yield started
    for handle in started.handles:
        handle.close()


@pytest.mark.parametrize("stream", list(Stream))
def test_stream_with_a_file_goes_there_and_nowhere_else(setup: Setup, stream: Stream) -> None:
    if stream is Stream.APP:
        setup()
    else:
        setup(streams={stream.value: setup.file(stream.value)})
    get_logger("x", stream=stream).info("hello")
    get_logger("x").info("other")
    expected = ["hello", "other"] if stream is Stream.APP else ["hello"]
    assert setup.events(stream.value) == expected


@pytest.mark.parametrize("stream", list(Stream))
def test_stream_without_destinations_goes_where_the_app_goes(setup: Setup, stream: Stream) -> None:
    setup()
    get_logger("x", stream=stream.value).info("hello")
    assert setup.events() == ["hello"]
    line = msgspec.json.decode((setup.folder / "app").read_bytes())
    assert line["stream"] == stream.value


def test_unknown_stream_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ConfigurationError, match="Did you mean 'audit'\\? Known: app, conv"):
        get_logger("x", stream="audti")


def test_unknown_stream_in_the_settings_is_refused() -> None:
    with pytest.raises(ValidationError, match="audti"):
        LoggingConfig.model_validate({"streams": {"audti": {"console": True}}})


def test_bound_logger_keeps_its_stream(setup: Setup) -> None:
    setup(streams={"api": setup.file("api")})
    get_logger("x", stream="api").bind(user=1).info("hello")
    assert setup.events("api") == ["hello"]


def test_plain_loguru_can_name_a_stream(setup: Setup) -> None:
    setup(streams={"api": setup.file("api")})
    loguru.logger.bind(stream="api").info("hello")
    loguru.logger.bind(stream="nonsense").info("other")
    assert (setup.events("api"), setup.events()) == (["hello"], ["other"])


def test_record_of_the_standard_library_cannot_name_a_stream(setup: Setup) -> None:
    """A vendor's own `stream` must not land among the audit lines."""
    setup(streams={"audit": setup.file("audit")})
    logging.getLogger("vendor").warning("hello", extra={"stream": "audit", "origin": "audit"})
    assert setup.events() == ["hello"]


def test_field_named_stream_is_a_field(setup: Setup) -> None:
    setup(streams={"audit": setup.file("audit")})
    get_logger("x").info("hello", stream="audit", origin="audit")
    assert setup.events() == ["hello"]


def test_stream_has_a_level_of_its_own(setup: Setup) -> None:
    setup(level="WARNING", streams={"performance": {"level": "DEBUG"}, "api": {"level": "ERROR"}})
    for stream in ("app", "performance", "api"):
        log = get_logger("x", stream=stream)
        log.debug(f"{stream} debug")  # noqa: G004  # told apart below
        log.warning(f"{stream} warning")  # noqa: G004
    assert setup.events() == ["app warning", "performance debug", "performance warning"]


def test_stream_on_the_console_has_its_format(
    setup: Setup, capsys: pytest.CaptureFixture[str]
) -> None:
    setup(streams={"api": {"console": True, "format": "json"}})
    get_logger("x", stream="api").info("hello")
    assert capsys.readouterr().err.startswith('{"ts"')


def test_vendors_debug_lines_stay_out_unless_asked_for(setup: Setup) -> None:
    setup(level="DEBUG")
    logging.getLogger("vendor").debug("chatter")
    logging.getLogger("vendor").info("news")
    get_logger("shop").debug("ours")
    assert setup.events() == ["news", "ours"]


def test_vendors_debug_calls_cost_nothing_below_the_floor(setup: Setup) -> None:
    setup(level="DEBUG")
    assert not logging.getLogger("vendor").isEnabledFor(logging.DEBUG)


def test_vendor_level_lets_all_vendors_in(setup: Setup) -> None:
    setup(level="DEBUG", vendor_level="DEBUG")
    logging.getLogger("vendor").debug("chatter")
    assert setup.events() == ["chatter"]


def test_single_logger_can_be_asked_for_and_silenced(setup: Setup) -> None:
    setup(levels={"vendor.pool": "DEBUG", "vendor.noise": "ERROR", "shop": "TRACE"})
    for name in ("vendor.pool.inner", "vendor.noise", "vendor.poolside"):
        logging.getLogger(name).debug("debug of %s", name)
        logging.getLogger(name).warning("warning of %s", name)
    get_logger("shop.orders").trace("trace")
    get_logger("other").debug("debug")
    assert setup.events() == [
        "debug of vendor.pool.inner",
        "warning of vendor.pool.inner",
        "warning of vendor.poolside",
        "trace",
    ]


def test_levels_of_loggers_are_given_back() -> None:
    pool = logging.getLogger("vendor.given_back")
    pool.setLevel(logging.ERROR)
    with setup_logging(LoggingConfig(console=False, levels={pool.name: LogLevel.DEBUG})):
        assert pool.level == logging.DEBUG
    assert pool.level == logging.ERROR
    pool.setLevel(logging.NOTSET)


def test_each_of_two_setups_keeps_its_own_floor(setup: Setup) -> None:
    setup(level="DEBUG")
    setup(level="DEBUG", vendor_level="DEBUG", **setup.file("second"))
    logging.getLogger("vendor").debug("chatter")
    assert (setup.events(), setup.events("second")) == ([], ["chatter"])


levels = st.sampled_from(list(LogLevel))


@given(level=levels, vendor=levels, api=levels, named=levels, is_vendor=st.booleans())
def test_no_level_is_looked_at_too_high(
    level: LogLevel, vendor: LogLevel, api: LogLevel, named: LogLevel, is_vendor: bool
) -> None:
    """What is taken passes the one number that loguru compares, too."""
    config = LoggingConfig.model_validate(
        {
            "level": level,
            "vendor_level": vendor,
            "levels": {"a.b": named},
            "streams": {"api": {"level": api}},
        }
    )
    known = Levels(config)
    for stream in Stream:
        for name in ("a.b.c", "a.bc", ""):
            least = known.least(Origin(name, stream, is_vendor=is_vendor))
            assert known.lowest <= least
            assert least == known.lowest or not known.is_uniform
    assert known.least(Origin("a.b.c", is_vendor=is_vendor)) == severity(named)
