"""How components are doing: one shape for every part, and groups that answer for many.

`liveness` says whether this process works, and asks nothing outside of it: restarting it would
bring no database back. `readiness` says whether it can serve, by the components it needs.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final, Protocol

from infrastructure.errors import ConfigurationError, InfrastructureError, classify
from infrastructure.observability.metrics import COMPONENT, Measurement, gauge

LIVENESS: Final = "liveness"
READINESS: Final = "readiness"
#: What a check may take beyond its timeout to end; then it is left to itself.
_GRACE_SECONDS = 0.1


class Status(StrEnum):
    """How a component answered its last check."""

    UP = "up"
    DEGRADED = "degraded"
    DOWN = "down"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Health:
    """The answer of one check.

    Attributes:
        status: UP when a first real operation answered.
        latency_seconds: How long the operation took, or how long it was waited for.
        detail: One line for people, free of secrets.
        age_seconds: How long ago it was asked, when the answer was kept.
    """

    status: Status
    latency_seconds: float = 0.0
    detail: str = ""
    age_seconds: float = 0.0

    @property
    def is_up(self) -> bool:
        """Whether the component answered."""
        return self.status is Status.UP


@dataclass(frozen=True, slots=True)
class HealthReport:
    """The answer of a group.

    Attributes:
        group: Which one.
        status: DOWN when a component is that the application cannot do without; DEGRADED when
            another one is, or any is DEGRADED.
        components: Each component's answer, by name.
    """

    group: str
    status: Status
    components: Mapping[str, Health] = field(default_factory=dict)

    @property
    def is_serving(self) -> bool:
        """Whether a load balancer should send requests."""
        return self.status is not Status.DOWN


class Checkable(Protocol):
    """Anything that can say how it is doing."""

    async def health_check(self) -> Health:
        """Try one real operation and report."""
        ...


#: A check that is a function: for what is no component, such as the age of a backup.
Probe = Callable[[], Awaitable[Health]]


async def check_all(
    components: Mapping[str, Checkable], *, timeout_seconds: float = 60.0
) -> dict[str, Health]:
    """Check every component at once; the whole takes as long as the slowest check.

    A check that raises, or is not done in time, is DOWN with the reason.
    """
    checks = [
        _Check(one.health_check, timeout_seconds, 0.0, time.monotonic)
        for one in components.values()
    ]
    answers = await asyncio.gather(*(check.answer() for check in checks))
    return dict(zip(components, answers, strict=True))


class HealthRegistry:
    """The checks of an application, by name, in groups.

    The checks of a group run at once. An answer is kept for `max_age_seconds`, and those who ask
    while a check runs share it, so that many probes cost the backends one. A check that cannot be
    cancelled is left to itself after its timeout, and not begun again before it has ended.

    Args:
        timeout_seconds: Bound on each check that has none of its own.
        max_age_seconds: How long an answer is kept; 0 for not at all.
        clock: Seconds that only rise.
    """

    def __init__(
        self,
        *,
        timeout_seconds: float = 5.0,
        max_age_seconds: float = 1.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._timeout_seconds = timeout_seconds
        self._max_age_seconds = max_age_seconds
        self._clock = clock
        self._entries: dict[str, _Entry] = {}

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
        is_component = hasattr(checked, "health_check")
        self._refuse(name, is_component=is_component, groups=tuple(groups))
        probe: Probe = checked.health_check if is_component else checked  # type: ignore[union-attr,assignment]  # told apart the line above
        seconds = self._timeout_seconds if timeout_seconds is None else timeout_seconds
        check = _Check(probe, seconds, self._max_age_seconds, self._clock)
        self._entries[name] = _Entry(check, is_critical, frozenset(groups))

    def remove(self, name: str) -> None:
        """Check it no more; harmless when it is not checked."""
        self._entries.pop(name, None)

    async def check(self, group: str = READINESS) -> HealthReport:
        """Ask every check of the group at once; a group without checks is UP."""
        chosen = {name: one for name, one in self._entries.items() if group in one.groups}
        answers = await asyncio.gather(*(one.check.answer() for one in chosen.values()))
        components = dict(zip(chosen, answers, strict=True))
        status = _worst(
            answer.status if entry.is_critical else _spared(answer.status)
            for entry, answer in zip(chosen.values(), answers, strict=True)
        )
        return HealthReport(group, status, components)

    async def liveness(self) -> HealthReport:
        """Whether this process works; without a check of yours, that it answers."""
        return await self.check(LIVENESS)

    async def readiness(self) -> HealthReport:
        """Whether the application can serve."""
        return await self.check(READINESS)

    def measurements(self) -> Iterable[Measurement]:
        """The last answers: 1 for UP, 0.5 for DEGRADED, 0 for DOWN; asks nobody."""
        worth = {Status.UP: 1.0, Status.DEGRADED: 0.5, Status.DOWN: 0.0}
        for name, entry in self._entries.items():
            last = entry.check.last
            if last is not None and last.status in worth:
                labels = {COMPONENT: name}
                yield gauge("switchgear.health.status", worth[last.status], labels)
                latency = last.latency_seconds
                yield gauge("switchgear.health.latency", latency, labels, unit="s")

    def _refuse(self, name: str, *, is_component: bool, groups: tuple[str, ...]) -> None:
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
    check: "_Check"
    is_critical: bool
    groups: frozenset[str]


class _Check:
    """One check, its last answer, and the run that is going on."""

    def __init__(
        self,
        probe: Probe,
        timeout_seconds: float,
        max_age_seconds: float,
        clock: Callable[[], float],
    ) -> None:
        self.last: Health | None = None
        self._probe = probe
        self._timeout_seconds = timeout_seconds
        self._max_age_seconds = max_age_seconds
        self._clock = clock
        self._asked_at = 0.0
        self._running: asyncio.Task[Health] | None = None

    async def answer(self) -> Health:
        """The kept answer while it is fresh; else that of the run going on, or of a new one."""
        age = self._clock() - self._asked_at
        if self.last is not None and age < self._max_age_seconds:
            return replace(self.last, age_seconds=age)
        task = self._task()
        # and not wait_for: a caller who leaves ends nothing for the others
        await asyncio.wait({task}, timeout=self._timeout_seconds + _GRACE_SECONDS)
        answer = task.result() if task.done() and not task.cancelled() else self._late()
        self.last, self._asked_at = answer, self._clock()
        return answer

    def _task(self) -> "asyncio.Task[Health]":
        loop, task = asyncio.get_running_loop(), self._running
        if task is None or task.done() or task.get_loop() is not loop:
            task = self._running = loop.create_task(self._run())
        return task

    async def _run(self) -> Health:
        """Ask within the timeout; whatever goes wrong is the answer."""
        started = time.perf_counter()
        try:
            async with asyncio.timeout(self._timeout_seconds) as scope:
                answer: object = await self._probe()
            if isinstance(answer, Health):
                return answer
            why = f"answered {type(answer).__name__}, not Health"
        except asyncio.CancelledError:
            if asyncio.current_task().cancelling():  # type: ignore[union-attr]  # this is a task
                raise
            why = "was cancelled"
        except TimeoutError as error:
            if scope.expired():
                return self._late()
            why = _reason(error)
        except Exception as error:  # noqa: BLE001 - a failed check is an answer
            why = _reason(error)
        return Health(Status.DOWN, time.perf_counter() - started, why)

    def _late(self) -> Health:
        seconds = self._timeout_seconds
        return Health(Status.DOWN, seconds, f"no answer within {seconds:g} s")


def _reason(error: Exception) -> str:
    """Our errors say nothing secret; of others, the class and the category."""
    said = str(error) if isinstance(error, InfrastructureError) else type(error).__name__
    return f"{classify(error)}: {said}"


def _spared(status: Status) -> Status:
    """What the application can do without is at most DEGRADED."""
    return status if status is Status.UP else Status.DEGRADED


def _worst(statuses: Iterable[Status]) -> Status:
    order = (Status.UP, Status.DEGRADED, Status.UNKNOWN, Status.DOWN)
    return max(statuses, key=order.index, default=Status.UP)
