"""One check: bounded, asked once for all who ask at once, its answer kept for a while."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Protocol

from infrastructure.health.status import Health, Status, reason

#: What a check may take beyond its timeout to end; then it is left to itself.
_GRACE_SECONDS = 0.1


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
    checks = [Check(one.health_check, timeout_seconds) for one in components.values()]
    answers = await asyncio.gather(*(check.answer() for check in checks))
    return dict(zip(components, answers, strict=True))


class Check:
    """One check, its last answer, and the run that is going on.

    Args:
        probe: What is asked.
        timeout_seconds: Bound on asking.
        max_age_seconds: How long an answer is kept; 0 for not at all.
        clock: Seconds that only rise.
        changed: Told the status before and the answer, when they differ.

    Attributes:
        last: The last answer; None before the first.
    """

    def __init__(
        self,
        probe: Probe,
        timeout_seconds: float,
        *,
        max_age_seconds: float = 0.0,
        clock: Callable[[], float] = time.monotonic,
        changed: Callable[[Status, Health], object] | None = None,
    ) -> None:
        self.last: Health | None = None
        self._probe = probe
        self._timeout_seconds = timeout_seconds
        self._max_age_seconds = max_age_seconds
        self._clock = clock
        self._changed = changed
        self._asked_at = 0.0
        self._running: asyncio.Task[Health] | None = None

    def kept(self) -> Health:
        """The last answer with its age; asks nobody."""
        if self.last is None:
            return Health(Status.UNKNOWN, detail="not checked yet")
        return replace(self.last, age_seconds=self._clock() - self._asked_at)

    async def answer(self) -> Health:
        """The kept answer while it is fresh; else one that is asked for."""
        kept = self.kept()
        is_fresh = self.last is not None and kept.age_seconds < self._max_age_seconds
        return kept if is_fresh else await self.ask()

    async def ask(self) -> Health:
        """The answer of the run that is going on, or of a new one."""
        task = self._task()
        # and not wait_for: a caller who leaves ends nothing for the others
        await asyncio.wait({task}, timeout=self._timeout_seconds + _GRACE_SECONDS)
        if task.cancelled():
            return Health(Status.UNKNOWN, detail="the check was given up")
        answer = task.result() if task.done() else self._late()
        before = Status.UNKNOWN if self.last is None else self.last.status
        self.last, self._asked_at = answer, self._clock()
        if self._changed is not None and answer.status is not before:
            self._changed(before, answer)
        return answer

    async def give_up(self) -> None:
        """End the run that is going on; one that cannot be cancelled is left to itself."""
        task = self._running
        if task is not None and task.get_loop() is asyncio.get_running_loop():
            task.cancel()
            await asyncio.wait({task}, timeout=_GRACE_SECONDS)

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
            why = reason(error)
        except Exception as error:  # noqa: BLE001 - a failed check is an answer
            why = reason(error)
        return Health(Status.DOWN, time.perf_counter() - started, why)

    def _late(self) -> Health:
        seconds = self._timeout_seconds
        return Health(Status.DOWN, seconds, f"no answer within {seconds:g} s")
