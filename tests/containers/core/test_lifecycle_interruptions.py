"""Starts and stops that are cancelled, and several at once."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from containers import DeclarativeContainer, providers
from containers.errors import LifecycleError
from tests.containers.core.living import KINDS, LOG, Plain, Thing, async_link, chain


async def test_independent_ones_start_at_once():
    together = asyncio.Barrier(3)

    class Waiting(Thing):
        async def connect(self) -> None:
            await together.wait()

    class Three(DeclarativeContainer):
        one = providers.Managed(Waiting, "1")
        two = providers.Managed(Waiting, "2")
        three = providers.Managed(Waiting, "3")

    async with asyncio.timeout(5), Three() as container:
        assert container.is_started


async def test_independent_resources_start_at_once():
    together = asyncio.Barrier(3)

    async def waiting() -> None:
        await together.wait()

    class Three(DeclarativeContainer):
        one = providers.Resource(waiting)
        two = providers.Resource(waiting)
        three = providers.Resource(waiting)

    async with asyncio.timeout(5), Three() as container:
        assert container.is_started


async def test_a_cancelled_start_ends_what_had_started():
    reached = asyncio.Event()

    class Slow(Thing):
        async def connect(self) -> None:
            reached.set()
            await asyncio.Event().wait()

    class Two(DeclarativeContainer):
        first = providers.Managed(Thing, "first")
        slow = providers.Managed(Slow, "slow", first)

    container = Two()
    task = asyncio.create_task(container.start())
    await reached.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert LOG == ["+first", "-first"]


async def test_a_thing_that_cancels_its_own_start_is_a_failure():
    class Cancelling(Thing):
        async def connect(self) -> None:
            raise asyncio.CancelledError

    class Two(DeclarativeContainer):
        first = providers.Managed(Thing, "first")
        bad = providers.Managed(Cancelling, "bad", first)

    with pytest.raises(LifecycleError) as caught:
        await Two().start()
    assert list(caught.value.failures) == ["bad"]
    assert LOG == ["+first", "-first"]


async def test_two_that_hold_each_others_providers_do_not_wait_for_each_other():
    class Two(DeclarativeContainer):
        a = providers.Managed(Thing, "a")
        b = providers.Managed(Thing, "b", a.provider)

    container = Two()
    container.a.add_args(container.b.provider)
    async with asyncio.timeout(5), container:
        assert sorted(LOG) == ["+a", "+b"]


def test_an_interrupted_sync_start_ends_what_had_started():
    class Interrupted(Plain):
        def start(self) -> None:
            raise KeyboardInterrupt

    class Two(DeclarativeContainer):
        first = providers.Managed(Plain, "first")
        second = providers.Managed(Interrupted, "second", first)

    with pytest.raises(KeyboardInterrupt), Two():
        pass
    assert LOG == ["+first", "-first"]


async def test_a_cancelled_start_ends_resources_too_and_undoes_the_one_that_begins():
    reached = asyncio.Event()

    async def begin(_need: object) -> AsyncIterator[None]:
        try:
            reached.set()
            await asyncio.Event().wait()
            yield
        finally:
            LOG.append("undone")

    class Two(DeclarativeContainer):
        first = providers.Resource(async_link, 1)
        slow = providers.Resource(begin, first)

    task = asyncio.create_task(Two().start())
    await reached.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert LOG == ["+1", "undone", "-1"]


async def test_what_fails_to_end_after_a_cancelled_start_is_noted_on_the_cancellation():
    reached = asyncio.Event()

    async def begins() -> None:
        reached.set()
        await asyncio.Event().wait()

    class Two(DeclarativeContainer):
        first = providers.Resource(async_link, 1, fails="stop")
        slow = providers.Resource(begins)

    async def start() -> list[str]:
        try:
            await Two().start()
        except asyncio.CancelledError as cancelled:
            return cancelled.__notes__
        return []

    task = asyncio.create_task(start())
    await reached.wait()
    task.cancel()
    assert await task == ["while ending 'first': ConnectionError: reset"]


async def test_a_stop_while_a_start_runs_waits_for_it_and_ends_everything():
    reached, go_on = asyncio.Event(), asyncio.Event()

    async def begin() -> AsyncIterator[None]:
        reached.set()
        await go_on.wait()
        LOG.append("+slow")
        yield
        LOG.append("-slow")

    class One(DeclarativeContainer):
        slow = providers.Managed(Thing, "managed", providers.Resource(begin))

    container = One()
    start = asyncio.create_task(container.start())
    await reached.wait()
    stop = asyncio.create_task(container.stop())
    go_on.set()
    await asyncio.gather(start, stop)
    assert LOG == ["+slow", "+managed", "-managed", "-slow"]
    assert not container.is_started


async def test_two_starts_at_once_are_one():
    container = chain("resource", {})
    await asyncio.gather(container.start(), container.start())
    assert len(LOG) == 6
    await container.stop()


async def test_a_cancelled_stop_ends_everything_first():
    reached, go_on = asyncio.Event(), asyncio.Event()

    class Slow(Thing):
        async def disconnect(self) -> None:
            reached.set()
            await go_on.wait()
            await super().disconnect()

    class Two(DeclarativeContainer):
        first = providers.Resource(async_link, 1)
        slow = providers.Managed(Slow, "slow", first)

    container = Two()
    await container.start()
    task = asyncio.create_task(container.stop())
    await reached.wait()
    task.cancel()
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert LOG == ["+1", "+slow", "-slow", "-1"]


async def test_a_cancellation_goes_on_although_something_fails_to_end():
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(None) as bound, chain("resource", {1: "stop"}):
            bound.reschedule(0)
            await asyncio.Event().wait()
    assert nothing_runs()


def nothing_runs() -> bool:
    """Whether everything that started has ended."""
    started, ended = ([line[1:] for line in LOG if line[0] == sign] for sign in "+-")
    return sorted(started) == sorted(ended)


async def moments(moment: int) -> None:
    for _ in range(moment):
        await asyncio.sleep(0)


@pytest.mark.parametrize("kind", KINDS)
async def test_a_start_that_is_cancelled_at_any_moment_leaves_nothing_running(kind: str):
    for moment in range(1, 100):
        LOG.clear()
        container = chain(kind, {})
        start = asyncio.create_task(container.start())
        await moments(moment)
        if start.done():
            break
        start.cancel()
        await asyncio.wait([start])
        assert start.cancelled()
        assert nothing_runs()
    await container.stop()
    assert moment > 1


@pytest.mark.parametrize("kind", ["resource", "managed"])
async def test_a_stop_that_is_cancelled_at_any_moment_ends_everything(kind: str):
    for moment in range(1, 100):
        LOG.clear()
        container = chain(kind, {})
        await container.start()
        stop = asyncio.create_task(container.stop())
        await moments(moment)
        stop.cancel()
        await asyncio.wait([stop])
        assert nothing_runs()
        if not stop.cancelled():
            break
