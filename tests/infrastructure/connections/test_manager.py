"""What every connection manager does, on one whose server does as the test says."""

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from infrastructure.config.models.db import ConnectionSettings
from infrastructure.connections.base import (
    AsyncBaseConnectionManager,
    ConnectionState,
    PoolStats,
)
from infrastructure.errors import (
    AuthenticationError,
    ConfigurationError,
    DeadlineExceededError,
    InfrastructureError,
    OverloadedError,
    RejectedError,
    UnavailableError,
)
from infrastructure.health import Status


class ValveSettings(ConnectionSettings):
    kind: str = "valve"
    password: str = "right"


class DriverError(Exception):
    """What the driver of the valve raises."""


class Valve(AsyncBaseConnectionManager):
    """Opens with the password "right", unless a fault is set."""

    Settings = ValveSettings
    settings: ValveSettings

    def __init__(self, **settings: Any) -> None:
        super().__init__(ValveSettings(**settings), name="valves.default")
        self.attempts = 0
        self.fault: Exception | None = None

    def pool_stats(self) -> PoolStats:
        return PoolStats(0, 0, 0)

    def translated(self, error: Exception) -> InfrastructureError | None:
        return RejectedError("no", where=self.name) if isinstance(error, DriverError) else None

    async def call(self, fault: Exception | None = None) -> str:
        async with self.calling():
            if fault is not None:
                raise fault
            return self.settings.password

    async def hang(self) -> None:
        async with self.calling():
            await self.hang_up()

    async def hang_up(self) -> None:
        await asyncio.Event().wait()

    async def _open(self) -> None:
        self.attempts += 1
        if self.fault is not None:
            raise self.fault
        if self.settings.password != "right":
            raise AuthenticationError("wrong password", where=self.name)

    async def _close(self) -> None: ...

    async def _ping(self) -> str:
        return "flows"


async def test_opening_is_tried_as_often_as_the_settings_say() -> None:
    valve = Valve(connect_attempts=3)
    valve.fault = UnavailableError("refused")
    with pytest.raises(UnavailableError, match="refused"):
        await valve.connect()
    assert valve.attempts == 3
    assert valve.state is ConnectionState.UNAVAILABLE


async def test_what_is_refused_for_good_is_tried_once() -> None:
    valve = Valve(password="wrong")
    with pytest.raises(AuthenticationError):
        await valve.connect()
    assert valve.attempts == 1


async def test_attempts_are_bounded_together() -> None:
    valve = Valve(connect_attempts=100, connect_timeout_seconds=0.05)
    valve.fault = UnavailableError("refused")
    with pytest.raises(InfrastructureError):
        await valve.connect()
    assert valve.attempts < 10


async def test_what_keeps_failing_is_left_alone_for_a_moment() -> None:
    valve = Valve(connect_attempts=1)
    valve.fault = UnavailableError("refused")
    for _ in range(5):
        with pytest.raises(UnavailableError, match="refused"):
            await valve.connect()
    with pytest.raises(UnavailableError, match="not tried again yet") as told:
        await valve.connect()
    assert valve.attempts == 5
    assert "The next attempt is made in" in str(told.value)


async def test_a_server_that_keeps_silent_is_left_alone_too() -> None:
    valve = Valve(connect_attempts=1, connect_timeout_seconds=0.02)
    valve._open = valve.hang_up  # type: ignore[method-assign] # a server that says nothing
    for _ in range(5):
        with pytest.raises(DeadlineExceededError):
            await valve.connect()
    with pytest.raises(UnavailableError, match="not tried again yet"):
        await valve.connect()


async def test_other_settings_are_tried_at_once() -> None:
    valve = Valve(connect_attempts=1)
    valve.fault = UnavailableError("refused")
    for _ in range(6):
        with pytest.raises(UnavailableError):
            await valve.connect()
    valve.fault = None
    assert await valve.rotate(timeout_seconds=3.0)
    assert await valve.call() == "right"


async def test_a_wrong_password_is_mended_without_a_restart() -> None:
    valve = Valve(password="wrong")
    with pytest.raises(AuthenticationError):
        await valve.call()
    assert await valve.rotate(password="right")
    assert await valve.call() == "right"
    assert valve.state is ConnectionState.READY


async def test_settings_that_are_none_change_nothing() -> None:
    valve = Valve()
    with pytest.raises(ConfigurationError, match="`rotate` gave does not fit: timeout_seconds: "):
        await valve.rotate(timeout_seconds=-1)
    assert await valve.call() == "right"


@pytest.mark.parametrize("is_awaited", [False, True])
async def test_credentials_are_asked_for_before_each_opening(is_awaited: bool) -> None:
    passwords = iter(["wrong", "right"])

    def now() -> Mapping[str, Any]:
        return {"password": next(passwords)}

    async def later() -> Mapping[str, Any]:
        return now()

    valve = Valve()
    valve.credentials = later if is_awaited else now
    with pytest.raises(AuthenticationError):
        await valve.connect()
    await valve.connect()
    assert valve.state is ConnectionState.READY


async def test_credentials_that_cannot_be_had_make_it_unavailable() -> None:
    def fail() -> Mapping[str, Any]:
        raise LookupError

    valve = Valve(connect_attempts=1)
    valve.credentials = fail
    with pytest.raises(UnavailableError, match=r"`credentials` failed \(LookupError\)"):
        await valve.connect()
    assert valve.state is ConnectionState.UNAVAILABLE


async def test_asking_for_credentials_and_opening_are_bounded_together() -> None:
    async def slowly() -> Mapping[str, Any]:
        await asyncio.sleep(0.15)
        return {}

    valve = Valve(connect_attempts=1, connect_timeout_seconds=0.2)
    valve.credentials = slowly
    valve._open = valve.hang_up  # type: ignore[method-assign] # a server that says nothing
    async with asyncio.timeout(0.3):
        with pytest.raises(DeadlineExceededError):
            await valve.connect()


async def test_a_call_that_hangs_is_cut_by_its_own_deadline() -> None:
    valve = Valve(timeout_seconds=0.02)
    with pytest.raises(DeadlineExceededError):
        await valve.hang()
    assert not valve.is_healthy()
    assert await valve.call() == "right"
    assert valve.is_healthy()


async def test_closing_cuts_what_does_not_end_in_time() -> None:
    valve = Valve(drain_timeout_seconds=0.02)
    hanging = asyncio.create_task(valve.hang())
    await valve.connect()
    await asyncio.sleep(0)
    await valve.disconnect()
    assert valve.state is ConnectionState.CLOSED
    assert valve.loop is None
    hanging.cancel()


async def test_all_who_close_it_wait_for_the_calls_in_flight_and_no_longer() -> None:
    valve = Valve(drain_timeout_seconds=60)
    async with asyncio.timeout(5):
        async with valve.calling():
            closings = [asyncio.create_task(valve.disconnect()) for _ in range(3)]
            await asyncio.sleep(0)
        await asyncio.gather(*closings)
    assert valve.loop is None


async def test_closing_from_another_loop_waits_for_the_calls_in_flight_and_no_longer() -> None:
    valve = Valve(drain_timeout_seconds=60)

    def elsewhere() -> None:
        asyncio.run(valve.disconnect())

    async with asyncio.timeout(5):
        async with valve.calling():
            closing = asyncio.create_task(asyncio.to_thread(elsewhere))
            while not valve.drain.is_closing:  # noqa: ASYNC110  # another thread sets it
                await asyncio.sleep(0)
        await closing
    assert valve.loop is None


async def test_calls_are_refused_until_the_last_of_those_who_close_it_is_done() -> None:
    valve = Valve()
    async with valve.drain.closing(1):
        async with valve.drain.closing(1):
            pass
        with pytest.raises(UnavailableError, match="being closed"):
            await valve.call()
    assert await valve.call() == "right"


async def test_a_health_check_waits_for_a_change_no_longer_than_for_an_answer() -> None:
    valve = Valve(connect_timeout_seconds=0.02)
    async with asyncio.timeout(5), valve.drain.pausing(1):
        assert (await valve.health_check()).status is Status.DOWN
    assert (await valve.health_check()).is_up


async def test_a_health_check_while_it_is_closed_is_answered_and_no_outage() -> None:
    valve = Valve()
    async with valve, valve.drain.closing(1):
        assert "being closed" in (await valve.health_check()).detail
        assert valve.is_healthy()


async def test_the_drivers_errors_come_out_as_ours_with_their_cause() -> None:
    valve = Valve()
    with pytest.raises(RejectedError) as told:
        await valve.call(DriverError("secret"))
    assert isinstance(told.value.__cause__, DriverError)
    assert valve.state is ConnectionState.READY


async def test_what_is_nobodys_error_comes_out_as_it_is() -> None:
    with pytest.raises(ZeroDivisionError):
        await Valve().call(ZeroDivisionError())


async def test_a_full_server_is_degraded_and_not_down() -> None:
    valve = Valve()
    with pytest.raises(OverloadedError):
        await valve.call(OverloadedError("full"))
    assert valve.state is ConnectionState.DEGRADED
    assert not valve.is_healthy()
    await valve.call()
    assert valve.is_healthy()


async def test_a_cancelled_call_says_nothing_about_the_connection() -> None:
    valve = Valve()
    await valve.connect()
    call = asyncio.create_task(valve.hang())
    await asyncio.sleep(0)
    call.cancel()
    await asyncio.wait((call,))
    assert call.cancelled()
    assert valve.state is ConnectionState.READY
    assert valve.drain.in_flight == 0


async def test_one_rotation_comes_after_another() -> None:
    valve = Valve()
    await valve.connect()
    await asyncio.gather(*(valve.rotate(timeout_seconds=1.0 + number) for number in range(5)))
    assert valve.state is ConnectionState.READY
    assert valve.attempts == 6


@pytest.mark.parametrize("is_opened", [True, False])
async def test_opened_or_closed_while_it_is_changed_it_stays_so_and_is_changed(
    is_opened: bool,
) -> None:
    valve, is_closing, may_close = Valve(), asyncio.Event(), asyncio.Event()
    opened_with: list[float] = []

    async def open_() -> None:
        opened_with.append(valve.settings.timeout_seconds)

    async def close() -> None:
        is_closing.set()
        await may_close.wait()

    valve._open = open_  # type: ignore[method-assign] # one that tells
    valve._close = close  # type: ignore[method-assign] # a driver that takes its time
    await valve.connect()
    changing = asyncio.create_task(valve.rotate(timeout_seconds=1.0))
    await is_closing.wait()
    await (valve.connect() if is_opened else valve.disconnect())
    may_close.set()
    assert await changing
    assert (valve.loop is not None) is is_opened
    assert opened_with[1:] == [1.0] * is_opened
