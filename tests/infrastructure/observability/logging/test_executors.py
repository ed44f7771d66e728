"""The correlation id through threads, executors and processes."""

import asyncio
import multiprocessing
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

import pytest

from infrastructure.observability.logging import (
    ContextExecutor,
    ContextThread,
    accepted_correlation_id,
    carrying,
    correlation_id,
    current_correlation_id,
)


def double(number: int) -> tuple[int, str | None]:
    return 2 * number, current_correlation_id()


async def test_default_executor_of_a_loop_carries_the_id() -> None:
    loop = asyncio.get_running_loop()
    loop.set_default_executor(ContextExecutor(1))
    with correlation_id("job-1"):
        assert await loop.run_in_executor(None, double, 2) == (4, "job-1")
    assert await loop.run_in_executor(None, double, 2) == (4, None)


async def test_any_executor_carries_the_id_once_it_is_wrapped() -> None:
    with carrying(ThreadPoolExecutor(1)) as pool, correlation_id("job-2"):
        assert await asyncio.get_running_loop().run_in_executor(pool, double, 2) == (4, "job-2")
        assert list(pool.map(double, [1, 2])) == [(2, "job-2"), (4, "job-2")]


def test_id_is_that_of_the_submission_and_not_of_the_run() -> None:
    with carrying(ThreadPoolExecutor(1)) as pool:
        futures = []
        for name in ("a", "b"):
            with correlation_id(name):
                futures.append(pool.submit(double, 1))
    assert [future.result()[1] for future in futures] == ["a", "b"]


def test_processes_are_given_the_id() -> None:
    spawning = multiprocessing.get_context("spawn")
    with carrying(ProcessPoolExecutor(1, mp_context=spawning)) as pool, correlation_id("job-3"):
        assert pool.submit(double, 2).result(60) == (4, "job-3")


def test_thread_runs_in_the_context_it_was_started_from() -> None:
    seen: list[str | None] = []
    thread = ContextThread(target=lambda: seen.append(current_correlation_id()))
    with correlation_id("job-4"):
        thread.start()
    thread.join()
    assert seen == ["job-4"]


def test_failure_comes_back_as_it_is() -> None:
    def fail() -> None:
        raise LookupError("no")

    with carrying(ThreadPoolExecutor(1)) as pool, pytest.raises(LookupError):
        pool.submit(fail).result()


def test_callable_without_a_name_can_be_submitted() -> None:
    class Work:
        def __call__(self) -> str | None:
            return current_correlation_id()

    work: Callable[[], str | None] = Work()
    with carrying(ThreadPoolExecutor(1)) as pool, correlation_id("job-5"):
        assert pool.submit(work).result() == "job-5"


@pytest.mark.parametrize("value", ["a", "0-9.A_z:b", "x" * 128])
def test_ordinary_id_from_outside_is_accepted(value: str) -> None:
    assert accepted_correlation_id(value) == value


@pytest.mark.parametrize("value", [None, "", "a b", "a\nb", "a\n", "x" * 129, "ä", "-a", '"'])
def test_id_that_is_not_safe_to_repeat_is_not(value: str | None) -> None:
    assert accepted_correlation_id(value) is None
