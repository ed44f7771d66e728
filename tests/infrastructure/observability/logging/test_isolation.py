"""Whose lines reach whom, when a process has several set-ups."""

import asyncio
import logging
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import loguru
import pytest

from infrastructure.observability.logging import (
    LogFile,
    LoggingConfig,
    LoggingHandle,
    get_logger,
    setup_logging,
)
from tests.infrastructure.observability.logging.conftest import Written

log = get_logger("isolation")
Start = Callable[..., tuple[LoggingHandle, Written]]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    handles: list[LoggingHandle] = []

    def begin(claims: Callable[[], bool] = lambda: False) -> tuple[LoggingHandle, Written]:
        path = tmp_path / str(len(handles))
        config = LoggingConfig(console=False, file=LogFile(path=path))
        handles.append(setup_logging(config, claims=claims))
        return handles[-1], Written(path)

    yield begin
    for handle in handles:
        handle.close()


def events(written: Written) -> list[str]:
    return [line["event"] for line in written.lines]


def test_line_that_is_nobodys_reaches_all(start: Start) -> None:
    (_, first), (_, second) = start(), start()
    log.info("everybody's")
    assert events(first) == events(second) == ["everybody's"]


def test_logger_of_a_setup_reaches_that_one_only(start: Start) -> None:
    (handle, first), (_, second) = start(), start()
    handle.get_logger("mine").bind(a=1).info("mine")
    assert (events(first), events(second)) == (["mine"], [])


async def test_lines_in_the_block_and_its_tasks_reach_one_only(start: Start) -> None:
    (handle, first), (_, second) = start(), start()
    with handle.current():
        await asyncio.create_task(asyncio.to_thread(log.info, "ours"))
        logging.getLogger("vendor").warning("vendor's")
        loguru.logger.info("loguru's")
    assert events(first) == ["ours", "vendor's", "loguru's"]
    assert events(second) == []


def test_logger_of_a_setup_goes_before_the_block_of_another(start: Start) -> None:
    (handle, first), (other, second) = start(), start()
    with other.current():
        handle.get_logger("mine").info("mine")
    assert (events(first), events(second)) == (["mine"], [])


def test_line_that_a_setup_claims_reaches_that_one_only(start: Start) -> None:
    working = threading.local()
    (_, first), (_, second) = (start(lambda n=n: getattr(working, "on", None) == n) for n in (1, 2))
    working.on = 2
    log.info("second's")
    working.on = None
    log.info("everybody's")
    assert (events(first), events(second)) == (["everybody's"], ["second's", "everybody's"])


def test_logger_of_a_closed_setup_writes_nowhere(start: Start) -> None:
    (handle, first), (_, second) = start(), start()
    start()
    mine = handle.get_logger("mine")
    handle.close()
    mine.info("late")
    assert (events(first), events(second)) == ([], [])


def test_record_can_be_pickled_by_the_handler_of_somebody_else(start: Start) -> None:
    handle, _ = start()
    kept: list[Any] = []
    number = loguru.logger.add(lambda message: kept.append(message.record["extra"]["origin"]))
    handle.get_logger("mine", stream="audit").info("hello")
    loguru.logger.remove(number)
    build, parts = kept[0].__reduce__()
    assert repr(build(*parts)) == "<mine, audit>"
