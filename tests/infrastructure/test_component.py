"""The life of a component."""

import asyncio
import gc
import weakref
from collections.abc import Callable
from types import SimpleNamespace

import pytest

from infrastructure.component import Component
from infrastructure.errors import DeadlineExceededError, UnavailableError
from infrastructure.health import Status


class Pump(Component):
    """Counts its openings; waits, fails or hangs where told to."""

    def __init__(self, timeout_seconds: float = 10.0) -> None:
        settings = SimpleNamespace(kind="pump", connect_timeout_seconds=timeout_seconds)
        super().__init__(settings, name="pumps.default")
        self.opened = self.closed = 0
        self.let_open = asyncio.Event()
        self.let_open.set()
        self.fault: Exception | None = None

    async def _open(self) -> None:
        self.opened += 1
        await self.let_open.wait()
        if self.fault:
            raise self.fault

    async def _close(self) -> None:
        self.closed += 1

    async def _ping(self) -> str:
        if self.fault:
            raise self.fault
        return "pumping"


async def until(condition: Callable[[], bool]) -> None:
    """Let others run until the condition holds; the test's own timeout bounds it."""
    while not condition():  # noqa: ASYNC110  # what is waited for has no event
        await asyncio.sleep(0)


async def test_fifty_callers_open_it_once() -> None:
    pump = Pump()
    await asyncio.gather(*(pump.connect() for _ in range(50)))
    assert pump.opened == 1


async def test_open_component_is_not_opened_again() -> None:
    pump = Pump()
    await pump.connect()
    await pump.connect()
    assert pump.opened == 1


async def test_cancelled_caller_does_not_spoil_the_opening_of_the_others() -> None:
    pump = Pump()
    pump.let_open.clear()
    first, second = (asyncio.create_task(pump.connect()) for _ in range(2))
    await until(lambda: pump.opened == 1)
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    pump.let_open.set()
    await second
    assert pump.opened == 1
    assert pump.is_healthy()


async def test_opening_that_everybody_left_is_tried_again() -> None:
    pump = Pump()
    pump.let_open.clear()
    only = asyncio.create_task(pump.connect())
    await until(lambda: pump.opened == 1)
    only.cancel()
    await asyncio.gather(only, return_exceptions=True)
    pump.let_open.set()
    await pump.connect()
    assert pump.opened == 2


async def test_an_opening_waits_until_one_that_everybody_left_has_cleared_away() -> None:
    pump, may_clear = Pump(), asyncio.Event()
    opening = pump._open

    async def clears_away() -> None:
        try:
            await opening()
        except asyncio.CancelledError:
            await may_clear.wait()
            raise

    pump._open = clears_away  # type: ignore[method-assign] # a driver that takes its time
    pump.let_open.clear()
    leaving = asyncio.create_task(pump.connect())
    await until(lambda: pump.opened == 1)
    leaving.cancel()
    await asyncio.wait((leaving,))
    pump.let_open.set()
    for is_given_up in (True, True, False):
        connecting = asyncio.create_task(pump.connect())
        for _ in range(5):
            await asyncio.sleep(0)
        assert pump.opened == 1
        if is_given_up:
            connecting.cancel()
            await asyncio.wait((connecting,))
    may_clear.set()
    await connecting
    assert pump.opened == 2


async def test_failed_opening_reaches_every_caller_and_is_tried_again() -> None:
    pump = Pump()
    pump.fault = UnavailableError("refused", where=pump.name)
    answers = await asyncio.gather(*(pump.connect() for _ in range(3)), return_exceptions=True)
    assert [str(answer) for answer in answers] == ["pumps.default: refused"] * 3
    pump.fault = None
    await pump.connect()
    assert pump.opened == 2


async def test_opening_that_failed_keeps_nothing_of_what_it_made() -> None:
    made: list[weakref.ref[asyncio.Event]] = []

    class Leaky(Pump):
        async def _open(self) -> None:
            half = asyncio.Event()
            made.append(weakref.ref(half))
            raise UnavailableError("refused", where=self.name)

    pump = Leaky()
    with pytest.raises(UnavailableError):
        await pump.connect()
    await asyncio.sleep(0)
    gc.collect()
    assert made[0]() is None


async def test_opening_that_hangs_ends_at_the_deadline() -> None:
    pump = Pump(timeout_seconds=0.01)
    pump.let_open.clear()
    with pytest.raises(DeadlineExceededError, match=r"pumps\.default: no answer within 0\.01 s"):
        await pump.connect()


async def test_closing_twice_or_unopened_is_harmless() -> None:
    pump = Pump()
    await pump.disconnect()
    await pump.connect()
    await pump.disconnect()
    await pump.disconnect()
    assert pump.closed == 1


async def test_closed_while_it_opens_it_does_not_stay_open() -> None:
    pump = Pump()
    pump.let_open.clear()
    opening = asyncio.create_task(pump.connect())
    await until(lambda: pump.opened == 1)
    await pump.disconnect()
    pump.let_open.set()
    with pytest.raises(UnavailableError, match="closed while it was being opened"):
        await opening
    assert (pump.loop, pump.closed) == (None, 1)
    await pump.connect()
    assert pump.loop is asyncio.get_running_loop()


async def test_who_connects_after_closing_has_no_part_in_what_was_being_opened_before() -> None:
    pump = Pump()
    pump.let_open.clear()
    before = asyncio.create_task(pump.connect())
    await until(lambda: pump.opened == 1)
    await pump.disconnect()
    after = asyncio.create_task(pump.connect())
    await asyncio.sleep(0)
    pump.let_open.set()
    with pytest.raises(UnavailableError, match="closed while it was being opened"):
        await before
    await after
    assert pump.loop is asyncio.get_running_loop()
    assert (pump.opened, pump.closed) == (2, 1)


async def test_closed_at_the_moment_it_is_open_it_opens_again() -> None:
    pump, gate = Pump(), asyncio.get_running_loop().create_future()

    async def open_() -> None:
        pump.opened += 1
        await gate

    async def close_and_open() -> None:
        await gate
        await pump.disconnect()
        await pump.connect()

    pump._open = open_  # type: ignore[method-assign] # one that goes on at a moment of the test's
    first = asyncio.create_task(pump.connect())
    await until(lambda: pump.opened == 1)
    again = asyncio.create_task(close_and_open())
    await asyncio.sleep(0)
    gate.set_result(None)
    await asyncio.gather(first, again)
    assert (pump.opened, pump.closed) == (2, 1)
    assert pump.loop is asyncio.get_running_loop()


async def test_closed_component_opens_again() -> None:
    pump = Pump()
    async with pump:
        pass
    async with pump:
        assert pump.is_healthy()
    assert (pump.opened, pump.closed) == (2, 2)


async def test_block_that_raises_closes_too() -> None:
    pump = Pump()
    with pytest.raises(KeyError):
        async with pump:
            raise KeyError
    assert pump.closed == 1


async def test_closing_that_fails_leaves_it_closed() -> None:
    class Stuck(Pump):
        async def _close(self) -> None:
            raise UnavailableError("stuck", where=self.name)

    pump = Stuck()
    await pump.connect()
    with pytest.raises(UnavailableError):
        await pump.disconnect()
    assert not pump.is_healthy()
    await pump.connect()
    assert pump.opened == 2


async def test_check_opens_and_tells_what_answered() -> None:
    pump = Pump()
    assert not pump.is_healthy()
    health = await pump.health_check()
    assert (health.status, health.detail, pump.opened) == (Status.UP, "pumping", 1)
    assert pump.is_healthy()


async def test_check_of_what_is_down_tells_and_does_not_raise() -> None:
    pump = Pump()
    pump.fault = UnavailableError("refused", where=pump.name)
    health = await pump.health_check()
    assert health.status is Status.DOWN
    assert health.detail == "transient: pumps.default: refused"
    assert not pump.is_healthy()


async def test_check_that_raises_what_nobody_has_translated_is_down_without_its_text() -> None:
    class Leaking(Pump):
        async def _ping(self) -> str:
            raise RuntimeError("postgres://user:hunter2@host")

    pump = Leaking()
    await pump.connect()
    assert pump.is_healthy()
    health = await pump.health_check()
    assert (health.status, health.detail) == (Status.DOWN, "unknown: RuntimeError")
    assert not pump.is_healthy()


async def test_check_that_hangs_ends_at_the_deadline() -> None:
    pump = Pump(timeout_seconds=0.01)
    pump.let_open.clear()
    health = await pump.health_check()
    assert health.status is Status.DOWN
    assert health.latency_seconds >= 0.01


async def test_component_that_came_back_is_healthy_again() -> None:
    pump = Pump()
    pump.fault = UnavailableError("refused", where=pump.name)
    await pump.health_check()
    pump.fault = None
    assert (await pump.health_check()).is_up


async def test_closed_component_is_not_healthy() -> None:
    pump = Pump()
    await pump.connect()
    await pump.disconnect()
    assert not pump.is_healthy()


def test_name_is_the_kind_when_none_is_given() -> None:
    class Bare(Pump):
        def __init__(self) -> None:
            Component.__init__(self, SimpleNamespace(kind="pump", connect_timeout_seconds=1.0))

    assert repr(Bare()) == "<Bare pump>"
