"""What every connection manager for threads does, on one whose server does as the test says."""

import signal
import threading
import time
from collections.abc import Mapping
from threading import Event, Thread
from typing import Any

import pytest

from infrastructure.config.models.db import ConnectionSettings
from infrastructure.connections.base import BaseConnectionManager, ConnectionState, PoolStats
from infrastructure.connections.sync_calls import seconds_left
from infrastructure.errors import (
    AuthenticationError,
    ConfigurationError,
    DeadlineExceededError,
    InfrastructureError,
    OverloadedError,
    RejectedError,
    UnavailableError,
)
from infrastructure.resilience import FixedDelayStrategy, Retry
from tests.contracts.sync_connection_contract import until


class ValveSettings(ConnectionSettings):
    kind: str = "valve"
    password: str = "right"


class DriverError(Exception):
    """What the driver of the valve raises."""


class Valve(BaseConnectionManager):
    """Opens with the password "right", unless a fault is set."""

    Settings = ValveSettings
    settings: ValveSettings
    operations = frozenset({"call"})

    def __init__(self, **settings: Any) -> None:
        super().__init__(ValveSettings(**settings), name="valves.default")
        self.attempts = 0
        self.calls = 0
        self.fault: Exception | None = None

    def pool_stats(self) -> PoolStats:
        return PoolStats(0, 0, 0)

    def translated(self, error: Exception) -> InfrastructureError | None:
        return RejectedError("no", where=self.name) if isinstance(error, DriverError) else None

    def call(self, fault: Exception | None = None) -> str:
        self.calls += 1
        with self.calling():
            if fault is not None:
                raise fault
            return self.settings.password

    def _open(self) -> None:
        self.attempts += 1
        if self.fault is not None:
            raise self.fault
        if self.settings.password != "right":
            raise AuthenticationError("wrong password", where=self.name)

    def _close(self) -> None: ...

    def _disown(self) -> None: ...

    def _ping(self) -> str:
        return "flows"


def test_opening_is_tried_as_often_as_the_settings_say() -> None:
    valve = Valve(connect_attempts=3)
    valve.fault = UnavailableError("refused")
    with pytest.raises(UnavailableError, match="refused"):
        valve.connect()
    assert valve.attempts == 3
    assert valve.state is ConnectionState.UNAVAILABLE


def test_what_is_refused_for_good_is_tried_once() -> None:
    valve = Valve(password="wrong")
    with pytest.raises(AuthenticationError):
        valve.connect()
    assert valve.attempts == 1


def test_attempts_are_bounded_together() -> None:
    valve = Valve(connect_attempts=100, connect_timeout_seconds=0.05)
    valve.fault = UnavailableError("refused")
    with pytest.raises(InfrastructureError):
        valve.connect()
    assert valve.attempts < 10


def test_what_keeps_failing_is_left_alone_for_a_moment() -> None:
    valve = Valve(connect_attempts=1)
    valve.fault = UnavailableError("refused")
    for _ in range(5):
        with pytest.raises(UnavailableError, match="refused"):
            valve.connect()
    with pytest.raises(UnavailableError, match="not tried again yet"):
        valve.connect()
    assert valve.attempts == 5
    valve.fault = None
    assert valve.rotate(timeout_seconds=3.0)
    assert valve.call() == "right"


def test_settings_that_are_none_change_nothing() -> None:
    valve = Valve()
    with pytest.raises(ConfigurationError, match="`rotate` gave does not fit: timeout_seconds: "):
        valve.rotate(timeout_seconds=-1)
    assert valve.call() == "right"


def test_settings_that_are_changed_stay_so_when_closing_fails() -> None:
    def fail() -> None:
        raise UnavailableError("stuck")

    valve = Valve()
    valve.connect()
    valve._close = fail  # type: ignore[method-assign] # a driver that fails to close
    with pytest.raises(UnavailableError, match="stuck"):
        valve.rotate(timeout_seconds=3.0)
    assert valve.call() == "right"
    assert valve.settings.timeout_seconds == 3.0


def test_an_answer_that_comes_after_closing_makes_nothing_healthy() -> None:
    valve = Valve(drain_timeout_seconds=0.02)
    with valve.calling():
        valve.disconnect()
    assert not valve.is_healthy()


def test_credentials_are_asked_for_before_each_opening() -> None:
    passwords = iter(["wrong", "right"])
    valve = Valve()
    valve.credentials = lambda: {"password": next(passwords)}
    with pytest.raises(AuthenticationError):
        valve.connect()
    valve.connect()
    assert valve.state is ConnectionState.READY


def test_credentials_that_are_to_be_awaited_are_refused() -> None:
    async def later() -> Mapping[str, Any]:
        return {}

    valve = Valve()
    waiting = later()
    valve.credentials = lambda: waiting  # type: ignore[assignment] # what is refused
    with pytest.raises(ConfigurationError, match="no event loop"):
        valve.connect()
    waiting.close()


def _fail() -> Mapping[str, Any]:
    raise LookupError("hunter2")


@pytest.mark.parametrize(
    ("credentials", "expected", "said"),
    [
        (_fail, UnavailableError, r"`credentials` failed \(LookupError\)"),
        (lambda: None, ConfigurationError, "expected settings by name, found NoneType"),
        (lambda: {"pasword": "hunter2"}, ConfigurationError, "pasword: Extra inputs"),
        (lambda: {"password": ["hunter2"]}, ConfigurationError, "password: Input should be"),
    ],
)
def test_credentials_that_are_of_no_use_are_our_error(
    credentials: Any, expected: type[InfrastructureError], said: str
) -> None:
    valve = Valve(connect_attempts=1)
    valve.credentials = credentials
    with pytest.raises(expected, match=said) as told:
        valve.call()
    assert "hunter2" not in str(told.value)
    assert valve.state is ConnectionState.UNAVAILABLE


def test_a_call_knows_how_long_it_may_block() -> None:
    valve = Valve(timeout_seconds=0.5)
    with valve.calling():
        assert 0 < seconds_left(10.0) <= 0.5
    assert seconds_left(10.0) == 10.0


def test_a_call_waits_for_a_change_no_longer_than_its_deadline() -> None:
    valve = Valve(timeout_seconds=0.02)
    valve.connect()
    with valve.drain.pausing(1.0), pytest.raises(DeadlineExceededError):
        valve.call()
    assert valve.call() == "right"


def test_opening_in_one_thread_keeps_another_no_longer_than_its_deadline() -> None:
    valve, opening, over = Valve(connect_timeout_seconds=5.0), Event(), Event()

    def slowly() -> None:
        opening.set()
        over.wait(10)

    valve._open = slowly  # type: ignore[method-assign] # a server that answers late
    thread = Thread(target=valve.connect)
    thread.start()
    opening.wait(10)
    assert valve.state is ConnectionState.CONNECTING
    quick = {"timeout_seconds": 0.02}
    valve.settings = valve.settings.model_copy(update=quick)
    with pytest.raises(DeadlineExceededError):
        valve.call()
    over.set()
    thread.join(10)
    assert valve.call() == "right"


def test_opening_is_bounded_together_with_the_wait_for_a_thread_that_fails_to_open() -> None:
    valve, begun = Valve(connect_attempts=1, connect_timeout_seconds=0.4), Event()
    blocks_seconds = iter([0.3, 10.0])

    def silent() -> None:
        begun.set()
        Event().wait(min(next(blocks_seconds), seconds_left(10.0)))
        raise UnavailableError("silent")

    def connect() -> None:
        with pytest.raises(UnavailableError):
            valve.connect()

    valve._open = silent  # type: ignore[method-assign] # a server that does not answer
    other = Thread(target=connect)
    other.start()
    begun.wait(10)
    started = time.perf_counter()
    connect()
    assert time.perf_counter() - started < 0.4 + 0.2
    other.join(10)


def test_closing_goes_on_when_a_call_does_not_end_in_time() -> None:
    valve = Valve(drain_timeout_seconds=0.02)
    with valve.calling():
        valve.disconnect()
        assert valve.state is ConnectionState.CLOSED
    assert valve.drain.in_flight == 0


@pytest.mark.parametrize("way", ["closing", "pausing"])
def test_who_is_interrupted_while_the_calls_end_leaves_it_usable(way: str) -> None:
    valve, mine = Valve(), threading.get_ident()

    def interrupt() -> None:
        until(lambda: valve.drain.is_closing or valve.drain.is_paused)
        signal.pthread_kill(mine, signal.SIGINT)

    with valve.calling():
        thread = Thread(target=interrupt)
        thread.start()
        with pytest.raises(KeyboardInterrupt), getattr(valve.drain, way)(10):
            pass
        thread.join(10)
    assert valve.call() == "right"


def test_calls_are_refused_until_the_last_of_those_who_close_it_is_done() -> None:
    valve = Valve()
    with valve.drain.closing(1):
        with valve.drain.closing(1):
            pass
        with pytest.raises(UnavailableError, match="being closed"):
            valve.call()
    assert valve.call() == "right"


def test_the_drivers_errors_come_out_as_ours_with_their_cause() -> None:
    valve = Valve()
    with pytest.raises(RejectedError) as told:
        valve.call(DriverError("secret"))
    assert isinstance(told.value.__cause__, DriverError)
    with pytest.raises(ZeroDivisionError):
        valve.call(ZeroDivisionError())
    assert valve.state is ConnectionState.READY


@pytest.mark.parametrize(
    ("error", "state"),
    [
        (OverloadedError("full"), ConnectionState.DEGRADED),
        (UnavailableError("silent"), ConnectionState.UNAVAILABLE),
    ],
)
def test_what_a_call_met_is_remembered_until_the_next_answer(
    error: InfrastructureError, state: ConnectionState
) -> None:
    valve = Valve()
    with pytest.raises(type(error)):
        valve.call(error)
    assert valve.state is state
    assert not valve.is_healthy()
    valve.call()
    assert valve.is_healthy()


def test_the_policy_stands_around_each_operation() -> None:
    valve = Valve()
    valve.policy = Retry(3, FixedDelayStrategy(0.0))
    with pytest.raises(UnavailableError):
        valve.call(UnavailableError("silent"))
    assert valve.calls == 3


def test_one_rotation_comes_after_another() -> None:
    valve = Valve()
    valve.connect()
    threads = [
        Thread(target=valve.rotate, kwargs={"timeout_seconds": 1.0 + number}) for number in range(5)
    ]
    for thread in threads:
        thread.start()
    until(lambda: valve.attempts == 6)
    for thread in threads:
        thread.join(10)
    assert valve.state is ConnectionState.READY
