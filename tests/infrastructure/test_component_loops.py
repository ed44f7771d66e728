"""A component and more than one event loop."""

import asyncio
import threading

import pytest

from infrastructure.errors import ConfigurationError
from tests.infrastructure.test_component import Pump, until


def test_in_a_new_loop_it_opens_anew() -> None:
    pump = Pump()
    asyncio.run(pump.connect())
    asyncio.run(pump.connect())
    assert pump.opened == 2


def test_closing_in_another_loop_touches_nothing_of_the_old_one() -> None:
    pump = Pump()
    asyncio.run(pump.connect())
    asyncio.run(pump.disconnect())
    assert pump.closed == 0


async def test_second_running_loop_is_refused() -> None:
    pump = Pump()
    await pump.connect()
    refused: list[Exception] = []

    def elsewhere() -> None:
        try:
            asyncio.run(pump.connect())
        except ConfigurationError as error:
            refused.append(error)

    thread = threading.Thread(target=elsewhere)
    thread.start()
    await asyncio.to_thread(thread.join)
    assert "pumps.default: used from two running event loops at once" in str(refused[0])


async def test_second_loop_that_opens_at_the_same_time_is_refused() -> None:
    pump = Pump()
    pump.let_open.clear()
    opening = asyncio.create_task(pump.connect())
    await until(lambda: pump.opened == 1)
    with pytest.raises(ConfigurationError, match="two running event loops"):
        await asyncio.to_thread(asyncio.run, pump.connect())
    pump.let_open.set()
    await opening
    assert pump.opened == 1


async def test_opened_and_closed_from_another_loop_at_once_it_is_what_it_says() -> None:
    class Valve(Pump):
        is_open = False

        async def _open(self) -> None:
            self.is_open = True

        async def _close(self) -> None:
            self.is_open = False

    valve, is_asked = Valve(), threading.Event()
    await valve.connect()

    async def close() -> None:
        closing = asyncio.create_task(valve.disconnect())
        await asyncio.sleep(0)
        is_asked.set()
        await closing

    thread = threading.Thread(target=asyncio.run, args=(close(),))
    thread.start()
    is_asked.wait()  # and this loop stands still
    await valve.connect()
    await asyncio.to_thread(thread.join)
    assert (valve.loop is not None) is valve.is_open


async def test_open_component_says_its_loop() -> None:
    pump = Pump()
    assert pump.loop is None
    await pump.connect()
    assert pump.loop is asyncio.get_running_loop()
    await pump.disconnect()
    assert pump.loop is None
