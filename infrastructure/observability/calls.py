"""Durations of the calls to backends, kept in this process: for a scrape, without OpenTelemetry.

`telemetry.listen(CallDurations())` begins to count.
"""

import time
from collections.abc import Callable, Iterable

from infrastructure.errors import classify
from infrastructure.observability.durations import Durations
from infrastructure.observability.metrics import (
    COMPONENT,
    KIND,
    OPERATION,
    OUTCOME,
    Instrument,
    Measurement,
)
from infrastructure.observability.telemetry import Observable

#: Component, kind, operation, outcome.
_Series = tuple[str, str, str, str]


class CallDurations:
    """A listener of telemetry that keeps a histogram for each operation and outcome.

    Args:
        max_series: How many are told apart; what comes beyond is counted under `other`.
        clock: Seconds that only rise.
    """

    def __init__(
        self, *, max_series: int = 2000, clock: Callable[[], float] = time.perf_counter
    ) -> None:
        self._max_series = max_series
        self._durations: dict[_Series, Durations] = {}
        self.clock = clock

    def begin(self, component: Observable, operation: str) -> "CallWatch":
        """Take the time."""
        return CallWatch(self, (component.name, str(component.settings.kind), operation))

    def record(self, call: tuple[str, str, str], seconds: float, outcome: str) -> None:
        """Count a call."""
        series = (*call, outcome)
        if series not in self._durations and len(self._durations) >= self._max_series:
            series = ("other", "other", "other", outcome)
        self._durations.setdefault(series, Durations()).record(seconds)

    def measurements(self) -> Iterable[Measurement]:
        """A histogram for each operation and outcome."""
        for series, durations in list(self._durations.items()):
            yield Measurement(
                "switchgear.operation.duration",
                Instrument.HISTOGRAM,
                durations.statistics().total_seconds,
                "s",
                dict(zip((COMPONENT, KIND, OPERATION, OUTCOME), series, strict=True)),
                "Calls of components to their backends.",
                durations.buckets(),
            )


class CallWatch:
    """One call; where it runs does not matter here."""

    __slots__ = ("_call", "_durations", "_started")

    def __init__(self, durations: CallDurations, call: tuple[str, str, str]) -> None:
        self._durations = durations
        self._call = call
        self._started = durations.clock()

    def resume(self) -> None:
        """Nothing to do."""

    def pause(self) -> None:
        """Nothing to do."""

    def end(self, error: BaseException | None) -> None:
        """Count it with its outcome."""
        seconds = self._durations.clock() - self._started
        outcome = "ok" if error is None else str(classify(error))
        self._durations.record(self._call, seconds, outcome)
