"""The checks of an application, by name, in groups."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self

from infrastructure.errors import ConfigurationError
from infrastructure.health.changes import Changes, HealthChange, Listener
from infrastructure.health.checks import Check, Checkable, Probe
from infrastructure.health.status import Health, HealthReport, Status, spared, worst
from infrastructure.health.watch import Watch
from infrastructure.observability.metrics import COMPONENT, Measurement, gauge

if TYPE_CHECKING:
    from infrastructure.observability.logging import LoggerPort

LIVENESS: Final = "liveness"
READINESS: Final = "readiness"


class HealthRegistry:
    """The checks of an application, by name, in groups.

    The checks of a group run at once. An answer is kept for `max_age_seconds`, and those who ask
    while a check runs share it, so that many probes cost the backends one. A check that cannot be
    cancelled is left to itself after its timeout, and not begun again before it has ended.

    With `watch_interval_seconds`, between `start()` and `stop()` one task asks all checks, and
    whoever wants to know is given the last answers with their age, without waiting: UNKNOWN,
    which is not serving, until the first came. When the task is no more, everybody asks again.

    Args:
        timeout_seconds: Bound on each check that has none of its own.
        max_age_seconds: How long an answer is kept; 0 for not at all.
        watch_interval_seconds: How long the watch waits between two rounds, a tenth more or
            less; a round takes as long as its slowest check. None for no watch.
        clock: Seconds that only rise.
        sleep: What the watch waits by.
        logger: Where changes are told; by default the log of the application.

    Raises:
        ConfigurationError: The interval is not above 0.
    """

    def __init__(
        self,
        *,
        timeout_seconds: float = 5.0,
        max_age_seconds: float = 1.0,
        watch_interval_seconds: float | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
        logger: "LoggerPort | None" = None,
    ) -> None:
        self._timeout_seconds = timeout_seconds
        self._max_age_seconds = max_age_seconds
        self._clock = clock
        self._entries: dict[str, _Entry] = {}
        self._changes = Changes(logger)
        self._watch: Watch | None = None
        if watch_interval_seconds is not None:
            self._watch = Watch(self._ask_all, watch_interval_seconds, sleep)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.stop()

    async def start(self) -> None:
        """Begin to watch, if that is wanted; waits for no answer."""
        if self._watch is not None:
            self._watch.start()

    async def stop(self) -> None:
        """Watch no more, and give up the checks that run: what they ask is closed next."""
        if self._watch is not None:
            await self._watch.stop()
        await asyncio.gather(*(entry.check.give_up() for entry in self._entries.values()))

    def on_change(self, listener: Listener) -> Listener:
        """Call it with each `HealthChange`, whoever noticed it; one that raises is logged.

        It runs in the event loop, between two checks: it must be quick. Each change is a line of
        the log beside; a first answer that is UP is told to listeners alone.

        Raises:
            TypeError: It is a coroutine function; nobody would await it.
        """
        self._changes.listen(listener)
        return listener

    def add(
        self,
        name: str,
        checked: Checkable | Probe,
        *,
        is_critical: bool = True,
        groups: Iterable[str] = (READINESS,),
        timeout_seconds: float | None = None,
    ) -> None:
        """Check this from now on.

        Args:
            name: The provider path, or another name of its own.
            checked: A component, or a function.
            is_critical: The application cannot serve without it.
            groups: Where it counts: `readiness`, `liveness`, or names of your own.
            timeout_seconds: Bound on this check.

        Raises:
            ConfigurationError: The name is taken; or a component is to count for liveness.
        """
        is_component, counts_in = hasattr(checked, "health_check"), frozenset(groups)
        self._refuse(name, is_component=is_component, groups=counts_in)
        probe: Probe = checked.health_check if is_component else checked  # type: ignore[union-attr,assignment]  # told apart two lines above

        def changed(before: Status, health: Health) -> None:
            if self._entries.get(name) is entry:  # else it was removed while it was asked
                self._changes.tell(HealthChange(name, before, health, is_critical))

        check = Check(
            probe,
            self._timeout_seconds if timeout_seconds is None else timeout_seconds,
            max_age_seconds=self._max_age_seconds,
            clock=self._clock,
            changed=changed,
        )
        entry = self._entries[name] = _Entry(check, is_critical, counts_in)

    def remove(self, name: str) -> None:
        """Check it no more; harmless when it is not checked."""
        self._entries.pop(name, None)

    async def check(self, group: str = READINESS) -> HealthReport:
        """Every answer of the group, asked for at once; a group without checks is UP."""
        chosen = {name: one for name, one in self._entries.items() if group in one.groups}
        if self._watch is not None and self._watch.is_running:
            answers = [one.check.kept() for one in chosen.values()]
        else:
            answers = await asyncio.gather(*(one.check.answer() for one in chosen.values()))
        status = worst(
            answer.status if entry.is_critical else spared(answer.status)
            for entry, answer in zip(chosen.values(), answers, strict=True)
        )
        return HealthReport(group, status, dict(zip(chosen, answers, strict=True)))

    async def liveness(self) -> HealthReport:
        """Whether this process works; without a check of yours, that it answers."""
        return await self.check(LIVENESS)

    async def readiness(self) -> HealthReport:
        """Whether the application can serve."""
        return await self.check(READINESS)

    def measurements(self) -> Iterable[Measurement]:
        """The last answers: 1 for UP, 0.5 for DEGRADED, 0 for DOWN; asks nobody."""
        worth = {Status.UP: 1.0, Status.DEGRADED: 0.5, Status.DOWN: 0.0}
        for name, entry in list(self._entries.items()):
            last = entry.check.last
            if last is not None and last.status in worth:
                labels = {COMPONENT: name}
                yield gauge("switchgear.health.status", worth[last.status], labels)
                latency = last.latency_seconds
                yield gauge("switchgear.health.latency", latency, labels, unit="s")

    async def _ask_all(self) -> None:
        await asyncio.gather(*(entry.check.ask() for entry in self._entries.values()))

    def _refuse(self, name: str, *, is_component: bool, groups: frozenset[str]) -> None:
        if name in self._entries:
            raise ConfigurationError("is checked already", where=name, hint="Choose another name.")
        if is_component and LIVENESS in groups:
            raise ConfigurationError(
                "a component does not count for liveness",
                where=name,
                hint="Restarting this process would not bring it back; leave it to readiness.",
            )


@dataclass(frozen=True, slots=True)
class _Entry:
    check: Check
    is_critical: bool
    groups: frozenset[str]
