"""Operations are measured by name; slow ones are told."""

import asyncio
import functools
from typing import Any

import pytest

from infrastructure.observability.logging import RecordingLogger
from infrastructure.observability.performance import PerformanceMonitor, SlowOperation


class Clock:
    """Goes on only where told."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def log() -> RecordingLogger:
    return RecordingLogger()


@pytest.fixture
def monitor(clock: Clock, log: RecordingLogger) -> PerformanceMonitor:
    return PerformanceMonitor(clock=clock, logger=log, thresholds={"patient": 60.0})


def taking(clock: Clock, seconds: float, result: Any = "done") -> Any:
    clock.now += seconds
    if isinstance(result, BaseException):
        raise result
    return result


async def taking_async(clock: Clock, seconds: float, result: Any = "done") -> Any:
    return taking(clock, seconds, result)


def test_function_is_run_and_measured(monitor, clock):
    assert monitor.monitor_operation("pay", taking, clock, 0.5, result=7) == 7
    assert monitor.statistics("pay").max_seconds == 0.5


async def test_coroutine_function_is_run_and_measured(monitor, clock):
    assert await monitor.monitor_operation("pay", taking_async, clock, 0.5) == "done"
    assert monitor.statistics("pay").total_seconds == 0.5


async def test_awaitable_is_measured(monitor, clock):
    assert await monitor.monitor_operation("pay", taking_async(clock, 0.5)) == "done"
    assert monitor.statistics("pay").count == 1


async def test_partial_of_a_coroutine_function_is_measured_once(monitor, clock):
    pay = functools.partial(taking_async, clock, 0.5)
    assert await monitor.monitor_operation("pay", pay) == "done"
    assert (monitor.statistics("pay").count, monitor.statistics("pay").max_seconds) == (1, 0.5)


async def test_block_is_measured_sync_and_async(monitor, clock):
    with monitor.monitor_operation("pay"):
        clock.now += 1
    async with monitor.monitor_operation("pay"):
        clock.now += 2
    assert monitor.statistics("pay").total_seconds == 3


async def test_every_call_of_a_decorated_function_is_measured(monitor, clock):
    pay = monitor.monitor_operation("pay")(taking)
    pay_async = monitor.monitor_operation("pay")(taking_async)
    pay(clock, 1)
    await pay_async(clock, 2)
    assert (monitor.statistics("pay").count, pay.__name__) == (2, "taking")
    assert asyncio.iscoroutinefunction(pay_async)


def test_exception_is_the_operations_own_and_counted(monitor, clock):
    with pytest.raises(LookupError):
        monitor.monitor_operation("pay", taking, clock, 0.5, LookupError())
    errors = [one for one in monitor.measurements() if one.name == "switchgear.performance.errors"]
    assert [one.value for one in errors] == [1]


def test_each_operation_is_a_line_and_a_slow_one_a_warning(monitor, clock, log):
    monitor.monitor_operation("pay", taking, clock, 0.5)
    monitor.monitor_operation("pay", taking, clock, 1.5)
    assert [(line.level, line.event) for line in log.lines] == [
        ("DEBUG", "operation"),
        ("WARNING", "slow operation"),
    ]
    assert log.lines[1].fields == {"operation": "pay", "seconds": 1.5, "threshold_seconds": 1.0}


def test_threshold_of_a_name_wins(monitor, clock, log):
    monitor.monitor_operation("patient", taking, clock, 30)
    assert [line.level for line in log.lines] == ["DEBUG"]


def test_slow_operation_is_told_to_the_hooks(monitor, clock):
    told: list[SlowOperation] = []
    monitor.on_slow(told.append)
    monitor.monitor_operation("pay", taking, clock, 0.5)
    monitor.monitor_operation("pay", taking, clock, 1.5)
    assert told == [SlowOperation("pay", 1.5, 1.0)]


def test_hook_that_raises_harms_nobody_and_is_counted(monitor, clock, log):
    def broken(slow: SlowOperation) -> None:
        raise RuntimeError("no")

    told: list[SlowOperation] = []
    monitor.on_slow(broken)
    monitor.on_slow(told.append)
    assert monitor.monitor_operation("pay", taking, clock, 1.5) == "done"
    assert (monitor.failed_hooks, len(told), type(log.lines[-1].error)) == (1, 1, RuntimeError)


def test_coroutine_function_is_no_hook(monitor):
    async def hook(slow: SlowOperation) -> None: ...

    with pytest.raises(TypeError, match="plain function"):
        monitor.on_slow(hook)


def test_names_beyond_the_bound_share_one(clock, log):
    monitor = PerformanceMonitor(max_names=2, clock=clock, logger=log)
    for number in range(5):
        monitor.monitor_operation(f"name {number}", taking, clock, 0.1)
    assert monitor.statistics("other").count == 3
    names = {one.labels.get("operation") for one in monitor.measurements()}
    assert names == {"name 0", "name 1", "other", None}


def test_unknown_name_has_zeros(monitor):
    assert monitor.statistics("never").count == 0
