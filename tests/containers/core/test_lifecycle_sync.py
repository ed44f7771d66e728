"""The same with a plain `with`, where nothing needs an event loop."""

import os
import threading
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from dependency_injector import providers as plain

from containers import DeclarativeContainer, providers
from containers.errors import LifecycleError
from tests.containers.core.living import LOG, NUMBERS, Chain, Plain, Sync, chain, paired


def test_the_sync_twin_starts_and_ends_in_the_same_order():
    with Sync():
        assert LOG == ["+b", "+a", "+file"]
    assert LOG[3:] == ["-file", "-a", "-b"]


def test_the_sync_twin_says_when_an_event_loop_is_needed():
    with pytest.raises(LifecycleError, match="'c' needs an event loop"), Chain():
        pass


def test_the_sync_twin_refuses_an_async_resource_of_dependency_injector():
    async def connect() -> AsyncIterator[str]:
        yield "connection"

    class One(DeclarativeContainer):
        connection = plain.Resource(connect)

    with pytest.raises(LifecycleError, match="'connection' needs an event loop"), One():
        pass


@pytest.mark.parametrize("failing", NUMBERS)
@pytest.mark.parametrize("kind", ["sync resource", "managed, sync"])
def test_the_sync_twin_ends_in_reverse_when_any_of_n_fails_to_start(kind: str, failing: int):
    container = chain(kind, {failing: "start"})
    with pytest.raises(LifecycleError) as caught, container:
        pass
    assert list(caught.value.failures) == [f"link{failing}"]
    assert paired()


@pytest.mark.parametrize("failing", NUMBERS)
@pytest.mark.parametrize("kind", ["sync resource", "managed, sync"])
def test_the_sync_twin_ends_the_others_when_any_of_n_fails_to_end(kind: str, failing: int):
    container = chain(kind, {failing: "stop"})
    with pytest.raises(ExceptionGroup) as caught, container:
        pass
    assert len(LOG) == 12
    assert paired()
    assert caught.value.exceptions[0].__notes__ == [f"while ending 'link{failing}'"]


def test_the_sync_twin_tells_too_what_fails_to_end_after_a_failed_start():
    with pytest.raises(LifecycleError) as caught, chain("sync resource", {1: "stop", 3: "start"}):
        pass
    assert list(caught.value.unended) == ["link1"]


async def test_a_container_that_was_started_with_await_is_not_stopped_by_a_plain_with():
    container = chain("resource", {})
    await container.start()
    with pytest.raises(ExceptionGroup) as caught, container:
        pass
    assert "needs an event loop" in str(caught.value.exceptions[0])


def test_an_exit_keeps_its_code_although_something_fails_to_end():
    with pytest.raises(SystemExit, match="3") as caught, chain("managed, sync", {1: "stop"}):
        raise SystemExit(3)
    assert isinstance(caught.value.__cause__, ExceptionGroup)


def test_an_error_is_the_context_of_what_fails_to_end():
    with pytest.raises(ExceptionGroup) as caught, chain("managed, sync", {1: "stop"}):
        raise LookupError
    assert isinstance(caught.value.__context__, LookupError)


def test_starts_in_several_threads_are_one():
    together = threading.Barrier(4)

    class Slow(Plain):
        def start(self) -> None:
            super().start()
            os.sched_yield()  # lets the others in

    class One(DeclarativeContainer):
        slow = providers.Managed(Slow, "slow")

    def start() -> None:
        together.wait()
        container.__enter__()

    container = One()
    with ThreadPoolExecutor(4) as pool:
        for started in [pool.submit(start) for _ in range(4)]:
            started.result()
    assert LOG == ["+slow"]
