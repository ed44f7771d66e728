"""MongoDB behind a network and a server that misbehave, through both drivers."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Any
from urllib.parse import urlsplit

import pytest

from infrastructure.connections.database.mongodb import Insert, MongodbConnectionManager
from infrastructure.servers.mongodb import MongodbServer
from tests.contracts.connection_faults import (
    DEADLINE_SECONDS,
    SLACK_SECONDS,
    ConnectionFaults,
    open_files,
)
from tests.faults.proxy import FaultProxy

BOUNDS = {"timeout_seconds": DEADLINE_SECONDS, "connect_timeout_seconds": DEADLINE_SECONDS}


@pytest.fixture
async def proxy(mongodb: MongodbServer) -> AsyncIterator[FaultProxy]:
    async with FaultProxy("127.0.0.1", mongodb.port) as proxy:
        yield proxy


def _manager(server: MongodbServer, port: int, **changed: Any) -> MongodbConnectionManager:
    parts = urlsplit(server.url)
    settings = MongodbConnectionManager.Settings.model_validate(
        {
            "host": "127.0.0.1",
            "port": port,
            "user": parts.username,
            "password": parts.password,
            "name": "faults",
            "direct": True,  # the server names its own port, which is not the proxy's
            "max_connections": 4,  # each is a login, which takes the server its time
            **BOUNDS,
            **changed,
        }
    )
    return MongodbConnectionManager(settings, name="db.default")


class TestPymongo(ConnectionFaults):
    driver = "pymongo"

    @pytest.fixture
    async def manager(
        self, mongodb: MongodbServer, proxy: FaultProxy
    ) -> AsyncIterator[MongodbConnectionManager]:
        manager = _manager(mongodb, proxy.port, driver=self.driver)
        yield manager
        await proxy.passes()
        await manager.disconnect()

    async def ask(self, manager: MongodbConnectionManager) -> Any:
        return await manager.find("nothing", {}, limit=1)

    async def test_leaving_a_cursor_behind_a_silent_network_ends(
        self, manager: MongodbConnectionManager, proxy: FaultProxy
    ):
        await manager.bulk_write("left", [Insert({}) for _ in range(4)])
        scan: Any = manager.scan("left", {}, batch_size=1)
        await anext(scan)
        proxy.black_hole()
        async with asyncio.timeout(DEADLINE_SECONDS + SLACK_SECONDS):
            await scan.aclose()

    def wrong_credentials(self) -> Mapping[str, Any]:
        return {"password": "not-this-one"}


class TestMotor(TestPymongo):
    driver = "motor"

    async def test_opened_and_closed_many_times_nothing_is_left(
        self, manager: Any, proxy: FaultProxy
    ):
        await self.ask(manager)
        await manager.disconnect()
        await proxy.drop_connections()
        files, tasks = open_files(), len(asyncio.all_tasks())
        for _ in range(10):
            await self.ask(manager)
            await manager.disconnect()
        await proxy.drop_connections()
        async with asyncio.timeout(5):  # its threads look twice a second whether they are to end
            while open_files() > files:
                await asyncio.wait((asyncio.ensure_future(asyncio.to_thread(int)),))
        assert len(asyncio.all_tasks()) <= tasks
