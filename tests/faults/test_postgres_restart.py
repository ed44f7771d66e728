"""A PostgreSQL that is restarted under its users; with a server of its own, for all feel it."""

import asyncio

import pytest
from sqlalchemy import text

from infrastructure.connections.database.postgres import (
    PostgresConnectionManager,
    PostgresSettings,
)
from infrastructure.errors import OutcomeUnknownError, UnavailableError
from infrastructure.servers.postgres import PostgresServer
from tests.contracts.sql_contract import CREATE, INSERT, count
from tests.postgres_schema import emptied

pytestmark = pytest.mark.xdist_group(__name__)
POOL = 5
REQUESTS = 200


@pytest.fixture(scope="module")
def server():
    if reason := PostgresServer.reason_missing():
        pytest.skip(f"server 'postgres' cannot be had: {reason}")
    with PostgresServer() as server:
        yield server


@pytest.fixture
async def db(server: PostgresServer, request: pytest.FixtureRequest):
    settings = PostgresSettings.model_validate(
        {
            "url": emptied(server.url),
            "driver": getattr(request, "param", "asyncpg"),
            "max_overflow": 0,
            "timeout_seconds": 25.0,  # a restart on a busy machine takes some of it
            "pool_timeout_seconds": 20.0,
        }
    )
    async with PostgresConnectionManager(settings) as manager:
        await manager.execute_query(CREATE)
        yield manager


async def fill(db: PostgresConnectionManager) -> None:
    """Open all connections, idle afterwards."""
    all_open = asyncio.Barrier(POOL)

    async def hold() -> None:
        async with db.session() as session:
            await session.execute(text("SELECT 1"))
            await all_open.wait()

    await asyncio.gather(*(hold() for _ in range(POOL)))


async def test_a_restart_fails_an_open_session_whole_and_idle_connections_outlive_it(
    db: PostgresConnectionManager, server: PostgresServer
):
    await fill(db)
    with pytest.raises(UnavailableError):
        async with db.session() as session:
            await session.execute(text(INSERT), {"id": 1, "name": "one"})
            await asyncio.to_thread(server.restart)
            await session.execute(text(INSERT), {"id": 2, "name": "two"})
    found = await asyncio.gather(*(db.execute_query("SELECT 1 AS one") for _ in range(10)))
    assert found == [[{"one": 1}]] * 10
    assert await count(db) == 0


@pytest.mark.parametrize("db", ["asyncpg", "psycopg"], indirect=True)
async def test_two_hundred_requests_in_flight_end_in_answers_and_typed_errors(
    db: PostgresConnectionManager, server: PostgresServer
):
    answered = asyncio.Event()

    async def insert(number: int) -> None:
        await db.execute_query(INSERT, {"id": number, "name": "x"})
        answered.set()
        if number < 2 * POOL:  # so that some surely run when the server goes
            await db.execute_query("SELECT pg_sleep(0.05)")

    requests = [asyncio.create_task(insert(number)) for number in range(REQUESTS)]
    await answered.wait()
    await asyncio.to_thread(server.restart)
    ends = await asyncio.gather(*requests, return_exceptions=True)
    failures = [end for end in ends if end is not None]

    assert failures
    assert all(isinstance(one, UnavailableError | OutcomeUnknownError) for one in failures)
    assert db.pool_stats().in_use == 0
    found = await asyncio.gather(*(db.execute_query("SELECT 1 AS one") for _ in range(REQUESTS)))
    assert found == [[{"one": 1}]] * REQUESTS
    assert REQUESTS - len(failures) <= await count(db) <= REQUESTS
    assert db.pool_stats().size <= POOL
