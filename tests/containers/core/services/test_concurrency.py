"""One object, whoever asks: threads, tasks, event loops, and all of them at once."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from containers.core.services import DIContainer, ServiceLifetime
from containers.errors import ServiceCreationError
from tests.containers.core.services.models import NeedsPlain, Plain

COUNT = 64


class Counting:
    """Makes objects, and lets everybody arrive before the first one is made."""

    def __init__(self, parties: int = COUNT) -> None:
        self.made = 0
        self.started = threading.Barrier(parties)

    def make(self) -> Plain:
        self.made += 1
        return Plain()

    async def make_async(self) -> Plain:
        self.made += 1
        await asyncio.sleep(0)
        return Plain()


def in_threads(work: Callable[[], Any], count: int = COUNT) -> list[Any]:
    with ThreadPoolExecutor(count) as pool:
        return [future.result() for future in [pool.submit(work) for _ in range(count)]]


def test_a_singleton_is_made_once_under_threads():
    counting, container = Counting(), DIContainer()
    container.register_factory(Plain, counting.make)
    container.register_singleton(NeedsPlain)

    def work() -> Any:
        counting.started.wait()
        return container.resolve(NeedsPlain)

    assert len(set(in_threads(work))) == counting.made == 1


def test_a_scoped_object_is_made_once_under_threads():
    counting, container = Counting(), DIContainer()
    container.register_factory(Plain, counting.make, ServiceLifetime.SCOPED)
    with container.create_scope() as scope:

        def work() -> Any:
            counting.started.wait()
            return scope.resolve(Plain)

        assert len(set(in_threads(work))) == counting.made == 1


@pytest.mark.parametrize("is_async", [False, True])
async def test_a_singleton_is_made_once_under_tasks(is_async):
    counting, container = Counting(), DIContainer()
    container.register_factory(Plain, counting.make_async if is_async else counting.make)
    found = await asyncio.gather(*(container.aresolve(Plain) for _ in range(COUNT)))
    assert len(set(found)) == counting.made == 1


async def test_a_scoped_object_is_made_once_under_tasks():
    counting, container = Counting(), DIContainer()
    container.register_factory(Plain, counting.make_async, ServiceLifetime.SCOPED)
    async with container.create_scope() as scope:
        found = await asyncio.gather(*(scope.aresolve(Plain) for _ in range(COUNT)))
    assert len(set(found)) == counting.made == 1


def test_an_async_singleton_is_made_once_under_event_loops():
    parties = 8
    counting, container = Counting(parties), DIContainer()
    container.register_factory(Plain, counting.make_async)

    async def ask() -> set[Plain]:
        counting.started.wait()
        return set(await asyncio.gather(*(container.aresolve(Plain) for _ in range(8))))

    found = in_threads(lambda: asyncio.run(ask()), parties)
    assert len(set().union(*found)) == counting.made == 1


async def test_a_plain_call_does_not_wait_for_its_own_event_loop():
    entered, may_go = asyncio.Event(), asyncio.Event()

    class Late:
        def __init__(self, plain: Plain) -> None: ...

    async def make() -> Plain:
        entered.set()
        await may_go.wait()
        return Plain()

    container = DIContainer()
    container.register_factory(Plain, make)
    container.register_singleton(Late)
    making = asyncio.create_task(container.aresolve(Late))
    await entered.wait()
    with pytest.raises(ServiceCreationError, match="a task of this event loop is making it"):
        container.resolve(Late)
    may_go.set()
    assert await making is container.resolve(Late)


def test_a_failure_is_each_threads_own_and_the_next_one_builds():
    counting, container = Counting(8), DIContainer()
    failures = iter([True])

    def make() -> Plain:
        if next(failures, False):
            raise ConnectionError("down")
        return counting.make()

    def work() -> Any:
        counting.started.wait()
        try:
            return container.resolve(Plain)
        except ConnectionError:
            return None

    container.register_factory(Plain, make)
    found = in_threads(work, 8)
    assert found.count(None) == counting.made == 1
    assert len(set(found)) == 2


async def test_cancelling_everybody_lets_the_next_one_build():
    entered = asyncio.Event()
    hangs = iter([True])

    async def make() -> Plain:
        if next(hangs, False):
            entered.set()
            await asyncio.Event().wait()
        return Plain()

    container = DIContainer()
    container.register_factory(Plain, make)
    tasks = [asyncio.create_task(container.aresolve(Plain)) for _ in range(3)]
    await entered.wait()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert isinstance(await container.aresolve(Plain), Plain)
    assert all(task.cancelled() for task in tasks)
