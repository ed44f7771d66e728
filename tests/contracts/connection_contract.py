"""What every connection manager promises."""

import asyncio
import gc

import pytest

from infrastructure.connections.base import (
    AsyncBaseConnectionManager,
    ConnectionState,
    PoolStats,
)
from infrastructure.errors import UnavailableError
from infrastructure.health import Status

NOTHING_OPEN = PoolStats(size=0, in_use=0, limit=0)


class ConnectionContract:
    """Inherit, and supply the fixture `manager`: one that works and was not opened yet.

    A test opens and closes it itself.
    """

    def test_constructing_opens_nothing(self, manager: AsyncBaseConnectionManager):
        assert not manager.is_healthy()
        assert manager.pool_stats() == NOTHING_OPEN

    def test_it_shows_its_name(self, manager: AsyncBaseConnectionManager):
        assert manager.name
        assert manager.name in repr(manager)

    async def test_connecting_makes_it_healthy(self, manager: AsyncBaseConnectionManager):
        async with manager:
            assert manager.is_healthy()

    async def test_connecting_twice_is_harmless(self, manager: AsyncBaseConnectionManager):
        async with manager:
            await manager.connect()
            assert manager.is_healthy()

    async def test_many_connect_at_once(self, manager: AsyncBaseConnectionManager):
        async with manager:
            await manager.disconnect()
            await asyncio.gather(*(manager.connect() for _ in range(20)))
            assert (await manager.health_check()).is_up

    async def test_a_cancelled_connect_leaves_it_usable(self, manager: AsyncBaseConnectionManager):
        attempt = asyncio.create_task(manager.connect())
        await asyncio.sleep(0)
        attempt.cancel()
        await asyncio.wait((attempt,))
        async with manager:
            assert (await manager.health_check()).is_up

    async def test_the_health_check_reports_latency_and_what_answered(
        self, manager: AsyncBaseConnectionManager
    ):
        async with manager:
            health = await manager.health_check()
        assert health.status is Status.UP
        assert health.latency_seconds > 0
        assert health.detail

    async def test_the_health_check_connects_by_itself(self, manager: AsyncBaseConnectionManager):
        try:
            assert (await manager.health_check()).is_up
        finally:
            await manager.disconnect()

    async def test_disconnecting_closes_everything(self, manager: AsyncBaseConnectionManager):
        await manager.connect()
        await manager.disconnect()
        assert not manager.is_healthy()
        assert manager.pool_stats() == NOTHING_OPEN

    async def test_disconnecting_twice_is_harmless(self, manager: AsyncBaseConnectionManager):
        await manager.connect()
        await manager.disconnect()
        await manager.disconnect()

    async def test_disconnecting_before_connecting_is_harmless(
        self, manager: AsyncBaseConnectionManager
    ):
        await manager.disconnect()
        assert not manager.is_healthy()

    async def test_it_opens_again_after_closing(self, manager: AsyncBaseConnectionManager):
        await manager.connect()
        await manager.disconnect()
        async with manager:
            assert (await manager.health_check()).is_up

    async def test_nothing_is_in_use_when_nobody_uses_it(self, manager: AsyncBaseConnectionManager):
        async with manager:
            await asyncio.gather(*(manager.health_check() for _ in range(10)))
            stats = manager.pool_stats()
        assert stats.in_use == 0
        assert stats.size <= stats.limit

    async def test_it_says_where_it_is_in_its_life(self, manager: AsyncBaseConnectionManager):
        seen = [manager.state]
        opening = asyncio.create_task(manager.connect())
        await asyncio.sleep(0)
        seen.append(manager.state)
        await opening
        seen.append(manager.state)
        await manager.disconnect()
        assert [*seen, manager.state] == ["new", "connecting", "ready", "closed"]

    async def test_closing_waits_for_a_call_in_flight_and_refuses_new_ones(
        self, manager: AsyncBaseConnectionManager
    ):
        async with manager.calling():
            closing = asyncio.create_task(manager.disconnect())
            await asyncio.sleep(0)
            assert manager.state is ConnectionState.CLOSED
            with pytest.raises(UnavailableError, match="being closed"):
                async with manager.calling():
                    pass
            assert manager.loop is not None
        await closing
        assert manager.loop is None

    async def test_settings_that_are_the_same_change_nothing(
        self, manager: AsyncBaseConnectionManager
    ):
        async with manager:
            assert not await manager.rotate(timeout_seconds=manager.settings.timeout_seconds)
            assert manager.state is ConnectionState.READY

    async def test_other_settings_count_from_the_next_call_on(
        self, manager: AsyncBaseConnectionManager
    ):
        async with manager:
            async with manager.calling():
                rotating = asyncio.create_task(manager.rotate(timeout_seconds=7.5))
                await asyncio.sleep(0)
                waiting = asyncio.create_task(manager.health_check())
            assert await rotating
            assert (await waiting).is_up
            assert manager.settings.timeout_seconds == 7.5

    async def test_no_task_is_left_behind(self, manager: AsyncBaseConnectionManager):
        before = asyncio.all_tasks()
        async with manager:
            await manager.health_check()
        assert asyncio.all_tasks() == before

    @pytest.mark.filterwarnings("ignore::ResourceWarning")
    @pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
    def test_it_opens_anew_in_another_event_loop(self, manager: AsyncBaseConnectionManager):
        async def use_and_close() -> bool:
            async with manager:
                return (await manager.health_check()).is_up

        async def use_and_forget() -> bool:
            return (await manager.health_check()).is_up

        assert asyncio.run(use_and_forget())
        assert asyncio.run(use_and_close())
        gc.collect()  # the first loop ended with connections open, and asyncio says so here
