"""What every connection manager for threads promises: what the asynchronous ones do."""

import multiprocessing
import os
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Barrier, Event
from typing import Any

import pytest

from infrastructure.connections.base import BaseConnectionManager, ConnectionState, PoolStats
from infrastructure.errors import UnavailableError
from infrastructure.health import Health, Status

NOTHING_OPEN = PoolStats(size=0, in_use=0, limit=0)


class SyncConnectionContract:
    """Inherit, and supply the fixture `manager`: one that works and was not opened yet.

    A test opens and closes it itself.
    """

    def test_constructing_opens_nothing(self, manager: BaseConnectionManager):
        assert not manager.is_healthy()
        assert manager.pool_stats() == NOTHING_OPEN

    def test_it_shows_its_name(self, manager: BaseConnectionManager):
        assert manager.name
        assert manager.name in repr(manager)

    def test_connecting_makes_it_healthy(self, manager: BaseConnectionManager):
        with manager:
            assert manager.is_healthy()

    def test_connecting_twice_is_harmless(self, manager: BaseConnectionManager):
        with manager:
            manager.connect()
            assert manager.is_healthy()

    def test_many_threads_connect_at_once_and_one_opens(self, manager: BaseConnectionManager):
        opened: list[bool] = []
        open_once, together = manager._open, Barrier(8)

        def counted() -> None:
            opened.append(True)
            open_once()

        def connect() -> None:
            together.wait()
            manager.connect()

        manager._open = counted  # type: ignore[method-assign] # to count what it does
        with ThreadPoolExecutor(8) as threads:
            wait_for([threads.submit(connect) for _ in range(8)])
        assert opened == [True]
        manager.disconnect()

    def test_the_health_check_reports_latency_and_what_answered(
        self, manager: BaseConnectionManager
    ):
        with manager:
            health = manager.health_check()
        assert health.status is Status.UP
        assert health.latency_seconds > 0
        assert health.detail

    def test_the_health_check_connects_by_itself(self, manager: BaseConnectionManager):
        try:
            assert manager.health_check().is_up
        finally:
            manager.disconnect()

    def test_disconnecting_closes_everything(self, manager: BaseConnectionManager):
        manager.connect()
        manager.disconnect()
        assert not manager.is_healthy()
        assert manager.pool_stats() == NOTHING_OPEN

    def test_disconnecting_twice_or_before_connecting_is_harmless(
        self, manager: BaseConnectionManager
    ):
        manager.disconnect()
        manager.connect()
        manager.disconnect()
        manager.disconnect()

    def test_it_opens_again_after_closing(self, manager: BaseConnectionManager):
        manager.connect()
        manager.disconnect()
        with manager:
            assert manager.health_check().is_up

    def test_nothing_is_in_use_when_nobody_uses_it(self, manager: BaseConnectionManager):
        with manager:
            with ThreadPoolExecutor(4) as threads:
                wait_for([threads.submit(manager.health_check) for _ in range(10)])
            stats = manager.pool_stats()
        assert stats.in_use == 0
        assert stats.size <= stats.limit

    def test_it_says_where_it_is_in_its_life(self, manager: BaseConnectionManager):
        seen = [manager.state]
        open_once = manager._open

        def watched() -> None:
            seen.append(manager.state)
            open_once()

        manager._open = watched  # type: ignore[method-assign] # to look meanwhile
        manager.connect()
        seen.append(manager.state)
        manager.disconnect()
        assert [*seen, manager.state] == ["new", "connecting", "ready", "closed"]

    def test_closing_waits_for_a_call_in_flight_and_refuses_new_ones(
        self, manager: BaseConnectionManager
    ):
        with ThreadPoolExecutor(1) as threads:
            with manager.calling():
                closing = threads.submit(manager.disconnect)
                until(lambda: manager.state is ConnectionState.CLOSED)
                with pytest.raises(UnavailableError, match="being closed"), manager.calling():
                    pass
                assert manager.is_open
            wait_for([closing])
        assert not manager.is_open

    def test_settings_that_are_the_same_change_nothing(self, manager: BaseConnectionManager):
        with manager:
            assert not manager.rotate(timeout_seconds=manager.settings.timeout_seconds)
            assert manager.state is ConnectionState.READY

    def test_other_settings_count_from_the_next_call_on(self, manager: BaseConnectionManager):
        with manager, ThreadPoolExecutor(2) as threads:
            with manager.calling():
                rotating = threads.submit(manager.rotate, timeout_seconds=7.5)
                until(lambda: manager.drain.is_paused)
                waiting: Future[Health] = threads.submit(manager.health_check)
                assert not rotating.done()
            assert rotating.result(10)
            assert waiting.result(10).is_up
            assert manager.settings.timeout_seconds == 7.5

    @pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
    def test_a_forked_child_opens_connections_of_its_own(self, manager: BaseConnectionManager):
        with manager:
            assert in_a_fork(lambda: (manager.state, manager.health_check().is_up)) == (
                ConnectionState.NEW,
                True,
            )
            assert manager.state is ConnectionState.READY
            assert manager.health_check().is_up

    @pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
    def test_a_child_forked_in_the_middle_of_a_call_waits_for_nobody(
        self, manager: BaseConnectionManager
    ):
        with manager, ThreadPoolExecutor(1) as threads:
            inside, over = Event(), Event()

            def call() -> None:
                with manager.calling():
                    inside.set()
                    over.wait()

            calling = threads.submit(call)
            inside.wait()
            with manager.drain._changed:  # as another thread may hold it at that moment
                assert in_a_fork(lambda: manager.health_check().is_up)
            over.set()
            wait_for([calling])


def wait_for(futures: list[Any]) -> None:
    for future in futures:
        future.result(10)


def until(condition: Callable[[], bool]) -> None:
    """Wait, but not for long, until another thread has come there."""
    pause = Event()
    for _ in range(5_000):
        if condition():
            return
        pause.wait(0.002)
    raise TimeoutError


def in_a_fork(work: Callable[[], Any]) -> Any:
    """What `work` gives in a child process, which ends without ending what it inherited."""
    ours, theirs = multiprocessing.Pipe()
    child = os.fork()
    if child == 0:
        try:
            theirs.send(work())
        except BaseException as error:  # noqa: BLE001 - whatever it is, the test is to say it
            theirs.send(repr(error))
        finally:
            os._exit(0)
    try:
        assert ours.poll(20), "the child does not answer"
        return ours.recv()
    finally:
        os.waitpid(child, 0)
