"""Starting what a container manages, dependencies first, and ending it in reverse."""

import asyncio
import time
from collections.abc import Iterable, Iterator
from threading import RLock
from typing import Any

from containers.core import layers, steps
from containers.core.agenda import (
    Step,
    agenda,
    initialized,
    is_resource,
    made_of,
    name_of,
)
from containers.core.bounds import Bounded
from containers.core.failures import Failures, failures_of, not_started, note, raise_unended
from containers.core.graph import value_of
from containers.core.resources import Resource, asked_by, name_resources
from containers.core.shielding import finish
from containers.core.timeline import Started, Timeline
from containers.core.validation import check


class Lifecycle:
    """What of one container runs, in the order it was started.

    Attributes:
        report: What the last start did.
    """

    def __init__(self, container: Any) -> None:
        self._container = container
        self._running: list[tuple[Step, Any]] = []
        self._opened: set[Resource[Any]] = set()
        self._began = 0.0
        self._home: asyncio.AbstractEventLoop | None = None
        self._turns: tuple[asyncio.AbstractEventLoop, asyncio.Lock] | None = None
        self._sync_turn = RLock()
        self.is_started = False
        self.report = Timeline()

    async def start(self) -> None:
        """Start phase by phase; inside a phase at once what does not wait for another.

        Raises:
            ValidationError: The declaration is wrong; nothing was started.
            LifecycleError: With every failure by path; what had started was ended again.
        """
        async with self._turn():
            if self.is_started and not self._is_orphaned():
                return
            timeline = self._prepare()
            self._home = asyncio.get_running_loop()
            for level in agenda(self._container):
                failures = await self._start_level(level, timeline)
                if failures:
                    await finish(self._give_up(failures))
            self.report, self.is_started = Timeline(timeline), True

    async def stop(self) -> None:
        """End everything that runs, last started first; each has its turn.

        Raises:
            ExceptionGroup: What failed to end, after all had their turn.
        """
        async with self._turn():
            self.is_started = False
            await finish(self._end_all_or_raise())

    async def value_of(self, provider: Any) -> Any:
        """The object of a provider, after the start of the resources that it needs."""
        if not self.is_started or isinstance(provider, Resource) or layers.active():
            unopened = [one for one in asked_by(provider) if not one.is_open]
            if unopened:
                name_resources(self._container)
            for resource in unopened:
                await resource.open()
                self._opened.add(resource)
                resource.holders.add(self)
        return await value_of(provider)

    def start_sync(self) -> None:
        """Start a container in which nothing needs an event loop.

        Raises:
            LifecycleError: Something does; or something failed, and the rest was ended again.
        """
        with self._sync_turn:
            if not self.is_started:
                self._start_sync()

    def _start_sync(self) -> None:
        timeline = self._prepare()
        for step in (step for level in agenda(self._container) for step in level):
            since = time.perf_counter()
            try:
                thing = steps.begin_sync(step)
            except BaseException as error:
                unended = self._end_all_sync()
                if not isinstance(error, Exception):
                    note(error, unended)
                    raise
                raise not_started({step.path: error}, unended) from error
            self._has_started(step, thing, since, timeline)
        self.report, self.is_started = Timeline(timeline), True

    def stop_sync(self) -> None:
        """End everything `start_sync` started, last started first; each has its turn."""
        with self._sync_turn:
            self.is_started = False
            raise_unended(self._end_all_sync())

    def _prepare(self) -> list[Started]:
        check(self._container)
        name_resources(self._container)
        self._began = time.perf_counter()
        return []

    async def _start_level(self, level: list[Step], timeline: list[Started]) -> Failures:
        tasks: dict[Any, asyncio.Task[None]] = {}

        async def bring_up(step: Step) -> None:
            needed = [tasks[other] for other in step.needs & tasks.keys()]
            await asyncio.gather(*(asyncio.shield(task) for task in needed))
            since = time.perf_counter()
            self._has_started(step, await steps.begin(step), since, timeline)

        for step in level:
            tasks[step.provider] = asyncio.create_task(bring_up(step))
        try:
            await asyncio.wait(tasks.values())
        except BaseException as error:
            await finish(self._undo(tasks.values(), error))
            raise
        return failures_of(level, tasks)

    def _has_started(self, step: Step, thing: Any, since: float, timeline: list[Started]) -> None:
        now = time.perf_counter()
        self._running.append((step, thing))
        if isinstance(step.provider, Bounded):
            step.provider.holders.add(self)
        timeline.append(Started(step.path, since - self._began, now - since, step.phase))

    async def _give_up(self, failures: Failures) -> None:
        raise not_started(failures, await self._end_all())

    async def _undo(
        self, tasks: Iterable["asyncio.Task[None]"], interruption: BaseException
    ) -> None:
        """End what had started and what is being started; what fails is noted."""
        late: list[BaseException] = []
        try:
            late = await _abandoned(tasks)
        finally:
            note(interruption, await self._end_all(), late)

    async def _end_all_or_raise(self) -> None:
        raise_unended(await self._end_all())

    async def _end_all(self) -> Failures:
        failures: Failures = {}
        for step, thing in self._endings():
            try:
                await steps.end(step, thing)
            except BaseException as error:  # noqa: BLE001 - the others must be ended too
                failures[step.path] = error
        return failures

    def _end_all_sync(self) -> Failures:
        failures: Failures = {}
        for step, thing in self._endings():
            try:
                steps.end_sync(step, thing)
            except BaseException as error:  # noqa: BLE001 - the others must be ended too
                failures[step.path] = error
        return failures

    def _endings(self) -> Iterator[tuple[Step, Any]]:
        """What is to be ended, one after the other: not what another container runs as well."""
        self._adopt()
        self._forget_holders()
        while self._running:
            step, thing = self._running.pop()
            if self._was_last(step.provider):
                yield step, thing

    def _was_last(self, provider: Any) -> bool:
        if not isinstance(provider, Bounded):
            return True
        provider.holders.discard(self)
        return not provider.holders

    def _adopt(self) -> None:
        """Take over the resources that began without a start; nothing that runs needs them.

        What stood in for one while an override lasted is not in the container any more.
        """
        running = {step.provider for step, _ in self._running}
        begun = [*initialized(self._container), *(one for one in self._opened if one.initialized)]
        self._opened.clear()
        for resource in reversed(list(dict.fromkeys(begun))):
            if resource not in running:
                path = getattr(resource, "path", "") or name_of(resource)
                self._running.append((Step(resource, path, 0, frozenset()), None))

    def _forget_holders(self) -> None:
        """What was made of a resource is made anew after the next start, of the next object."""
        ended = [step.provider for step, _ in self._running if is_resource(step.provider)]
        for singleton in made_of(self._container, ended) if ended else ():
            singleton.reset()

    def _is_orphaned(self) -> bool:
        """Whether it was started in an event loop that is closed: all that ran there is gone."""
        is_gone = self._home is not None and self._home.is_closed()
        if is_gone:
            self._forget_holders()
            while self._running:
                provider = self._running.pop()[0].provider
                if self._was_last(provider) and isinstance(provider, Resource):
                    provider.forget_lost()
        return is_gone

    def _turn(self) -> asyncio.Lock:
        """One start or stop at a time in an event loop."""
        loop = asyncio.get_running_loop()
        if self._turns is None or self._turns[0] is not loop:
            self._turns = (loop, asyncio.Lock())
        return self._turns[1]


async def _abandoned(tasks: Iterable["asyncio.Task[None]"]) -> list[BaseException]:
    """Cancel what is being started; gives the errors that are no cancellation."""
    tasks = list(tasks)
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    errors = (None if task.cancelled() else task.exception() for task in tasks)
    return [error for error in errors if error is not None]
