"""What every connection manager does when the network or the server misbehaves."""

import asyncio
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, ClassVar

import pytest
from loguru import logger

from infrastructure.connections.base import AsyncBaseConnectionManager, ConnectionState
from infrastructure.errors import AuthenticationError, InfrastructureError, UnavailableError
from infrastructure.health import Status
from tests.faults.proxy import FaultProxy

DEADLINE_SECONDS = 0.5
#: What a busy machine may add to a deadline.
SLACK_SECONDS = 0.5


class ConnectionFaults:
    """Inherit, and supply the fixtures `proxy`, before a real server, and `manager`, through it.

    The manager's `timeout_seconds` and `connect_timeout_seconds` are `deadline_seconds`.
    """

    deadline_seconds: ClassVar[float] = DEADLINE_SECONDS

    async def ask(self, manager: Any) -> Any:
        """One call that changes nothing."""
        raise NotImplementedError

    def wrong_credentials(self) -> Mapping[str, Any]:
        """Settings by which the server lets nobody in."""
        raise NotImplementedError

    async def test_a_refused_connection_is_unavailable_until_it_is_there(
        self, manager: AsyncBaseConnectionManager, proxy: FaultProxy
    ):
        await proxy.refuse()
        with pytest.raises(UnavailableError):
            await self.ask(manager)
        assert manager.state is ConnectionState.UNAVAILABLE
        await proxy.passes()
        await self.ask(manager)
        assert manager.is_healthy()

    async def test_a_network_silent_from_the_start_ends_at_the_deadline(
        self, manager: AsyncBaseConnectionManager, proxy: FaultProxy
    ):
        proxy.black_hole()
        assert await self._seconds_to_fail(manager) < self.deadline_seconds + SLACK_SECONDS
        await proxy.passes()
        await self.ask(manager)

    async def test_a_connection_that_is_half_open_ends_at_the_deadline(
        self, manager: AsyncBaseConnectionManager, proxy: FaultProxy
    ):
        await self.ask(manager)
        proxy.black_hole()
        assert await self._seconds_to_fail(manager) < self.deadline_seconds + SLACK_SECONDS
        await proxy.passes()
        await self.ask(manager)

    async def test_a_reset_in_the_middle_of_a_reply_is_our_error_and_nothing_is_mixed_up(
        self, manager: AsyncBaseConnectionManager, proxy: FaultProxy
    ):
        first = await self.ask(manager)
        proxy.reset_after(2)
        with suppress(InfrastructureError):  # a kind may repeat what changes nothing
            await self.ask(manager)
        await proxy.passes()
        assert await self.ask(manager) == first

    async def test_connections_reset_while_idle_are_replaced(
        self, manager: AsyncBaseConnectionManager, proxy: FaultProxy
    ):
        await self.ask(manager)
        await proxy.drop_connections()
        await self.ask(manager)

    async def test_a_restart_under_calls_in_flight_fails_them_typed_and_the_next_work(
        self, manager: AsyncBaseConnectionManager, proxy: FaultProxy
    ):
        first = await self.ask(manager)
        calls = [asyncio.create_task(self.ask(manager)) for _ in range(20)]
        await asyncio.sleep(0)
        await proxy.refuse()
        ends = await asyncio.gather(*calls, return_exceptions=True)
        assert all(end == first or isinstance(end, InfrastructureError) for end in ends), ends
        await proxy.passes()
        assert await asyncio.gather(*(self.ask(manager) for _ in range(20))) == [first] * 20
        assert manager.state is ConnectionState.READY

    async def test_calls_held_by_a_freeze_are_answered_after_the_thaw(
        self, manager: AsyncBaseConnectionManager, proxy: FaultProxy
    ):
        first = await self.ask(manager)
        proxy.black_hole()
        calls = [asyncio.create_task(self.ask(manager)) for _ in range(5)]
        await asyncio.wait(calls, timeout=self.deadline_seconds / 5)
        assert not any(call.done() for call in calls)
        await proxy.passes()
        assert await asyncio.gather(*calls) == [first] * 5

    async def test_a_slow_network_is_no_fault(
        self, manager: AsyncBaseConnectionManager, proxy: FaultProxy
    ):
        proxy.delay(0.01)
        await self.ask(manager)
        assert manager.state is ConnectionState.READY

    async def test_the_health_check_follows_the_network_and_one_line_tells_each_change(
        self, manager: AsyncBaseConnectionManager, proxy: FaultProxy
    ):
        lines: list[str] = []
        sink = logger.add(lines.append, format="{message}", filter=_tells_of_the_connection)
        try:
            assert (await manager.health_check()).is_up
            await proxy.refuse()
            for _ in range(2):
                assert (await manager.health_check()).status is Status.DOWN
            assert manager.state is ConnectionState.UNAVAILABLE
            await proxy.passes()
            for _ in range(2):
                assert (await manager.health_check()).is_up
        finally:
            logger.remove(sink)
        assert [line.strip() for line in lines] == ["connection down", "connection up again"]

    async def test_closing_through_a_silent_network_ends(
        self, manager: AsyncBaseConnectionManager, proxy: FaultProxy
    ):
        await self.ask(manager)
        proxy.black_hole()
        async with asyncio.timeout(self.deadline_seconds + 1.0 + SLACK_SECONDS):
            await manager.disconnect()
        assert manager.state is ConnectionState.CLOSED

    async def test_wrong_credentials_are_told_without_showing_them_and_mended_while_running(
        self, manager: AsyncBaseConnectionManager
    ):
        right = {name: getattr(manager.settings, name) for name in self.wrong_credentials()}
        await self.ask(manager)
        with pytest.raises(AuthenticationError) as told:
            await manager.rotate(**self.wrong_credentials())
        assert not any(str(value) in str(told.value) for value in self.wrong_credentials().values())
        with pytest.raises(AuthenticationError):
            await self.ask(manager)
        assert await manager.rotate(**right)
        await self.ask(manager)
        assert manager.state is ConnectionState.READY

    async def test_opened_and_closed_many_times_nothing_is_left(
        self, manager: AsyncBaseConnectionManager, proxy: FaultProxy
    ):
        await self.ask(manager)
        await manager.disconnect()
        files, tasks = open_files(), len(asyncio.all_tasks())
        for _ in range(10):
            await self.ask(manager)
            await manager.disconnect()
        await proxy.drop_connections()  # the proxy hears of the last one a moment later
        assert open_files() <= files
        assert len(asyncio.all_tasks()) <= tasks

    async def _seconds_to_fail(self, manager: AsyncBaseConnectionManager) -> float:
        started = time.perf_counter()
        with pytest.raises(InfrastructureError):
            await self.ask(manager)
        return time.perf_counter() - started


def _tells_of_the_connection(line: Any) -> bool:
    return str(line["message"]).startswith("connection ")


def open_files() -> int:
    return len(list(Path("/dev/fd").iterdir()))
