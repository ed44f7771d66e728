"""Async generators of a scope end once, in order, whether or not their endings wait."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from containers import DeclarativeContainer, providers
from containers.errors import ContainerError

Pause = Callable[[], Awaitable[None]]


async def at_once() -> None:
    """Ends without a wait."""


async def later() -> None:
    await asyncio.sleep(0)


class BoomError(Exception):
    """What an ending fails with."""


async def make_first(log: list[str]) -> AsyncIterator[str]:
    yield "first"
    log.append("first")


async def make_last(_: str, log: list[str], pause: Pause) -> AsyncIterator[str]:
    yield "last"
    await pause()
    log.append("last")


async def make_failing(_: str, pause: Pause) -> AsyncIterator[str]:
    yield "failing"
    await pause()
    raise BoomError


async def make_twice(_: str, pause: Pause) -> AsyncIterator[str]:
    yield "twice"
    await pause()
    yield "twice"


class Pair(DeclarativeContainer):
    """`last` is made after `first`, and ends before it."""

    log: providers.Singleton[list[str]] = providers.Singleton(list)
    pause = providers.Dependency()  # type: ignore[var-annotated]  # a function
    first = providers.Scoped(make_first, log)
    last = providers.Scoped(make_last, first, log, pause)
    failing = providers.Scoped(make_failing, first, pause)
    twice = providers.Scoped(make_twice, first, pause)


@pytest.fixture(params=[at_once, later])
def pair(request: pytest.FixtureRequest) -> Any:
    return Pair(pause=providers.Object(request.param))


async def test_the_last_made_ends_first(pair):
    async with pair.scope():
        await pair.last()
    assert pair.log() == ["last", "first"]


async def test_an_ending_that_fails_is_told_after_the_others_had_their_turn(pair):
    with pytest.raises(ExceptionGroup) as caught:
        async with pair.scope():
            await pair.failing()
    assert [type(error) for error in caught.value.exceptions] == [BoomError]
    assert pair.log() == ["first"]


async def test_a_second_yield_is_told_after_the_others_had_their_turn(pair):
    with pytest.raises(ExceptionGroup) as caught:
        async with pair.scope():
            await pair.twice()
    [error] = caught.value.exceptions
    assert isinstance(error, ContainerError)
    assert "yielded twice" in str(error)
    assert pair.log() == ["first"]


async def test_an_ending_that_handles_the_failure_of_its_wait_goes_on():
    waiting = asyncio.get_running_loop().create_future()

    async def make(log: list[str]) -> AsyncIterator[str]:
        yield "made"
        try:
            await waiting
        except BoomError:
            await later()
            log.append("handled")

    class One(DeclarativeContainer):
        log: providers.Singleton[list[str]] = providers.Singleton(list)
        made = providers.Scoped(make, log)

    container = One()
    async with container.scope():
        await container.made()
        asyncio.get_running_loop().call_soon(waiting.set_exception, BoomError())
    assert container.log() == ["handled"]


async def test_a_second_cancellation_stops_an_ending_that_hangs():
    is_ending = asyncio.Event()

    async def make(log: list[str]) -> AsyncIterator[str]:
        yield "made"
        is_ending.set()
        try:
            await asyncio.Event().wait()
        finally:
            log.append("stopped")

    class One(DeclarativeContainer):
        log: providers.Singleton[list[str]] = providers.Singleton(list)
        made = providers.Scoped(make, log)

    container = One()

    async def request() -> None:
        async with container.scope():
            await container.made()

    task = asyncio.create_task(request())
    await is_ending.wait()
    task.cancel()
    await later()
    assert container.log() == []
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert container.log() == ["stopped"]


async def test_a_scope_inside_an_ending_leaves_the_endings_own_timeouts_as_they_are(pair):
    async def make() -> AsyncIterator[str]:
        yield "made"
        async with pair.scope():
            await pair.last()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0):
                await asyncio.Event().wait()
        pair.log().append("interrupted")

    class One(DeclarativeContainer):
        made = providers.Scoped(make)

    container = One()
    async with asyncio.timeout(5), container.scope():
        await container.made()
    assert pair.log() == ["last", "first", "interrupted"]
