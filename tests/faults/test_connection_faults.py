"""Every connection manager of a server, behind a network that misbehaves."""

from collections.abc import AsyncIterator, Mapping
from typing import Any, ClassVar
from urllib.parse import urlsplit

import pytest

from infrastructure.connections.database.postgres import (
    PostgresConnectionManager,
    PostgresSettings,
)
from infrastructure.connections.database.redis import (
    RedisConnectionManager,
    RedisConnectionSettings,
)
from infrastructure.servers.base import LocalServer
from infrastructure.servers.postgres import PostgresServer
from tests.contracts.connection_faults import ConnectionFaults
from tests.faults.proxy import FaultProxy
from tests.redis_address import address


def _bounds(seconds: float) -> dict[str, float]:
    return {"timeout_seconds": seconds, "connect_timeout_seconds": seconds}


@pytest.fixture(scope="module")
def database(postgres: PostgresServer) -> str:
    """One that nobody changes."""
    return postgres.create_database()


@pytest.fixture
async def proxy(server_url: str) -> AsyncIterator[FaultProxy]:
    parts = urlsplit(server_url)
    assert parts.hostname
    assert parts.port
    async with FaultProxy(parts.hostname, parts.port) as proxy:
        yield proxy


class TestPostgres(ConnectionFaults):
    @pytest.fixture
    def server_url(self, database: str) -> str:
        return database

    @pytest.fixture
    async def manager(
        self, server_url: str, proxy: FaultProxy
    ) -> AsyncIterator[PostgresConnectionManager]:
        parts = urlsplit(server_url)
        settings = PostgresSettings.model_validate(
            {
                "host": parts.hostname,
                "port": proxy.port,
                "user": parts.username,
                "password": parts.password,
                "name": parts.path.strip("/"),
                "ssl": "disable",
                "pool_size": 2,  # few are to be opened within the deadline by a busy machine
                "max_overflow": 0,
                **_bounds(self.deadline_seconds),
            }
        )
        manager = PostgresConnectionManager(settings, name="db.default")
        yield manager
        await proxy.passes()
        await manager.disconnect()

    async def ask(self, manager: PostgresConnectionManager) -> Any:
        return await manager.execute_query("SELECT 1 AS one")

    def wrong_credentials(self) -> Mapping[str, Any]:
        return {"password": "not-this-one"}


class TestRedis(ConnectionFaults):
    deadline_seconds: ClassVar[float] = 0.25  # a login takes it two round trips

    @pytest.fixture
    def server_url(self, valkey: LocalServer) -> str:
        return valkey.url

    @pytest.fixture
    async def manager(
        self, server_url: str, proxy: FaultProxy
    ) -> AsyncIterator[RedisConnectionManager]:
        found = address(server_url, port=proxy.port, **_bounds(self.deadline_seconds))
        manager = RedisConnectionManager(
            RedisConnectionSettings.model_validate(found), name="db.instances.redis"
        )
        yield manager
        await proxy.passes()
        await manager.disconnect()

    async def ask(self, manager: RedisConnectionManager) -> Any:
        return await manager.execute("ECHO", "one")

    def wrong_credentials(self) -> Mapping[str, Any]:
        return {"password": "not-this-one"}
