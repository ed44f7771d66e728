"""How long operations of the application take, and which were slow."""

import inspect
import threading
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import wraps
from types import TracebackType
from typing import Any, Self, TypeVar, overload

from infrastructure.observability.durations import Durations, DurationStatistics
from infrastructure.observability.logging import LoggerPort, get_logger
from infrastructure.observability.metrics import OPERATION, Instrument, Measurement, counter, gauge

T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., Any])

_OTHER = "other"


@dataclass(frozen=True, slots=True)
class SlowOperation:
    """An operation that took longer than it should.

    Attributes:
        name: What was monitored.
        seconds: How long it took.
        threshold_seconds: How long it may take.
        error: What it raised, where it did.
    """

    name: str
    seconds: float
    threshold_seconds: float
    error: BaseException | None = None


SlowHook = Callable[[SlowOperation], None]


class PerformanceMonitor:
    """Measures operations by name; each is a line in the stream `performance`, slow ones a warning.

    Memory is bounded: some 250 numbers a name, and `max_names` names; what comes beyond is
    measured under the name `other`.

    Args:
        slow_seconds: From when on an operation is slow; None for never.
        thresholds: The same by name, which wins.
        max_names: How many names are told apart.
        clock: Seconds that only rise.
        logger: Where the lines go.
    """

    def __init__(
        self,
        *,
        slow_seconds: float | None = 1.0,
        thresholds: Mapping[str, float] | None = None,
        max_names: int = 1000,
        clock: Callable[[], float] = time.perf_counter,
        logger: LoggerPort | None = None,
    ) -> None:
        self._slow_seconds = slow_seconds
        self._thresholds = dict(thresholds or {})
        self._max_names = max_names
        self._log: LoggerPort = logger or get_logger(__name__, stream="performance")
        self._durations: dict[str, Durations] = {}
        self._errors: dict[str, int] = {}
        self._hooks: list[SlowHook] = []
        self._lock = threading.Lock()
        self.clock = clock
        self.failed_hooks = 0

    @overload
    def monitor_operation(
        self, name: str, operation: Callable[..., Awaitable[T]], /, *args: Any, **kwargs: Any
    ) -> Awaitable[T]: ...

    @overload
    def monitor_operation(self, name: str, operation: Awaitable[T], /) -> Awaitable[T]: ...

    @overload
    def monitor_operation(
        self, name: str, operation: Callable[..., T], /, *args: Any, **kwargs: Any
    ) -> T: ...

    @overload
    def monitor_operation(self, name: str, /) -> "Timing": ...

    def monitor_operation(
        self, name: str, operation: Any = None, /, *args: Any, **kwargs: Any
    ) -> Any:
        """Run the operation and measure it; its result and its exception are its own.

        `await monitor.monitor_operation("checkout", pay, order)` for a coroutine function or an
        awaitable, without `await` for a function; `with monitor.monitor_operation("checkout"):`
        for a block, sync or async; `@monitor.monitor_operation("checkout")` for every call.

        Args:
            name: A constant, of which there are few.
            operation: What to run; nothing for a block or a decorator.
            *args: Given to the operation.
            **kwargs: The same.
        """
        timing = Timing(self, name)
        if operation is None:
            return timing
        if inspect.isawaitable(operation):
            return timing.awaited(operation)
        return timing(operation)(*args, **kwargs)

    def on_slow(self, hook: SlowHook) -> SlowHook:
        """Call the hook for each slow operation, in its thread; one that raises is counted.

        Raises:
            TypeError: It is a coroutine function; nobody would await it.
        """
        if inspect.iscoroutinefunction(hook):
            raise TypeError("a hook for slow operations is a plain function")
        self._hooks.append(hook)
        return hook

    def statistics(self, name: str) -> DurationStatistics:
        """The durations of this name; zeros when there were none."""
        durations = self._durations.get(name)
        return durations.statistics() if durations else DurationStatistics()

    def record(self, name: str, seconds: float, error: BaseException | None = None) -> None:
        """Take down a duration measured elsewhere."""
        known = self._known(name)
        self._durations[known].record(seconds)
        if isinstance(error, Exception):  # a cancellation is none
            with self._lock:
                self._errors[known] += 1
        threshold = self._thresholds.get(name, self._slow_seconds)
        fields = {"operation": name, "seconds": round(seconds, 6)}
        if error is not None:
            fields["error"] = type(error).__name__
        if threshold is None or seconds < threshold:
            self._log.debug("operation", **fields)
            return
        self._log.warning("slow operation", threshold_seconds=threshold, **fields)
        self._call_hooks(SlowOperation(name, seconds, threshold, error))

    def measurements(self) -> Iterable[Measurement]:
        """A histogram of each name, its slowest, and its errors."""
        for name, durations in list(self._durations.items()):
            labels, known = {OPERATION: name}, durations.statistics()
            yield Measurement(
                "switchgear.performance.duration",
                Instrument.HISTOGRAM,
                known.total_seconds,
                "s",
                labels,
                buckets=durations.buckets(),
            )
            yield gauge("switchgear.performance.slowest", known.max_seconds, labels, unit="s")
            errors = self._errors[name]
            yield counter("switchgear.performance.errors", errors, labels, unit="{error}")
        hooks = self.failed_hooks
        yield counter("switchgear.performance.failed_hooks", hooks, unit="{hook}")

    def _known(self, name: str) -> str:
        if name in self._durations:
            return name
        with self._lock:
            known = name if len(self._durations) < self._max_names else _OTHER
            self._errors.setdefault(known, 0)
            self._durations.setdefault(known, Durations())
        return known

    def _call_hooks(self, slow: SlowOperation) -> None:
        for hook in self._hooks:
            try:
                hook(slow)
            except Exception:  # noqa: BLE001 - the operation is not to blame
                self.failed_hooks += 1
                self._log.exception("hook for slow operations failed")


class Timing:
    """Measures a block, sync or async, or every call of a function.

    A block needs one of its own: ask the monitor for it in the `with` statement.
    """

    __slots__ = ("_monitor", "_name", "_started")

    def __init__(self, monitor: PerformanceMonitor, name: str) -> None:
        self._monitor = monitor
        self._name = name
        self._started = 0.0

    def __enter__(self) -> Self:
        self._started = self._monitor.clock()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._monitor.record(self._name, self._monitor.clock() - self._started, error)

    async def __aenter__(self) -> Self:
        return self.__enter__()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.__exit__(kind, error, trace)

    def __call__(self, function: F) -> F:
        """The function, measured each time it is called."""
        if inspect.iscoroutinefunction(function):

            @wraps(function)
            async def measured(*args: Any, **kwargs: Any) -> Any:
                return await self.awaited(function(*args, **kwargs))

        else:

            @wraps(function)
            def measured(*args: Any, **kwargs: Any) -> Any:
                timing = Timing(self._monitor, self._name).__enter__()
                try:
                    result = function(*args, **kwargs)
                except BaseException as error:
                    timing.__exit__(type(error), error, None)
                    raise
                if inspect.isawaitable(result):  # a partial, or a function that hands one on
                    return self.awaited(result)
                timing.__exit__(None, None, None)
                return result

        return measured  # type: ignore[return-value]  # it is called as the function is

    async def awaited(self, awaitable: Awaitable[T]) -> T:
        """The result of the awaitable, measured from now on."""
        with Timing(self._monitor, self._name):
            return await awaitable
