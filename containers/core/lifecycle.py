"""Starting what a container manages, dependencies first, and ending it in reverse."""

import asyncio
import inspect
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from dependency_injector import providers as di

from containers.core import graph
from containers.core.providers import Managed, value_of
from containers.core.shielding import finish
from containers.core.validation import check
from containers.errors import LifecycleError


@dataclass(frozen=True, slots=True)
class Started:
    """One line of the start-up timeline.

    Attributes:
        path: The provider.
        began_seconds: When its start began, counted from the start of the container.
        took_seconds: How long it took, without waiting for its dependencies.
    """

    path: str
    began_seconds: float
    took_seconds: float


class Lifecycle:
    """What of one container runs, and in which order it was started."""

    def __init__(self, container: Any) -> None:
        self._container = container
        self._running: list[tuple[str, di.Provider[Any], Any]] = []
        self._lock = asyncio.Lock()
        self.is_started = False
        self.report: tuple[Started, ...] = ()

    async def start(self) -> None:
        """Start every managed provider and resource; those that do not wait for each other at once.

        Raises:
            ValidationError: The declaration is wrong; nothing was started.
            LifecycleError: With every failure by path; what had started was ended again.
        """
        async with self._lock:
            if self.is_started:
                return
            check(self._container)
            began = time.perf_counter()
            timeline: list[Started] = []
            managed = {provider: path for path, provider in _managed(self._container)}
            order = {provider: _needs(provider, managed) for provider in managed}
            tasks: dict[di.Provider[Any], asyncio.Task[None]] = {}

            async def bring_up(provider: di.Provider[Any]) -> None:
                await asyncio.gather(*(asyncio.shield(tasks[other]) for other in order[provider]))
                since = time.perf_counter()
                await self._start_one(managed[provider], provider)
                now = time.perf_counter()
                timeline.append(Started(managed[provider], since - began, now - since))

            for provider in _dependencies_first(order):
                tasks[provider] = asyncio.create_task(bring_up(provider))
            try:
                await _all(tasks.values())
            except BaseException:
                await finish(_abandon(tasks.values()))
                await finish(self._end_all({}))
                raise
            failures = _failures(tasks, managed, order)
            if failures:
                await finish(self._end_all({}))
                raise LifecycleError(
                    "could not start; what had started was ended", failures=failures
                )
            self.report = tuple(timeline)
            self.is_started = True

    async def stop(self) -> None:
        """End everything that runs, last started first; each has its turn.

        Raises:
            ExceptionGroup: What failed to end, after all had their turn.
        """
        async with self._lock:
            if not self.is_started:
                return
            self.is_started = False
            failures: dict[str, BaseException] = {}
            await finish(self._end_all(failures))
        if failures:
            for path, error in failures.items():
                error.add_note(f"while ending '{path}'")
            raise BaseExceptionGroup("the container did not end cleanly", list(failures.values()))

    def start_sync(self) -> None:
        """Start a container in which nothing needs an event loop.

        Raises:
            LifecycleError: Something does; or something failed, and the rest was ended again.
        """
        if self.is_started:
            return
        check(self._container)
        managed = {provider: path for path, provider in _managed(self._container)}
        order = {provider: _needs(provider, managed) for provider in managed}
        for provider in _dependencies_first(order):
            path = managed[provider]
            try:
                thing = _refuse_awaitable(path, _begin(provider), "connect", "start")
            except BaseException as error:
                self._end_all_sync({})
                if not isinstance(error, Exception):
                    raise
                raise LifecycleError(
                    "could not start; what had started was ended", failures={path: error}
                ) from error
            self._running.append((path, provider, thing))
        self.is_started = True

    def stop_sync(self) -> None:
        """End everything `start_sync` started, last started first; each has its turn."""
        if not self.is_started:
            return
        self.is_started = False
        failures: dict[str, BaseException] = {}
        self._end_all_sync(failures)
        if failures:
            raise BaseExceptionGroup("the container did not end cleanly", list(failures.values()))

    async def _start_one(self, path: str, provider: di.Provider[Any]) -> None:
        seconds = provider.start_timeout if isinstance(provider, Managed) else Managed.start_timeout
        try:
            async with asyncio.timeout(seconds) as bound:
                thing = await value_of(provider)
                if isinstance(provider, Managed):
                    await _call(thing, "connect", "start")
        except TimeoutError as error:
            if not bound.expired():
                raise
            raise LifecycleError(f"'{path}' did not start within {seconds:g} s") from error
        self._running.append((path, provider, thing))

    async def _end_all(self, failures: dict[str, BaseException]) -> None:
        while self._running:
            path, provider, thing = self._running.pop()
            seconds = (
                provider.stop_timeout if isinstance(provider, Managed) else Managed.stop_timeout
            )
            try:
                async with asyncio.timeout(seconds):
                    await _end(provider, thing)
            except BaseException as error:  # noqa: BLE001 - the others must be ended too
                failures[path] = error

    def _end_all_sync(self, failures: dict[str, BaseException]) -> None:
        while self._running:
            path, provider, thing = self._running.pop()
            try:
                if isinstance(provider, di.BaseResource):
                    provider.shutdown()
                else:
                    _refuse_awaitable(path, thing, "disconnect", "stop")
            except BaseException as error:  # noqa: BLE001 - the others must be ended too
                failures[path] = error


def _managed(container: Any) -> Iterator[tuple[str, di.Provider[Any]]]:
    for provider, path in graph.paths(container).items():
        if isinstance(provider, (Managed, di.BaseResource)):
            yield path, provider


def _needs(
    provider: di.Provider[Any], managed: dict[di.Provider[Any], str]
) -> set[di.Provider[Any]]:
    """The managed providers this one is made of, itself left out."""
    reached: set[di.Provider[Any]] = set()
    waiting = [provider]
    while waiting:
        for other in graph.dependencies(waiting.pop()):
            if other not in reached:
                reached.add(other)
                waiting.append(other)
    return {other for other in reached if other in managed and other is not provider}


def _dependencies_first(
    order: dict[di.Provider[Any], set[di.Provider[Any]]],
) -> list[di.Provider[Any]]:
    return sorted(order, key=lambda provider: len(order[provider]))


async def _all(tasks: Any) -> None:
    """Wait for every task, failed ones too; a cancellation of ours goes through."""
    if tasks:
        await asyncio.wait(tasks)


async def _abandon(tasks: Any) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _failures(
    tasks: dict[di.Provider[Any], "asyncio.Task[None]"],
    managed: dict[di.Provider[Any], str],
    order: dict[di.Provider[Any], set[di.Provider[Any]]],
) -> dict[str, BaseException]:
    """The errors by path; what only waited for a failed one is left out."""
    failed = {
        provider: error for provider, task in tasks.items() if (error := _failure(task)) is not None
    }
    return {
        managed[provider]: error
        for provider, error in failed.items()
        if not order[provider] & failed.keys()
    }


def _failure(task: "asyncio.Task[None]") -> BaseException | None:
    """What went wrong; a thing that cancels itself has failed too."""
    if task.cancelled():
        return asyncio.CancelledError("it cancelled its own start")
    return task.exception()


def _begin(provider: di.Provider[Any]) -> Any:
    return provider()


async def _end(provider: di.Provider[Any], thing: Any) -> None:
    if isinstance(provider, di.BaseResource):
        ended = provider.shutdown()
        if inspect.isawaitable(ended):
            await ended
    else:
        await _call(thing, "disconnect", "stop")


async def _call(thing: Any, *names: str) -> None:
    """Call the first of the methods that the object has, and await it where it is async."""
    method = next((getattr(thing, name) for name in names if hasattr(thing, name)), None)
    if method is not None:
        result = method()
        if inspect.isawaitable(result):
            await result


def _refuse_awaitable(path: str, thing: Any, *names: str) -> Any:
    method = next((getattr(thing, name) for name in names if hasattr(thing, name)), None)
    if inspect.isawaitable(thing) or inspect.iscoroutinefunction(method):
        if inspect.iscoroutine(thing):
            thing.close()
        raise LifecycleError(f"'{path}' needs an event loop", hint="Use `async with container:`.")
    if method is not None:
        method()
    return thing
