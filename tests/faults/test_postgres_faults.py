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
from infrastructure.connections.database.postgres.sync import SyncPostgresConnectionManager
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

DEADLINE_SECONDS = 0.25
PATIENCE_SECONDS = 10.0
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


def settings_through(proxy: FaultProxy, url: str, **changes: object) -> PostgresSettings:
    settings = {
        "url": f"{url.rpartition(':')[0]}:{proxy.port}/{url.rpartition('/')[2]}",
        "ssl": "disable",
        **changes,
    }
    return PostgresSettings.model_validate(settings)


def manager_through(
    proxy: FaultProxy, url: str, driver: str, **changes: object
) -> PostgresConnectionManager:
    settings = settings_through(proxy, url, driver=driver, **changes)
    return PostgresConnectionManager(settings, name="db.default")


@pytest.fixture
async def db(proxy: FaultProxy, url: str, driver: str):
    """A manager behind the proxy, with one idle connection and a table."""
    async with manager_through(proxy, url, driver) as manager:
        await manager.execute_query(CREATE)
        yield manager
        await proxy.passes()


def hurry(db: PostgresConnectionManager, seconds: float = DEADLINE_SECONDS) -> None:
    """Let its calls and checks take so long at most from now on."""
    changes = {"timeout_seconds": seconds, "connect_timeout_seconds": seconds}
    db.settings = db.settings.model_copy(update=changes)


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
    with pytest.raises(DeadlineExceededError):
        async with db.session() as session:
            await session.execute(text(INSERT), {"id": 1, "name": "one"})
            proxy.black_hole()
            hurry(db)
            started = time.monotonic()
            await session.execute(text("SELECT 1"))
    assert time.monotonic() - started < DEADLINE_SECONDS + 2 * SLACK_SECONDS
    await proxy.passes()
    hurry(db, PATIENCE_SECONDS)
    assert await count(db) == 0


async def test_what_is_no_call_of_the_session_ends_at_its_deadline_too(
    proxy: FaultProxy, url: str, driver: str
):
    async with manager_through(proxy, url, driver, timeout_seconds=0.4) as db:
        with pytest.raises(DeadlineExceededError):
            async with asyncio.timeout(10), db.session() as session:
                await session.execute(text("SELECT 1"))
                proxy.black_hole()
                started = time.monotonic()
                await session.run_sync(lambda sync: sync.execute(text("SELECT 1")))
        assert time.monotonic() - started < 0.4 + 2 * SLACK_SECONDS
        await proxy.passes()


async def test_a_notification_whose_answer_is_lost_may_have_been_told(
    db: PostgresConnectionManager, proxy: FaultProxy
):
    proxy.reset_after(0)
    with pytest.raises(OutcomeUnknownError):
        await db.notify("orders", "42")


@pytest.mark.parametrize("sync_driver", ["pg8000", "psycopg"])
async def test_in_a_thread_an_answer_that_comes_in_slowly_ends_at_the_deadline_too(
    proxy: FaultProxy, url: str, sync_driver: str
):
    settings = settings_through(proxy, url, sync_driver=sync_driver)
    db = SyncPostgresConnectionManager(settings, name="db.default")
    await asyncio.to_thread(db.connect)
    db.settings = db.settings.model_copy(update={"timeout_seconds": DEADLINE_SECONDS})
    proxy.delay(0.05)  # each piece of four megabytes
    started = time.monotonic()
    with pytest.raises(DeadlineExceededError):
        long = "SELECT repeat('x', 1000) FROM generate_series(1, 4000)"
        await asyncio.to_thread(db.execute_query, long)
    assert time.monotonic() - started < DEADLINE_SECONDS + SLACK_SECONDS
    await asyncio.to_thread(db.disconnect)


async def test_closing_through_a_silent_network_ends(
    proxy: FaultProxy, url: str, driver: str, monkeypatch: pytest.MonkeyPatch
):
    module = f"infrastructure.connections.database.postgres.{driver}_driver"
    monkeypatch.setattr(f"{module}._LEAVE_SECONDS", 0.2)
    manager = manager_through(proxy, url, driver)
    await manager.connect()
    await fill(manager, 4)
    proxy.black_hole()
    started = time.monotonic()
    await manager.disconnect()
    assert time.monotonic() - started < 0.2 + SLACK_SECONDS


async def test_the_callers_own_exception_outlives_a_lost_connection(
    db: PostgresConnectionManager, proxy: FaultProxy
):
    with pytest.raises(ZeroDivisionError):
        async with db.session() as session:
            await session.execute(text(INSERT), {"id": 1, "name": "one"})
            proxy.black_hole()
            hurry(db)
            raise ZeroDivisionError
    await proxy.passes()
    hurry(db, PATIENCE_SECONDS)
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
            hurry(db)
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
    hurry(db)
    health = await db.health_check()
    assert not health.is_up
    assert health.latency_seconds < DEADLINE_SECONDS + SLACK_SECONDS
    await proxy.passes()
    hurry(db, PATIENCE_SECONDS)
    assert (await db.health_check()).is_up


async def test_no_session_is_lost_from_the_pool_through_many_faults(
    proxy: FaultProxy, url: str, driver: str
):
    async with manager_through(proxy, url, driver, pool_size=3, max_overflow=0) as db:
        for fault in (proxy.black_hole, lambda: proxy.reset_after(0), lambda: proxy.half_reply(5)):
            await fill(db, 3)
            fault()
            hurry(db)
            calls = (db.execute_query("SELECT 1 AS one") for _ in range(6))
            for end in await asyncio.gather(*calls, return_exceptions=True):
                assert isinstance(end, InfrastructureError | list)
            await proxy.passes()
            hurry(db, PATIENCE_SECONDS)
            assert db.pool_stats().in_use == 0
