"""Connections opened and closed hundreds of times leave no socket, task or thread behind."""

import asyncio
import threading
from typing import Any

import pytest

from infrastructure.connections.database.postgres import (
    PostgresConnectionManager,
    PostgresSettings,
)
from infrastructure.connections.database.redis import RedisConnectionManager
from infrastructure.connections.database.sqlite import SqliteConnectionManager, SqliteSettings
from infrastructure.servers.base import LocalServer
from infrastructure.servers.postgres import PostgresServer
from tests.contracts.connection_faults import open_files
from tests.contracts.sql_contract import until
from tests.redis_address import address

CYCLES = 500


@pytest.fixture
def postgres_manager(postgres: PostgresServer) -> Any:
    settings = PostgresSettings.model_validate(
        {"url": postgres.create_database(), "ssl": "disable"}
    )
    return PostgresConnectionManager(settings)


@pytest.fixture
def redis_manager(valkey: LocalServer) -> Any:
    return RedisConnectionManager(
        RedisConnectionManager.Settings.model_validate(address(valkey.url))
    )


@pytest.fixture
def sqlite_manager(tmp_path: Any) -> Any:
    settings = SqliteSettings.model_validate({"path": tmp_path / "a.db"})
    return SqliteConnectionManager(settings)


def standing() -> tuple[int, int, int]:
    """Open files, tasks and threads."""
    return open_files(), len(asyncio.all_tasks()), threading.active_count()


@pytest.mark.parametrize("kind", ["redis", "postgres", "sqlite"])
async def test_five_hundred_cycles_leave_nothing(kind: str, request: pytest.FixtureRequest):
    manager = request.getfixturevalue(f"{kind}_manager")
    await manager.connect()
    await manager.disconnect()
    before = standing()
    for _ in range(CYCLES):
        await manager.connect()
        await manager.disconnect()

    async def nothing_is_left() -> bool:  # a thread that was told to end takes a moment for it
        return all(now <= was for now, was in zip(standing(), before, strict=True))

    await until(nothing_is_left)
