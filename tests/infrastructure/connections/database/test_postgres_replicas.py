"""Reads from a real standby that is fed by the primary, and only while it is not too old."""

import asyncio
import gc
import time
from collections.abc import AsyncIterator, Iterator

import pytest
from sqlalchemy import text

from infrastructure.connections.database.postgres import (
    PostgresConnectionManager,
    PostgresSettings,
)
from infrastructure.errors import DeadlineExceededError, RejectedError, UnavailableError
from infrastructure.servers.postgres import PostgresServer
from infrastructure.servers.postgres_replica import PostgresReplica
from tests.contracts.sql_contract import CREATE, INSERT, count, until
from tests.faults.proxy import FaultProxy
from tests.postgres_schema import emptied

pytestmark = pytest.mark.xdist_group(__name__)  # two servers of their own
IS_REPLICA = "SELECT pg_is_in_recovery() AS is_replica"
ITEMS = "SELECT count(*) AS items FROM item"


@pytest.fixture(scope="module")
def primary() -> Iterator[PostgresServer]:
    """One of our own: it is copied, and its position is followed."""
    if reason := PostgresServer.reason_missing():
        pytest.skip(f"server 'postgres' cannot be had: {reason}")
    with PostgresServer() as server:
        yield server


@pytest.fixture(scope="module")
def replica(primary: PostgresServer) -> Iterator[PostgresReplica]:
    with PostgresReplica(primary) as server:
        yield server


@pytest.fixture
async def proxy(replica: PostgresReplica) -> AsyncIterator[FaultProxy]:
    async with FaultProxy("127.0.0.1", port_of(replica.url)) as proxy:
        yield proxy


@pytest.fixture
async def standby(replica: PostgresReplica) -> AsyncIterator[PostgresConnectionManager]:
    """The standby itself, where replaying can be stopped."""
    settings = PostgresSettings.model_validate({"url": replica.url})
    async with PostgresConnectionManager(settings) as manager:
        yield manager
        await manager.execute_query("SELECT pg_wal_replay_resume()")


@pytest.fixture
async def db(
    primary: PostgresServer, standby: PostgresConnectionManager, proxy: FaultProxy
) -> AsyncIterator[PostgresConnectionManager]:
    async with manager_of(emptied(primary.url), proxy.port) as manager:
        await manager.execute_query(CREATE)
        (here,) = await manager.execute_query("SELECT CAST(pg_current_wal_lsn() AS text) AS lsn")

        async def is_replayed() -> bool:
            (there,) = await standby.execute_query(
                "SELECT pg_last_wal_replay_lsn() >= CAST(CAST(:lsn AS text) AS pg_lsn) AS yes", here
            )
            return bool(there["yes"])

        await until(is_replayed)
        yield manager


def manager_of(url: str, port: int, **changes: object) -> PostgresConnectionManager:
    usual = {"url": url, "ssl": "disable", "replicas": [{"host": "127.0.0.1", "port": port}]}
    settings = PostgresSettings.model_validate({**usual, **changes})
    return PostgresConnectionManager(settings, name="db.default")


def port_of(url: str) -> int:
    return int(url.rpartition(":")[2].partition("/")[0])


async def reads_replica(db: PostgresConnectionManager) -> bool:
    (row,) = await db.execute_query(IS_REPLICA, read_only=True)
    return bool(row["is_replica"])


async def test_what_is_read_only_is_read_from_the_replica_and_all_else_from_the_primary(
    db: PostgresConnectionManager,
):
    assert await reads_replica(db)
    assert await db.execute_query(IS_REPLICA) == [{"is_replica": False}]
    async with db.session(read_only=True) as session:
        assert await session.scalar(text("SELECT pg_is_in_recovery()"))
    async with db.session() as session:
        assert not await session.scalar(text("SELECT pg_is_in_recovery()"))


async def test_a_replica_refuses_to_write(db: PostgresConnectionManager):
    with pytest.raises(RejectedError, match="25006"):
        await db.execute_query(INSERT, {"id": 1, "name": "one"}, read_only=True)
    assert await count(db) == 0


async def test_a_serializable_reader_goes_to_the_primary_since_no_replica_can_serve_it(
    db: PostgresConnectionManager,
):
    async with db.session(isolation="serializable", read_only=True) as session:
        assert not await session.scalar(text("SELECT pg_is_in_recovery()"))


async def test_nothing_is_read_that_is_older_than_the_lag_allowed(
    db: PostgresConnectionManager, standby: PostgresConnectionManager
):
    await db.rotate(max_lag_seconds=0.1)
    await until(lambda: reads_replica(db))
    await standby.execute_query("SELECT pg_wal_replay_pause()")
    await db.execute_query(INSERT, {"id": 1, "name": "one"})
    written_at = time.monotonic()

    async def is_found() -> bool:
        began_at = time.monotonic()
        (row,) = await db.execute_query(ITEMS, read_only=True)
        assert row["items"] == 1 or began_at - written_at < 0.1
        return bool(row["items"])

    await until(is_found)
    assert not await reads_replica(db)
    await standby.execute_query("SELECT pg_wal_replay_resume()")
    await until(lambda: reads_replica(db))
    assert await db.execute_query(ITEMS, read_only=True) == [{"items": 1}]


async def test_a_replica_that_is_gone_is_left_alone_and_the_primary_answers(
    db: PostgresConnectionManager, proxy: FaultProxy
):
    await proxy.refuse()
    assert not await reads_replica(db)
    asked = proxy.accepted
    async with db.session(read_only=True) as session:
        assert not await session.scalar(text("SELECT pg_is_in_recovery()"))
    assert proxy.accepted == asked
    assert db.is_healthy()


async def test_a_session_begun_on_a_replica_that_is_gone_is_the_primarys(
    db: PostgresConnectionManager, proxy: FaultProxy
):
    await proxy.refuse()
    async with db.session(read_only=True) as session:
        assert not await session.scalar(text("SELECT pg_is_in_recovery()"))


async def test_a_silent_replica_costs_one_reader_the_deadline_and_the_next_ones_nothing(
    primary: PostgresServer, db: PostgresConnectionManager, proxy: FaultProxy
):
    await until(lambda: reads_replica(db))
    async with manager_of(primary.url, proxy.port, timeout_seconds=0.3) as hasty:
        await until(lambda: reads_replica(hasty))
        proxy.black_hole()
        with pytest.raises(DeadlineExceededError):
            await hasty.execute_query(f"WITH it AS ({IS_REPLICA}) TABLE it", read_only=True)
        assert not await reads_replica(hasty)
        await proxy.passes()


async def test_closing_under_a_reader_leaves_no_connection_anywhere(
    primary: PostgresServer, standby: PostgresConnectionManager, replica: PostgresReplica
):
    ours = {"application_name": "reader", "drain_timeout_seconds": 0.3}
    left = "SELECT 1 FROM pg_stat_activity WHERE application_name = 'reader'"
    db = manager_of(primary.url, port_of(replica.url), connect_timeout_seconds=0.3, **ours)
    await until(lambda: reads_replica(db))
    reading = asyncio.create_task(db.execute_query("SELECT pg_sleep(30)", read_only=True))
    await until(lambda: is_there(standby, f"{left} AND query LIKE 'SELECT pg_sleep%'"))
    await db.disconnect()
    with pytest.raises(UnavailableError, match="closed while in use"):
        await reading
    async with manager_of(primary.url, 0, replicas=[]) as other:
        await until(lambda: is_gone(other, left))
        await until(lambda: is_gone(standby, left))
    assert db.loop is None


@pytest.mark.filterwarnings("ignore::ResourceWarning")  # so asyncio tells of what is left
@pytest.mark.parametrize("driver", ["asyncpg", "psycopg"])
def test_an_event_loop_that_is_gone_leaves_no_connection_of_a_replica(
    primary: PostgresServer, replica: PostgresReplica, driver: str
):
    ours = {"driver": driver, "application_name": f"again-{driver}"}
    db = manager_of(primary.url, port_of(replica.url), **ours)
    own = PostgresSettings.model_validate({"url": replica.url})
    asked = f"SELECT pid FROM pg_stat_activity WHERE application_name = 'again-{driver}'"

    async def backends() -> list[int]:
        await until(lambda: reads_replica(db))
        async with PostgresConnectionManager(own) as standby:
            return [row["pid"] for row in await standby.execute_query(asked)]

    async def is_replaced() -> bool:
        return not set(first) & set(await backends())

    async def end() -> None:
        await until(is_replaced)
        await db.disconnect()

    first = asyncio.run(backends())
    gc.disable()  # which lets go of it at some time
    try:
        asyncio.run(end())
    finally:
        gc.enable()
        gc.collect()


async def is_there(server: PostgresConnectionManager, sql: str) -> bool:
    return bool(await server.execute_query(sql))


async def is_gone(server: PostgresConnectionManager, sql: str) -> bool:
    return not await is_there(server, sql)


async def test_a_server_that_follows_nobody_is_not_read_from(primary: PostgresServer):
    changes = {"replicas": [{"url": primary.url}]}
    async with manager_of(emptied(primary.url), 0, **changes) as db:
        await db.execute_query(CREATE)
        assert await db.execute_query(ITEMS, read_only=True) == [{"items": 0}]


async def test_a_hundred_readers_at_once_are_all_answered_by_the_replica(
    db: PostgresConnectionManager,
):
    reads = (db.execute_query(IS_REPLICA, read_only=True) for _ in range(100))
    assert await asyncio.gather(*reads) == [[{"is_replica": True}]] * 100
