"""Values that raise, never end, or pretend: the line is written, and the caller goes on."""

import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Never

import loguru
import pytest

from infrastructure.errors import UnavailableError
from infrastructure.observability.logging import (
    AuditConfig,
    AuditFile,
    LoggingConfig,
    Streams,
    get_logger,
    setup_logging,
    verify_audit,
)
from tests.infrastructure.observability.logging.conftest import Written

log = get_logger("hostile")
stdlib = logging.getLogger("hostile.vendor")


class Raising:
    def __repr__(self) -> Never:
        raise RuntimeError("correct-horse")


class EndlessError(Exception):
    """What caused it raises when it is looked at."""

    @property
    def __cause__(self) -> Never:  # type: ignore[override]  # the point of it
        raise RuntimeError("correct-horse")


@contextmanager
def no_other_handlers() -> Iterator[None]:
    """Pytest's handlers of the root logger let what the arguments raise through."""
    root = logging.getLogger()
    ours = [one for one in root.handlers if type(one).__module__.startswith("infrastructure")]
    before, root.handlers = root.handlers, ours
    yield
    root.handlers = before


@pytest.mark.parametrize("write", [
    lambda: stdlib.warning("%s", Raising()),
    lambda: stdlib.warning(Raising()),
    lambda: stdlib.warning("x", exc_info=(1, 2, 3)),  # type: ignore[arg-type]  # as badly as can be
    lambda: stdlib.warning("x", extra={"value": Raising()}),
    lambda: loguru.logger.bind(origin=Raising(), stream=7, fields=7, logger="x").info("x"),
    lambda: log.info("x", value=10**6_000),
    lambda: log.info("x", value={10**6_000: Raising()}),
])  # fmt: skip
def test_value_that_cannot_be_read_stops_nobody(
    log_to: Callable[..., Written], capfd: pytest.CaptureFixture[str], write: Callable[[], None]
) -> None:
    json, text = log_to("json"), log_to("text")
    with no_other_handlers():
        write()
    assert (len(json.lines), text.text.count("\n")) == (1, 1)
    assert "correct-horse" not in json.text + text.text
    assert "Logging error" not in capfd.readouterr().err


def nested(depth: int) -> Exception:
    """Groups of groups, each with a cause."""
    if not depth:
        return ValueError("x" * 8_000)
    group = ExceptionGroup("several", [nested(depth - 1) for _ in range(5)])
    group.__cause__ = nested(depth - 1)
    return group


def raise_(error: Exception) -> None:
    try:
        fail(error)
    except Exception:  # of any class
        log.exception("failed")


def fail(error: Exception) -> Never:
    raise error


def test_groups_in_groups_are_bounded_all_together(written: Written) -> None:
    raise_(nested(4))
    assert len(written.text) < 300_000


def test_frames_of_an_endless_recursion_are_bounded(written: Written) -> None:
    def recurse() -> None:
        recurse()

    with pytest.raises(RecursionError) as caught:
        recurse()
    raise_(caught.value)
    assert len(written.last["error"]["frames"]) == 40


def test_line_at_the_end_of_the_stack_is_lost_without_a_word_of_its_record(
    written: Written, capfd: pytest.CaptureFixture[str]
) -> None:
    def at_depth(left: int) -> None:
        if left:
            at_depth(left - 1)
        else:
            log.info("deep", value={"a": ["battery-staple"]})

    for left in range(40, 160):
        with pytest.raises(RecursionError):
            at_depth(sys.getrecursionlimit() - left)
            raise RecursionError
    log.info("after")
    assert written.last["event"] == "after"
    assert "battery-staple" not in capfd.readouterr().err


def test_name_of_an_exceptions_class_is_redacted(log_to: Callable[..., Written]) -> None:
    written = log_to(secrets=("correct-horse",))
    raise_(type("correct-horse", (Exception,), {})("x"))
    assert written.last["error"]["type"].endswith("***")


def test_stack_of_the_standard_library_has_no_source_code(written: Written) -> None:
    stdlib.warning("here", stack_info=bool("source-code"))
    assert written.last["fields"]["stack"][-1][0] == __file__
    assert "source-code" not in written.text


@pytest.mark.parametrize("data", ["a\u2028b", "a\x85b", "\x9b31m", "\u202eabc", "\u2066a"])
def test_json_line_escapes_what_readers_and_terminals_may_obey(written: Written, data: str) -> None:
    log.info(data, **{data: data})
    assert data[:2] not in written.text
    assert written.last["event"] == data
    assert written.last["fields"] == {data: data}


def test_name_of_a_field_cannot_forge_another(log_to: Callable[..., Written]) -> None:
    written = log_to("text")
    log.info("x", **{"a=1 correlation_id": "forged"})
    assert written.text.endswith('| x "a=1 correlation_id"=forged\n')


def test_audit_line_that_cannot_be_read_is_told_to_the_caller_and_stands_in_the_chain(
    tmp_path: Path,
) -> None:
    streams = Streams(audit=AuditConfig(file=AuditFile(path=tmp_path / "audit.log")))
    with setup_logging(LoggingConfig(console=False, streams=streams)) as handle:
        audit: Any = get_logger("payments", stream="audit")
        with pytest.raises(UnavailableError, match="audit line was not written"):
            try:
                fail(EndlessError())
            except EndlessError:
                audit.exception("refund failed")
        assert handle.failures == 1
    assert "could not be read" in (tmp_path / "audit.log").read_text()
    assert verify_audit(tmp_path / "audit.log").is_intact
