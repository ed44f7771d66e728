"""Where the correlation id is found, and where it must be carried."""

import asyncio
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType

import loguru
import pytest

from infrastructure.observability.logging import (
    bind_correlation_id,
    correlation_id,
    current_correlation_id,
    get_logger,
    with_context,
)
from tests.infrastructure.observability.logging.conftest import Written

log = get_logger("context")


def test_line_inside_the_block_carries_the_id(written: Written) -> None:
    with correlation_id("job-1"):
        log.info("inside")
    log.info("outside")
    assert written.lines[0]["correlation_id"] == "job-1"
    assert "correlation_id" not in written.lines[1]


def test_block_without_an_id_makes_one_and_nested_blocks_come_back() -> None:
    with correlation_id() as outer:
        with correlation_id() as inner:
            assert inner == current_correlation_id() != outer
        assert current_correlation_id() == outer
    assert current_correlation_id() is None


async def test_tasks_keep_ids_apart(written: Written) -> None:
    async def work(name: str) -> None:
        with correlation_id(name):
            await asyncio.sleep(0)
            log.info("working", name=name)

    await asyncio.gather(*(work(f"task-{number}") for number in range(20)))
    lines = [line for line in written.lines if line["logger"] == "context"]
    assert all(line["correlation_id"] == line["fields"]["name"] for line in lines)
    assert len(lines) == 20


async def test_id_follows_tasks_and_to_thread(written: Written) -> None:
    with correlation_id("job-2"):
        await asyncio.create_task(asyncio.to_thread(log.info, "in a thread"))
    assert written.last["correlation_id"] == "job-2"


async def test_wrapped_function_carries_the_id_into_an_executor(written: Written) -> None:
    loop = asyncio.get_running_loop()
    with ThreadPoolExecutor() as pool, correlation_id("job-3"):
        await loop.run_in_executor(pool, with_context(log.info), "in an executor")
    assert written.last["correlation_id"] == "job-3"


def test_wrapped_function_may_run_in_two_threads_at_once() -> None:
    meeting = threading.Barrier(2, timeout=10)
    seen: list[str | None] = []

    def meet() -> None:
        meeting.wait()
        seen.append(current_correlation_id())

    with correlation_id("job-4"):
        threads = [threading.Thread(target=with_context(meet)) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert seen == ["job-4", "job-4"]


async def test_bound_id_stays_for_the_rest_of_the_task_only() -> None:
    async def handler() -> str | None:
        bind_correlation_id("request-1")
        return current_correlation_id()

    assert await asyncio.create_task(handler()) == "request-1"
    assert current_correlation_id() is None


def test_hostile_id_is_redacted_like_everything(log_to: Callable[..., Written]) -> None:
    written = log_to(secrets=("correct-horse",))
    with correlation_id("x correct-horse"):
        log.info("inside")
    assert "correct-horse" not in written.text


def test_patcher_of_the_application_adds_fields_that_are_redacted(written: Written) -> None:
    loguru.logger.configure(patcher=lambda record: record["extra"].update(pid=7, token="tok-1"))
    try:
        log.info("hello", user=1)
    finally:
        loguru.logger.configure(patcher=lambda record: None)
    assert written.last["fields"] == {"pid": 7, "token": "***", "user": 1}


async def test_values_of_contextualize_follow_tasks_and_wrapped_functions(
    written: Written,
) -> None:
    loop = asyncio.get_running_loop()
    with ThreadPoolExecutor() as pool, loguru.logger.contextualize(tenant="north"):
        await asyncio.create_task(asyncio.to_thread(log.info, "a"))
        await loop.run_in_executor(pool, with_context(log.info), "b")
        await loop.run_in_executor(pool, log.info, "c")
    assert [line.get("fields") for line in written.lines] == [{"tenant": "north"}] * 2 + [None]


def test_line_inside_a_span_carries_its_ids(written: Written) -> None:
    from opentelemetry import trace

    context = trace.SpanContext(trace_id=0xABC, span_id=0xDEF, is_remote=False)
    with trace.use_span(trace.NonRecordingSpan(context)):
        log.info("inside")
    log.info("outside")
    assert written.lines[0]["trace_id"] == f"{0xABC:032x}"
    assert written.lines[0]["span_id"] == f"{0xDEF:016x}"
    assert "trace_id" not in written.lines[1]


def test_logs_alone_do_not_import_opentelemetry() -> None:
    code = (
        "import sys\nfrom infrastructure.observability.logging import get_logger\n"
        "get_logger('x').info('hello')\nassert 'opentelemetry.trace' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[4], check=True)


def test_line_written_while_telemetry_is_being_imported_is_written(
    written: Written, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.trace", ModuleType("opentelemetry.trace"))
    get_logger("early").info("up")
    assert written.last["event"] == "up"
