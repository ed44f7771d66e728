"""Sync callers of a connection: from many threads, cut, closed under, in a fork, without a loop."""

import asyncio
import gc
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import ContextVar
from typing import Any

import pytest

from infrastructure.connections.bridge import Bridge
from infrastructure.connections.database.redis import (
    RedisConnectionManager,
    RedisConnectionSettings,
)
from infrastructure.errors import (
    ConfigurationError,
    InfrastructureError,
    OutcomeUnknownError,
    RejectedError,
    UnavailableError,
)
from infrastructure.servers.base import LocalServer
from tests.contracts.sync_connection_contract import in_a_fork, until
from tests.redis_address import address

_name: ContextVar[str] = ContextVar("name", default="nobody")


@pytest.fixture
def redis(valkey: LocalServer) -> RedisConnectionManager:
    settings = RedisConnectionSettings.model_validate(
        address(valkey.url, timeout_seconds=20, drain_timeout_seconds=0.1)
    )
    return RedisConnectionManager(settings, name="db.default")


@pytest.fixture
def bridge(redis: RedisConnectionManager) -> Iterator[Bridge]:
    bridge = Bridge(redis)
    yield bridge
    bridge.close()


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(64) as threads:
        yield threads


def _loops() -> list[str]:
    return [each.name for each in threading.enumerate() if each.name == "loop of db.default"]


def _waiting(redis: RedisConnectionManager, bridge: Bridge, threads: ThreadPoolExecutor) -> Any:
    """A call that waits at the server."""
    calling: Future[Any] = threads.submit(
        lambda: bridge.run(redis.execute("BLPOP", "bridge:nobody-pushes", 15))
    )
    until(lambda: redis.drain.in_flight > 0 and redis.pool_stats().in_use > 0)
    return calling


def test_fifty_threads_at_once_share_one_loop(
    redis: RedisConnectionManager, bridge: Bridge, threads: ThreadPoolExecutor
) -> None:
    together = threading.Barrier(50)

    def call(number: int) -> Any:
        together.wait(10)
        return bridge.run(redis.execute("ECHO", number))

    assert list(threads.map(call, range(50))) == [b"%d" % number for number in range(50)]
    assert len(_loops()) == 1


def test_two_bridges_that_open_it_at_once_share_one_loop(
    redis: RedisConnectionManager, threads: ThreadPoolExecutor
) -> None:
    for _ in range(20):
        bridges, together = [Bridge(redis) for _ in range(8)], threading.Barrier(8)

        def call(bridge: Bridge, together: threading.Barrier = together) -> Any:
            together.wait(10)
            return bridge.run(redis.execute("PING"))

        assert list(threads.map(call, bridges)) == [True] * 8
        for bridge in bridges:
            bridge.close()
    assert _loops() == []


def test_what_a_call_raises_is_raised_here(redis: RedisConnectionManager, bridge: Bridge) -> None:
    with pytest.raises(RejectedError):
        bridge.run(redis.execute("NOSUCH"))

    async def late() -> None:
        raise TimeoutError("of the call")

    with pytest.raises(TimeoutError, match="of the call"):
        bridge.run(late())


def test_a_call_has_the_context_of_its_caller(bridge: Bridge) -> None:
    async def asked() -> str:
        return _name.get()

    token = _name.set("Ada")
    try:
        assert bridge.run(asked()) == "Ada"
    finally:
        _name.reset(token)


def test_an_interrupted_wait_cancels_the_call(
    redis: RedisConnectionManager, bridge: Bridge, threads: ThreadPoolExecutor
) -> None:
    bridge.run(redis.ping())
    mine = threading.get_ident()

    def interrupt() -> None:
        until(lambda: redis.pool_stats().in_use > 0)
        signal.pthread_kill(mine, signal.SIGINT)

    interrupting = threads.submit(interrupt)
    with pytest.raises(KeyboardInterrupt):
        bridge.run(redis.execute("BLPOP", "bridge:nobody-pushes", 15))
    interrupting.result(5)
    until(lambda: redis.drain.in_flight == 0)
    assert redis.pool_stats().in_use == 0


def test_a_call_that_ends_its_loop_is_raised_and_the_next_one_has_another(
    redis: RedisConnectionManager, bridge: Bridge
) -> None:
    async def leave() -> None:
        raise SystemExit(3)

    with pytest.raises(SystemExit):
        bridge.run(leave())
    assert bridge.run(redis.execute("PING"))


def test_closing_under_a_call_tells_it_and_leaves_nothing(
    redis: RedisConnectionManager, bridge: Bridge, threads: ThreadPoolExecutor
) -> None:
    calling = _waiting(redis, bridge, threads)
    bridge.close()
    with pytest.raises(InfrastructureError):
        calling.result(5)
    assert (_loops(), redis.loop) == ([], None)


def test_closing_between_two_steps_of_a_call_tells_it_and_leaves_nothing(
    redis: RedisConnectionManager, bridge: Bridge, threads: ThreadPoolExecutor
) -> None:
    has_begun = threading.Event()

    async def steps() -> None:
        await redis.ping()
        has_begun.set()
        await asyncio.Event().wait()

    calling = threads.submit(lambda: bridge.run(steps()))
    assert has_begun.wait(5)
    bridge.close()
    with pytest.raises(OutcomeUnknownError, match=r"db\.default: its event loop ended"):
        calling.result(5)
    assert (_loops(), redis.loop) == ([], None)


@pytest.mark.parametrize("is_sync", [True, False])
def test_a_call_that_is_made_while_its_own_loop_ends_is_refused(
    redis: RedisConnectionManager, bridge: Bridge, threads: ThreadPoolExecutor, is_sync: bool
) -> None:
    has_begun, told = threading.Event(), Future[BaseException]()

    async def steps() -> None:
        try:
            has_begun.set()
            await asyncio.Event().wait()
        finally:
            try:
                if is_sync:
                    bridge.run(redis.ping())
                else:
                    await bridge.arun(redis.ping())
            except UnavailableError as error:
                told.set_result(error)

    threads.submit(lambda: bridge.run(steps()))
    assert has_begun.wait(5)
    threads.submit(bridge.close).result(5)
    assert str(told.result(5)) == "db.default: its event loop has ended"


def test_a_call_that_ends_the_loop_while_it_is_closed_tells_nobody_else(
    valkey: LocalServer, threads: ThreadPoolExecutor
) -> None:
    settings = RedisConnectionSettings.model_validate(
        address(valkey.url, timeout_seconds=20, drain_timeout_seconds=20)
    )
    redis = RedisConnectionManager(settings, name="db.default")
    bridge = Bridge(redis)
    calling = _waiting(redis, bridge, threads)
    closing = threads.submit(bridge.close)
    until(lambda: redis.drain.is_closing)

    async def leave() -> None:
        raise SystemExit(3)

    with pytest.raises(SystemExit):
        bridge.run(leave())
    closing.result(5)
    with pytest.raises(InfrastructureError):
        calling.result(5)
    assert (_loops(), redis.loop) == ([], None)


def test_what_sync_callers_have_opened_may_be_closed_in_another_loop(
    redis: RedisConnectionManager, bridge: Bridge
) -> None:
    bridge.run(redis.ping())
    assert redis._topology is not None
    (pool,) = redis._topology.pools()
    asyncio.run(redis.disconnect())
    assert (pool.stats().size, redis.loop) == (0, None)
    assert bridge.run(redis.execute("PING"))


def test_calls_and_closings_from_many_threads_all_end_and_leave_nothing_open(
    redis: RedisConnectionManager, bridge: Bridge, threads: ThreadPoolExecutor
) -> None:
    def call(number: int) -> bool:
        if number % 10 == 0:
            bridge.close()
            return True
        try:
            return bool(bridge.run(redis.execute("PING")))
        except InfrastructureError:
            return True

    assert all(threads.map(call, range(300), timeout=30))
    bridge.close()
    assert (_loops(), redis.loop) == ([], None)
    gc.collect()  # what was left open would be told of here


def test_closing_from_a_call_of_its_own_is_refused(
    redis: RedisConnectionManager, bridge: Bridge
) -> None:
    async def close() -> None:
        await redis.ping()
        bridge.close()

    with pytest.raises(ConfigurationError, match="closed from a call that runs in it"):
        bridge.run(close())


@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_call_in_the_loop_of_somebody_who_leaves_is_told(
    redis: RedisConnectionManager, bridge: Bridge, threads: ThreadPoolExecutor
) -> None:
    async def main() -> Any:
        await redis.connect()
        calling = threads.submit(
            lambda: bridge.run(redis.execute("BLPOP", "bridge:nobody-pushes", 15))
        )
        async with asyncio.timeout(5):
            while not redis.drain.in_flight:  # noqa: ASYNC110 - bounded, and nobody else tells
                await asyncio.sleep(0)
        return calling

    with pytest.raises(OutcomeUnknownError):
        asyncio.run(main()).result(5)
    gc.collect()  # whoever left did not close, and asyncio says so here


def test_a_call_handed_to_a_loop_that_stopped_just_then_is_told(
    redis: RedisConnectionManager, bridge: Bridge, threads: ThreadPoolExecutor
) -> None:
    loop = asyncio.new_event_loop()
    loop.run_until_complete(redis.connect())
    may_end, handed = threading.Event(), threading.Event()

    def stop() -> None:  # the call is handed over while this runs, and the loop stops after it
        loop.stop()
        handed.set()
        may_end.wait(5)

    running = threads.submit(lambda: (loop.call_soon(stop), loop.run_forever()))
    assert handed.wait(5)
    work = redis.execute("PING")
    calling = threads.submit(lambda: bridge.run(work))
    until(lambda: bool(loop._ready))  # type: ignore[attr-defined]  # nobody else tells
    loop._ready.clear()  # type: ignore[attr-defined]  # as when it had come a moment later
    may_end.set()
    running.result(5)
    with pytest.raises(OutcomeUnknownError):
        calling.result(5)
    work.close()
    loop.run_until_complete(redis.disconnect())
    loop.close()


async def test_an_async_caller_waits_until_the_loop_that_ends_has_closed_it(
    redis: RedisConnectionManager, bridge: Bridge
) -> None:
    is_closing, may_close, close = threading.Event(), threading.Event(), redis._close

    async def slowly() -> None:
        is_closing.set()
        await asyncio.to_thread(may_close.wait, 5)
        await close()

    async def leave() -> None:
        raise SystemExit(3)

    await asyncio.to_thread(bridge.run, redis.ping())
    redis._close = slowly  # type: ignore[method-assign] # a server that lets it wait
    with pytest.raises(SystemExit):
        await asyncio.to_thread(bridge.run, leave())
    assert is_closing.wait(5)
    asking = asyncio.create_task(bridge.arun(redis.execute("PING")))
    assert not (await asyncio.wait((asking,), timeout=0.1))[0]
    may_close.set()
    assert await asking
    await redis.disconnect()


async def test_an_async_caller_is_told_that_the_other_loop_ended(
    redis: RedisConnectionManager, bridge: Bridge
) -> None:
    await asyncio.to_thread(bridge.run, redis.ping())
    waiting = asyncio.create_task(bridge.arun(redis.execute("BLPOP", "bridge:nobody-pushes", 15)))
    async with asyncio.timeout(5):
        while not redis.drain.in_flight:  # noqa: ASYNC110 - bounded, and nobody else tells
            await asyncio.sleep(0)
        await asyncio.to_thread(bridge.close)
        with pytest.raises(InfrastructureError):
            await waiting


async def test_a_cancelled_async_caller_cancels_its_call_in_the_other_loop(
    redis: RedisConnectionManager, bridge: Bridge
) -> None:
    await asyncio.to_thread(bridge.run, redis.ping())
    waiting = asyncio.create_task(bridge.arun(redis.execute("BLPOP", "bridge:nobody-pushes", 15)))
    async with asyncio.timeout(5):
        while not redis.drain.in_flight:  # noqa: ASYNC110 - bounded, and nobody else tells
            await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        while redis.drain.in_flight:  # noqa: ASYNC110 - as above
            await asyncio.sleep(0)


def test_a_fork_opens_it_anew_and_the_parent_goes_on(
    redis: RedisConnectionManager, bridge: Bridge
) -> None:
    def ask() -> Any:
        return bridge.run(redis.execute("CLIENT", "ID"))

    def in_the_child() -> Any:
        number = ask()
        bridge.close()
        return number

    mine = ask()
    theirs = in_a_fork(in_the_child)
    assert isinstance(theirs, int)
    assert theirs != mine
    assert ask() == mine


def test_a_fork_has_no_client_of_its_parent(redis: RedisConnectionManager, bridge: Bridge) -> None:
    def look() -> Any:
        with pytest.raises(UnavailableError, match="not connected"):
            _ = redis.client
        return redis.pool_stats().size

    bridge.run(redis.ping())
    assert in_a_fork(look) == 0
    assert redis.client is not None


def test_a_fork_may_close_what_its_parent_opened(
    redis: RedisConnectionManager, bridge: Bridge
) -> None:
    def close() -> str:
        bridge.close()
        return "closed"

    bridge.run(redis.ping())
    assert in_a_fork(close) == "closed"
    assert bridge.run(redis.execute("PING"))
