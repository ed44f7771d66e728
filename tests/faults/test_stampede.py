"""One missing key and several real processes on a real server: who loads, and how often."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any
from uuid import uuid4

import pytest

from infrastructure.servers.base import LocalServer
from tests.faults.cache_process import CacheProcess
from tests.redis_address import address

CALLERS = 250
LOAD_SECONDS = 0.05
LEASE_SECONDS = 1.0
#: What a busy machine may add to a bound.
SLACK = 5.0

Start = Callable[[int], Awaitable[list[CacheProcess]]]


@pytest.fixture
async def start(valkey: LocalServer) -> AsyncIterator[Start]:
    """Starts so many processes on one cache."""
    settings = address(valkey.url, kind="redis", key_prefix=f"{uuid4().hex}:", timeout_seconds=10)
    async with AsyncExitStack() as stack:

        async def started(count: int) -> list[CacheProcess]:
            made = [CacheProcess(settings) for _ in range(count)]
            for process in made:
                await stack.enter_async_context(process)
            await asyncio.gather(*(process.ready() for process in made))
            return made

        yield started


async def _answers(processes: list[CacheProcess]) -> list[Any]:
    return await asyncio.gather(*(process.answer() for process in processes))


async def test_a_thousand_callers_in_four_processes_are_one_load(start: Start) -> None:
    processes = await start(4)
    for process in processes:
        process.begin("crowd", CALLERS, LOAD_SECONDS, 30)
    said = await _answers(processes)
    assert sum(process.loads for process in processes) == 1
    assert len({tuple(each["answers"]) for each in said}) == 1
    assert [each["fallbacks"] for each in said] == [0] * 4


async def test_when_the_loading_process_is_killed_one_other_loads_after_its_lease(
    start: Start,
) -> None:
    killed, *others = await start(3)
    killed.begin("crowd", CALLERS, 3600, LEASE_SECONDS)
    await killed.loading()
    for process in others:
        process.begin("crowd", CALLERS, LOAD_SECONDS, LEASE_SECONDS)
    await killed.kill()
    started = time.monotonic()
    said = await _answers(others)
    assert time.monotonic() - started < LEASE_SECONDS + LOAD_SECONDS + SLACK
    assert sum(process.loads for process in others) == 1
    assert len({tuple(each["answers"]) for each in said}) == 1


async def test_when_the_loading_caller_gives_up_the_others_do_not_wait_for_its_lease(
    start: Start,
) -> None:
    leaving, *others = await start(3)
    started = time.monotonic()
    assert await leaving.ask("leave", 3600) == "CancelledError"
    for process in others:
        process.begin("crowd", CALLERS, LOAD_SECONDS, 30)
    said = await _answers(others)
    assert time.monotonic() - started < SLACK
    assert sum(process.loads for process in others) == 1
    assert len({tuple(each["answers"]) for each in said}) == 1
