"""A forked process has connections of its own, and leaves those of its parent alone."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

import pytest

from infrastructure.connections.base import ConnectionState
from infrastructure.connections.database.postgres import PostgresConnectionManager
from infrastructure.connections.database.redis import RedisConnectionManager
from infrastructure.servers.base import LocalServer
from infrastructure.servers.postgres import PostgresServer
from tests.redis_address import address

Question = Callable[[], Coroutine[Any, Any, str]]


async def forked(ask: Question) -> str:
    """What a child process is answered, while its parent waits."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        answer = "nothing"
        try:
            answer = asyncio.run(ask())
        finally:
            os.write(writing, answer.encode())
            os._exit(0)
    os.close(writing)
    told = await asyncio.to_thread(os.read, reading, 100)
    os.close(reading)
    await asyncio.to_thread(os.waitpid, child, 0)
    return told.decode()


@pytest.fixture
async def postgres_manager(postgres: PostgresServer) -> AsyncIterator[Any]:
    asked = {"url": postgres.create_database(), "ssl": "disable"}
    settings: Any = PostgresConnectionManager.Settings.model_validate(asked)
    async with PostgresConnectionManager(settings) as manager:
        yield manager


@pytest.fixture
async def redis_manager(valkey: LocalServer) -> AsyncIterator[Any]:
    settings: Any = RedisConnectionManager.Settings.model_validate(address(valkey.url))
    async with RedisConnectionManager(settings) as manager:
        yield manager


async def test_a_child_asks_postgres_over_a_line_of_its_own(postgres_manager: Any):
    async def line() -> str:
        rows = await postgres_manager.execute_query("SELECT pg_backend_pid() AS pid")
        return str(rows[0]["pid"])

    own = await line()
    assert await forked(line) not in {own, "nothing"}
    assert await line() == own


async def test_a_child_asks_redis_over_a_line_of_its_own(redis_manager: Any):
    async def line() -> str:
        return str(await redis_manager.execute("CLIENT", "ID"))

    own = await line()
    assert await forked(line) not in {own, "nothing"}
    assert await line() == own


async def test_a_child_knows_that_nothing_of_its_own_is_open(redis_manager: Any):
    async def state() -> str:
        return str(redis_manager.state)

    assert await forked(state) == ConnectionState.NEW
    assert redis_manager.state is ConnectionState.READY


async def test_a_child_that_closes_what_it_never_opened_ends_nothing(redis_manager: Any):
    async def close() -> str:
        await redis_manager.disconnect()
        return "closed"

    assert await forked(close) == "closed"
    await redis_manager.ping()
