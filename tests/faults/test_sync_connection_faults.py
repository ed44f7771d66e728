"""Every connection manager for threads, behind a network that misbehaves."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Any, ClassVar
from urllib.parse import urlsplit

import pytest

from infrastructure.connections.database.postgres.settings import PostgresSettings
from infrastructure.connections.database.postgres.sync import SyncPostgresConnectionManager
from infrastructure.servers.postgres import PostgresServer
from tests.contracts.connection_faults import ConnectionFaults
from tests.faults.proxy import FaultProxy


class Threaded:
    """A manager for threads as the fault suite wants it: what blocks runs in another thread."""

    def __init__(self, manager: SyncPostgresConnectionManager) -> None:
        self.manager = manager

    def __getattr__(self, name: str) -> Any:
        return getattr(self.manager, name)

    async def execute_query(self, sql: str) -> Any:
        return await asyncio.to_thread(self.manager.execute_query, sql)

    async def health_check(self) -> Any:
        return await asyncio.to_thread(self.manager.health_check)

    async def disconnect(self) -> None:
        await asyncio.to_thread(self.manager.disconnect)

    async def rotate(self, **changes: Any) -> bool:
        return await asyncio.to_thread(lambda: self.manager.rotate(**changes))


@pytest.fixture(scope="module")
def server_url(postgres: PostgresServer) -> str:
    """A database that nobody changes."""
    return postgres.create_database()


class _SyncPostgres(ConnectionFaults):
    driver: ClassVar[str]

    @pytest.fixture
    async def proxy(self, server_url: str) -> AsyncIterator[FaultProxy]:
        async with FaultProxy("127.0.0.1", urlsplit(server_url).port or 0) as proxy:
            yield proxy

    @pytest.fixture
    async def manager(self, server_url: str, proxy: FaultProxy) -> AsyncIterator[Threaded]:
        parts = urlsplit(server_url)
        settings = {
            "host": parts.hostname,
            "port": proxy.port,
            "user": parts.username,
            "password": parts.password,
            "name": parts.path.strip("/"),
            "ssl": "disable",
            "sync_driver": self.driver,
            "pool_size": 2,  # few are to be opened within the deadline by a busy machine
            "max_overflow": 0,
            "timeout_seconds": self.deadline_seconds,
            "connect_timeout_seconds": self.deadline_seconds,
        }
        threaded = Threaded(
            SyncPostgresConnectionManager(
                PostgresSettings.model_validate(settings), name="db.default"
            )
        )
        yield threaded
        await proxy.passes()
        await threaded.disconnect()

    async def ask(self, manager: Any) -> Any:
        return await manager.execute_query("SELECT 1 AS one")

    def wrong_credentials(self) -> Mapping[str, Any]:
        return {"password": "not-this-one"}


class TestPg8000(_SyncPostgres):
    driver: ClassVar[str] = "pg8000"
    deadline_seconds: ClassVar[float] = 0.6  # a login takes it eight round trips


class TestPsycopg(_SyncPostgres):
    driver: ClassVar[str] = "psycopg"
