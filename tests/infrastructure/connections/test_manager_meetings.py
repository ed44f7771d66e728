"""Opening, closing, changing and calling one connection manager that meet each other."""

import asyncio
import threading
from collections.abc import Mapping
from typing import Any

import pytest

from infrastructure.errors import ConfigurationError, DeadlineExceededError
from tests.infrastructure.connections.test_manager import Valve


async def test_a_change_made_while_credentials_are_asked_for_is_not_lost() -> None:
    valve, may_answer = Valve(), asyncio.Event()

    async def credentials() -> Mapping[str, Any]:
        await may_answer.wait()
        return {"password": "right"}

    async def change() -> None:
        await may_answer.wait()
        await asyncio.sleep(0)  # credentials were given, and who waits for them goes on next
        await valve.rotate(timeout_seconds=1.0)

    valve.credentials = credentials
    opening = asyncio.create_task(valve.connect())
    for _ in range(5):
        await asyncio.sleep(0)
    changing = asyncio.create_task(change())
    await asyncio.sleep(0)
    may_answer.set()
    await asyncio.gather(opening, changing, return_exceptions=True)
    assert valve.settings.timeout_seconds == 1.0


async def test_who_begins_without_a_deadline_waits_for_a_change_no_longer_than_for_an_answer() -> (
    None
):
    valve = Valve(timeout_seconds=0.02)
    async with asyncio.timeout(5), valve.drain.pausing(1):
        with pytest.raises(DeadlineExceededError, match=r"valves\.default"):
            await valve.drain.begin()
    assert valve.drain.in_flight == 0


async def test_what_is_open_in_another_loop_is_not_changed_from_here() -> None:
    valve = Valve()
    await valve.connect()
    with pytest.raises(ConfigurationError, match="two running event loops"):
        await asyncio.to_thread(asyncio.run, valve.rotate(timeout_seconds=1.0))
    assert valve.loop is asyncio.get_running_loop()
    assert await valve.call() == "right"


async def test_an_answer_that_comes_after_closing_makes_nothing_healthy() -> None:
    valve = Valve(drain_timeout_seconds=0.01)
    async with valve.calling():
        await valve.disconnect()
    assert not valve.is_healthy()


async def test_a_call_ends_though_the_loop_of_who_waited_for_it_is_gone() -> None:
    drain, elsewhere = Valve().drain, asyncio.new_event_loop()
    closing = drain.closing(60)
    await drain.begin()
    left: list[asyncio.Task[None]] = []

    def leave() -> None:
        waiting = elsewhere.create_task(closing.__aenter__())
        elsewhere.run_until_complete(asyncio.sleep(0))
        elsewhere.close()
        left.append(waiting)

    thread = threading.Thread(target=leave)
    thread.start()
    await asyncio.to_thread(thread.join)
    drain.end()
    assert drain.in_flight == 0
