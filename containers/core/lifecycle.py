"""Starting what a container manages, dependencies first, and ending it in reverse."""

import asyncio
import time
from collections.abc import Iterable
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
from containers.core.graph import value_of
from containers.core.resources import Resource, asked_by, name_resources
from containers.core.shielding import finish
from containers.core.timeline import Started, Timeline
from containers.core.validation import check
from containers.errors import LifecycleError

Failures = dict[str, BaseException]


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
        return await value_of(provider)

    def start_sync(self) -> None:
        """Start a container in which nothing needs an event loop.

        Raises:
            LifecycleError: Something does; or something failed, and the rest was ended again.
        """
        if self.is_started:
            return
        timeline = self._prepare()
        for step in (step for level in agenda(self._container) for step in level):
            since = time.perf_counter()
            try:
                thing = steps.begin_sync(step)
            except BaseException as error:
                unended = self._end_all_sync()
                if not isinstance(error, Exception):
                    _note(error, unended)
                    raise
                raise _not_started({step.path: error}, unended) from error
            self._has_started(step, thing, since, timeline)
        self.report, self.is_started = Timeline(timeline), True

    def stop_sync(self) -> None:
        """End everything `start_sync` started, last started first; each has its turn."""
        self.is_started = False
        _raise(self._end_all_sync())

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
        return _failures(level, tasks)

    def _has_started(self, step: Step, thing: Any, since: float, timeline: list[Started]) -> None:
        now = time.perf_counter()
        self._running.append((step, thing))
        timeline.append(Started(step.path, since - self._began, now - since, step.phase))

    async def _give_up(self, failures: Failures) -> None:
        raise _not_started(failures, await self._end_all())

    async def _undo(
        self, tasks: Iterable["asyncio.Task[None]"], interruption: BaseException
    ) -> None:
        """End what had started and what is being started; what fails is noted."""
        late: list[BaseException] = []
        try:
            late = await _abandoned(tasks)
        finally:
            _note(interruption, await self._end_all(), late)

    async def _end_all_or_raise(self) -> None:
        _raise(await self._end_all())

    async def _end_all(self) -> Failures:
        failures: Failures = {}
        self._adopt()
        self._forget_holders()
        while self._running:
            step, thing = self._running.pop()
            try:
                await steps.end(step, thing)
            except BaseException as error:  # noqa: BLE001 - the others must be ended too
                failures[step.path] = error
        return failures

    def _end_all_sync(self) -> Failures:
        failures: Failures = {}
        self._adopt()
        self._forget_holders()
        while self._running:
            step, thing = self._running.pop()
            try:
                steps.end_sync(step, thing)
            except BaseException as error:  # noqa: BLE001 - the others must be ended too
                failures[step.path] = error
        return failures

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
            self._running.clear()
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


def _failures(level: list[Step], tasks: dict[Any, "asyncio.Task[None]"]) -> Failures:
    """The errors by path; what only waited for a failed one is left out."""
    failed = {
        provider: error for provider, task in tasks.items() if (error := _failure(task)) is not None
    }
    return {
        step.path: failed[step.provider]
        for step in level
        if step.provider in failed and not step.needs & failed.keys()
    }


def _failure(task: "asyncio.Task[None]") -> BaseException | None:
    """What went wrong; a thing that cancels itself has failed too."""
    if task.cancelled():
        return asyncio.CancelledError("it cancelled its own start")
    return task.exception()


def _not_started(failures: Failures, unended: Failures) -> LifecycleError:
    what = "could not start; what had started was ended"
    return LifecycleError(what, failures=failures, unended=unended)


def _note(error: BaseException, unended: Failures, late: Iterable[BaseException] = ()) -> None:
    """Write on what interrupted a start what failed while it was undone."""
    for each in late:
        error.add_note(f"while it was interrupted: {type(each).__name__}: {each}")
    for path, each in unended.items():
        error.add_note(f"while ending '{path}': {type(each).__name__}: {each}")


def _raise(failures: Failures) -> None:
    for path, error in failures.items():
        error.add_note(f"while ending '{path}'")
    if failures:
        raise BaseExceptionGroup("the container did not end cleanly", list(failures.values()))
