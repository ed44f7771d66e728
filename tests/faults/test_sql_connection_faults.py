"""PostgreSQL through psycopg, behind a network that misbehaves."""

from collections.abc import AsyncIterator, Mapping
from typing import Any
from urllib.parse import urlsplit

import pytest

from infrastructure.connections.database.postgres import (
    PostgresConnectionManager,
    PostgresSettings,
)
from infrastructure.servers.postgres import PostgresServer
from tests.contracts.connection_faults import DEADLINE_SECONDS, ConnectionFaults
from tests.faults.proxy import FaultProxy


class TestPsycopg(ConnectionFaults):
    @pytest.fixture
    def server_url(self, postgres: PostgresServer) -> str:
        return postgres.url

    @pytest.fixture
    async def proxy(self, server_url: str) -> AsyncIterator[FaultProxy]:
        port = urlsplit(server_url).port
        assert port
        async with FaultProxy("127.0.0.1", port) as proxy:
            yield proxy

    @pytest.fixture
    async def manager(
        self, server_url: str, proxy: FaultProxy
    ) -> AsyncIterator[PostgresConnectionManager]:
        parts = urlsplit(server_url)
        settings = {
            "driver": "psycopg",
            "url": parts._replace(netloc=f"postgres@127.0.0.1:{proxy.port}").geturl(),
            "password": parts.password,
            "ssl": "disable",
            "timeout_seconds": DEADLINE_SECONDS,
            "connect_timeout_seconds": DEADLINE_SECONDS,
        }
        manager = PostgresConnectionManager(
            PostgresSettings.model_validate(settings), name="db.default"
        )
        yield manager
        await proxy.passes()
        await manager.disconnect()

    async def ask(self, manager: PostgresConnectionManager) -> Any:
        return await manager.execute_query("SELECT 1 AS one")

    def wrong_credentials(self) -> Mapping[str, Any]:
        return {"password": "not-this-one"}
