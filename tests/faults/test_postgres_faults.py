"""What statements, sessions and the pool of PostgreSQL do when the network misbehaves.

What every connection does then is in `ConnectionFaults`, which both drivers run.
"""

import asyncio
import time

import pytest
from sqlalchemy import text

from infrastructure.connections.database.postgres import (
    PostgresConnectionManager,
    PostgresSettings,
)
from infrastructure.errors import (
    DeadlineExceededError,
    InfrastructureError,
    OutcomeUnknownError,
    UnavailableError,
)
from infrastructure.servers.postgres import PostgresServer
from tests.contracts.sql_contract import CREATE, INSERT, count
from tests.faults.proxy import FaultProxy
from tests.postgres_schema import emptied

DEADLINE_SECONDS = 0.5
#: What a busy machine may add to a deadline.
SLACK_SECONDS = 0.4


@pytest.fixture(params=["asyncpg", "psycopg"])
def driver(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def database(postgres: PostgresServer) -> str:
    return postgres.create_database()


@pytest.fixture
def url(database: str) -> str:
    return emptied(database)


@pytest.fixture
async def proxy(url: str):
    port = int(url.rpartition(":")[2].partition("/")[0])
    async with FaultProxy("127.0.0.1", port) as proxy:
        yield proxy


def manager_through(
    proxy: FaultProxy, url: str, driver: str, **changes: object
) -> PostgresConnectionManager:
    settings = {
        "driver": driver,
        "url": f"{url.rpartition(':')[0]}:{proxy.port}/{url.rpartition('/')[2]}",
        "timeout_seconds": DEADLINE_SECONDS,
        "connect_timeout_seconds": DEADLINE_SECONDS,
        "ssl": "disable",
        **changes,
    }
    return PostgresConnectionManager(PostgresSettings.model_validate(settings), name="db.default")


@pytest.fixture
async def db(proxy: FaultProxy, url: str, driver: str):
    """A manager behind the proxy, with one idle connection and a table."""
    async with manager_through(proxy, url, driver) as manager:
        await manager.execute_query(CREATE)
        yield manager
        await proxy.passes()


async def fill(db: PostgresConnectionManager, connections: int) -> None:
    """Open as many connections as that, all idle afterwards."""
    all_open = asyncio.Barrier(connections)

    async def hold() -> None:
        async with db.session() as session:
            await session.execute(text("SELECT 1"))
            await all_open.wait()

    await asyncio.gather(*(hold() for _ in range(connections)))
    assert db.pool_stats().size == connections


async def test_a_silent_network_ends_each_call_of_a_session_at_its_deadline(
    db: PostgresConnectionManager, proxy: FaultProxy
):
    started = time.monotonic()
    with pytest.raises(DeadlineExceededError):
        async with db.session() as session:
            await session.execute(text(INSERT), {"id": 1, "name": "one"})
            proxy.black_hole()
            await session.execute(text("SELECT 1"))
    assert time.monotonic() - started < DEADLINE_SECONDS + 2 * SLACK_SECONDS
    await proxy.passes()
    assert await count(db) == 0


async def test_closing_through_a_silent_network_ends(proxy: FaultProxy, url: str, driver: str):
    manager = manager_through(proxy, url, driver, connect_timeout_seconds=5)
    await manager.connect()
    await fill(manager, 4)
    proxy.black_hole()
    started = time.monotonic()
    await manager.disconnect()
    assert time.monotonic() - started < 1 + SLACK_SECONDS


async def test_the_callers_own_exception_outlives_a_lost_connection(
    db: PostgresConnectionManager, proxy: FaultProxy
):
    with pytest.raises(ZeroDivisionError):
        async with db.session() as session:
            await session.execute(text(INSERT), {"id": 1, "name": "one"})
            proxy.black_hole()
            raise ZeroDivisionError
    await proxy.passes()
    assert await count(db) == 0


@pytest.mark.parametrize("fault", ["reset_after", "half_reply"])
async def test_a_read_whose_reply_is_cut_is_unavailable(
    proxy: FaultProxy, url: str, driver: str, fault: str
):
    async with manager_through(proxy, url, driver, pre_ping=False) as db:
        await db.execute_query("SELECT 1 AS one")
        getattr(proxy, fault)(3)
        with pytest.raises(UnavailableError):
            await db.execute_query("SELECT 1 AS one")
        await proxy.passes()
        assert await db.execute_query("SELECT 1 AS one") == [{"one": 1}]


async def test_a_write_whose_reply_is_cut_has_an_unknown_outcome(
    proxy: FaultProxy, url: str, driver: str
):
    async with manager_through(proxy, url, driver, pre_ping=False) as db:
        await db.execute_query(CREATE)
        await db.execute_query(INSERT, {"id": 1, "name": "one"})
        proxy.reset_after(0)
        with pytest.raises(OutcomeUnknownError, match="statement"):
            await db.execute_query(INSERT, {"id": 2, "name": "two"})
        await proxy.passes()
        assert await count(db) == 2


async def test_a_commit_whose_reply_is_cut_has_an_unknown_outcome(
    db: PostgresConnectionManager, proxy: FaultProxy
):
    with pytest.raises(OutcomeUnknownError, match="commit"):
        async with db.session() as session:
            await session.execute(text(INSERT), {"id": 1, "name": "one"})
            proxy.reset_after(0)
    await proxy.passes()
    assert await count(db) == 1


async def test_a_commit_into_a_silent_network_has_an_unknown_outcome(
    db: PostgresConnectionManager, proxy: FaultProxy
):
    with pytest.raises(OutcomeUnknownError) as caught:
        async with db.session() as session:
            await session.execute(text(INSERT), {"id": 1, "name": "one"})
            proxy.black_hole()
    assert isinstance(caught.value.__cause__, DeadlineExceededError)


async def test_a_statement_lost_inside_a_session_changed_nothing(
    db: PostgresConnectionManager, proxy: FaultProxy
):
    with pytest.raises(UnavailableError):
        async with db.session() as session:
            await session.execute(text(INSERT), {"id": 1, "name": "one"})
            proxy.reset_after(0)
            await session.execute(text(INSERT), {"id": 2, "name": "two"})
    await proxy.passes()
    assert await count(db) == 0


async def test_idle_connections_that_were_reset_are_replaced_unnoticed(
    db: PostgresConnectionManager, proxy: FaultProxy
):
    await fill(db, 5)
    await proxy.drop_connections()
    found = await asyncio.gather(*(db.execute_query("SELECT 1 AS one") for _ in range(10)))
    assert found == [[{"one": 1}]] * 10


async def test_the_health_check_follows_the_network(
    db: PostgresConnectionManager, proxy: FaultProxy
):
    proxy.black_hole()
    health = await db.health_check()
    assert not health.is_up
    assert health.latency_seconds < DEADLINE_SECONDS + SLACK_SECONDS
    await proxy.passes()
    assert (await db.health_check()).is_up


async def test_no_session_is_lost_from_the_pool_through_many_faults(
    proxy: FaultProxy, url: str, driver: str
):
    async with manager_through(proxy, url, driver, pool_size=3, max_overflow=0) as db:
        for fault in (proxy.black_hole, lambda: proxy.reset_after(0), lambda: proxy.half_reply(5)):
            await fill(db, 3)
            fault()
            calls = (db.execute_query("SELECT 1 AS one") for _ in range(6))
            for end in await asyncio.gather(*calls, return_exceptions=True):
                assert isinstance(end, InfrastructureError | list)
            await proxy.passes()
            assert db.pool_stats().in_use == 0
