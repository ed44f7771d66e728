"""What the audit stream promises: numbered, chained, never dropped, never silent."""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from infrastructure.errors import UnavailableError
from infrastructure.observability.logging import (
    AuditConfig,
    AuditFile,
    LoggingConfig,
    LoggingHandle,
    LogLevel,
    Streams,
    get_logger,
    setup_logging,
    verify_audit,
)

audit = get_logger("payments", stream="audit")
app = get_logger("payments")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "audit.log"


@pytest.fixture
def start(path: Path) -> Iterator[Callable[..., LoggingHandle]]:
    handles: list[LoggingHandle] = []

    def begin(level: str = "INFO", **file: Any) -> LoggingHandle:
        streams = Streams(audit=AuditConfig(file=AuditFile(path=path, **file)))
        config = LoggingConfig(console=False, level=LogLevel(level), streams=streams)
        handles.append(setup_logging(config))
        return handles[-1]

    yield begin
    for handle in handles:
        handle.close()


def test_lines_are_numbered_and_chained(start: Callable[..., LoggingHandle], path: Path) -> None:
    start()
    audit.info("paid", amount=5)
    audit.warning("refunded", amount=5)
    lines = [msgspec.json.decode(line) for line in path.read_bytes().splitlines()]
    assert [(line["seq"], line["event"]) for line in lines] == [(1, "paid"), (2, "refunded")]
    assert verify_audit(path).is_intact


@pytest.mark.parametrize("level", ["trace", "debug", "info", "critical", "exception"])
def test_no_level_keeps_an_audit_line_out(
    start: Callable[..., LoggingHandle], path: Path, level: str
) -> None:
    start(level="CRITICAL")
    getattr(audit, level)("paid")
    app.info("not this")
    assert verify_audit(path).lines == 1


def test_audit_line_is_redacted_like_every_other(
    start: Callable[..., LoggingHandle], path: Path
) -> None:
    start()
    audit.info("paid", card_token="tok-123456")
    assert b"tok-123456" not in path.read_bytes()


def test_audit_line_names_its_caller(start: Callable[..., LoggingHandle], path: Path) -> None:
    start()
    audit.bind(user=1).info("paid")
    assert b":test_audit_line_names_its_caller:" in path.read_bytes()
    assert b'"fields":{"user":1}' in path.read_bytes()


def test_chain_goes_on_after_a_restart(start: Callable[..., LoggingHandle], path: Path) -> None:
    for _ in range(3):
        with start():
            audit.info("paid")
    assert verify_audit(path).last_seq == 3
    assert verify_audit(path).is_intact


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_caller_is_told_of_a_line_that_was_not_written(
    start: Callable[..., LoggingHandle], path: Path
) -> None:
    path.symlink_to("/dev/full")
    handle = start()
    with pytest.raises(UnavailableError, match="the audit line was not written") as raised:
        audit.info("paid")
    assert isinstance(raised.value.__cause__, OSError)
    assert handle.failures == 1


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_caller_is_not_told_where_the_settings_say_so(
    start: Callable[..., LoggingHandle], path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path.symlink_to("/dev/full")
    handle = start(on_failure="count")
    audit.info("paid")
    assert handle.failures == 1
    assert "logging to the audit file" in capsys.readouterr().err


def test_each_line_is_on_the_disk_where_that_is_asked_for(
    start: Callable[..., LoggingHandle], monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[int] = []
    monkeypatch.setattr(os, "fsync", synced.append)
    start(fsync=True)
    audit.info("one")
    audit.info("two")
    assert len(synced) == 2


def test_threads_make_one_chain(start: Callable[..., LoggingHandle], path: Path) -> None:
    start(max_bytes=5_000)

    def work() -> None:
        for number in range(100):
            audit.info("paid", number=number)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (verify_audit(path).lines, verify_audit(path).broken) == (400, None)


def test_signal_handler_in_the_middle_of_a_line_does_not_break_the_chain(
    start: Callable[..., LoggingHandle], path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    start()
    audit.info("first")
    before = signal.signal(signal.SIGUSR1, lambda *_: audit.info("from the handler"))
    write, signals = os.write, [signal.SIGUSR1]

    def interrupted(descriptor: int, data: bytes) -> int:
        if signals:
            signal.raise_signal(signals.pop())
        return write(descriptor, data)

    monkeypatch.setattr(os, "write", interrupted)
    audit.info("interrupted")
    signal.signal(signal.SIGUSR1, before)
    assert (verify_audit(path).lines, verify_audit(path).broken) == (3, None)


def test_audit_lines_do_not_reach_the_sinks_of_the_app(
    start: Callable[..., LoggingHandle], capsys: pytest.CaptureFixture[str]
) -> None:
    start()
    audit.info("paid")
    assert capsys.readouterr().err == ""


def test_file_is_for_its_owner_only(start: Callable[..., LoggingHandle], path: Path) -> None:
    start()
    assert path.stat().st_mode & 0o077 == 0


def test_the_secret_of_the_key_is_masked_without_being_named_again(
    start: Callable[..., LoggingHandle], path: Path
) -> None:
    secret = "horse-battery-staple"
    start(key={"id": "2026", "secret": secret})
    audit.info("paid", note=f"with {secret}")
    assert secret not in path.read_text(encoding="utf-8")
    assert verify_audit(path, keys={"2026": secret}).keyed_lines == 1


def test_logger_of_a_closed_set_up_does_not_lose_its_audit_lines_silently(
    start: Callable[..., LoggingHandle],
) -> None:
    handle = start()
    kept = handle.get_logger("payments", stream="audit")
    handle.close()
    with pytest.raises(UnavailableError, match="the audit line was not written"):
        kept.info("paid")
