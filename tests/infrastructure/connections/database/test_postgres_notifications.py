"""LISTEN and NOTIFY; through both drivers, where it is the driver that does it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from functools import partial
from urllib.parse import urlsplit

import pytest

from infrastructure.connections.database.postgres import (
    Gap,
    Notification,
    PostgresConnectionManager,
    PostgresSettings,
)
from infrastructure.errors import RejectedError, UnsupportedError
from infrastructure.servers.postgres import PostgresServer
from tests.contracts.sql_contract import like, until
from tests.faults.proxy import FaultProxy

CUT = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
    " WHERE datname = current_database() AND query ILIKE 'LISTEN%'"
)


@pytest.fixture(scope="module")
def url(postgres: PostgresServer) -> str:
    return postgres.create_database()


both_drivers = pytest.mark.parametrize("driver", ["asyncpg", "psycopg"], indirect=True)


@pytest.fixture
def driver(request: pytest.FixtureRequest) -> str:
    return str(getattr(request, "param", "asyncpg"))


@pytest.fixture
async def db(url: str, driver: str) -> AsyncIterator[PostgresConnectionManager]:
    settings = PostgresSettings.model_validate({"url": url, "driver": driver})
    async with PostgresConnectionManager(settings, name="db.default") as manager:
        yield manager


@both_drivers
async def test_it_hears_from_its_first_gap_on(db: PostgresConnectionManager):
    await db.notify("orders", "before")
    async with aclosing(db.listen("orders")) as heard:
        assert await anext(heard) == Gap()
        await db.notify("orders", "first")
        await db.notify("other", "elsewhere")
        await db.notify("orders")
        assert await anext(heard) == Notification("orders", "first")
        assert await anext(heard) == Notification("orders", "")


@both_drivers
async def test_a_channel_with_any_name_is_heard(db: PostgresConnectionManager):
    channel = 'Orders; "x" -- UNLISTEN *'
    async with aclosing(db.listen(channel)) as heard:
        await anext(heard)
        await db.notify(channel, "one")
        assert await anext(heard) == Notification(channel, "one")


async def test_what_a_transaction_tells_is_heard_when_it_is_committed(
    db: PostgresConnectionManager,
):
    tell = "SELECT pg_notify('orders', :payload)"
    async with aclosing(db.listen("orders")) as heard:
        await anext(heard)
        with pytest.raises(ZeroDivisionError):
            async with db.session() as session:
                await session.execute_query(tell, {"payload": "undone"})
                raise ZeroDivisionError
        async with db.session() as session:
            await session.execute_query(tell, {"payload": "kept"})
        assert await anext(heard) == Notification("orders", "kept")


@both_drivers
async def test_a_lost_connection_is_a_gap_and_it_hears_again(db: PostgresConnectionManager):
    async with aclosing(db.listen("orders")) as heard:
        await anext(heard)
        await db.execute_query(CUT)
        assert await anext(heard) == Gap()
        await db.notify("orders", "after")
        assert await anext(heard) == Notification("orders", "after")


@both_drivers
async def test_a_silent_network_is_noticed_and_is_a_gap(
    url: str, driver: str, monkeypatch: pytest.MonkeyPatch
):
    module = f"infrastructure.connections.database.postgres.{driver}_driver"
    monkeypatch.setattr(f"{module}._LEAVE_SECONDS", 0.1)
    port = urlsplit(url).port
    assert port
    async with FaultProxy("127.0.0.1", port) as proxy:
        settings = {
            "url": url.replace(f":{port}/", f":{proxy.port}/"),
            "driver": driver,
            "ssl": "disable",
            "timeout_seconds": 0.1,
        }
        db = PostgresConnectionManager(PostgresSettings.model_validate(settings))
        async with db, aclosing(db.listen("orders")) as heard:
            await anext(heard)
            proxy.black_hole()
            again = asyncio.create_task(anext(heard))
            await until(partial(_is_down, db))
            await proxy.passes()
            assert await again == Gap()


@both_drivers
async def test_it_goes_on_through_a_rotation_and_ends_with_the_manager(
    db: PostgresConnectionManager,
):
    async with aclosing(db.listen("orders")) as heard:
        assert await anext(heard) == Gap()
        waiting = asyncio.ensure_future(anext(heard))
        await db.rotate(application_name="another")
        assert await waiting == Gap()
        waiting = asyncio.ensure_future(anext(heard))
        await asyncio.sleep(0)
        await db.disconnect()
        with pytest.raises(StopAsyncIteration):
            await waiting


@both_drivers
async def test_who_stops_listening_leaves_no_connection(db: PostgresConnectionManager):
    async with aclosing(db.listen("orders")) as heard:
        await anext(heard)
        waiting = asyncio.ensure_future(anext(heard))
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.wait((waiting,))
    await until(partial(_nobody_listens, db))


@both_drivers
async def test_many_notifications_come_whole_and_in_order(db: PostgresConnectionManager):
    async with aclosing(db.listen("orders")) as heard:
        await anext(heard)
        await db.execute_query(
            "SELECT count(pg_notify('orders', CAST(n AS text))) FROM generate_series(1, 2000) AS n"
        )
        found = [await anext(heard) for _ in range(2000)]
    assert found == [Notification("orders", str(number)) for number in range(1, 2001)]


async def test_more_than_can_wait_to_be_read_ends_in_a_gap(url: str):
    settings = PostgresSettings.model_validate({"url": url})  # psycopg lets the server wait
    async with PostgresConnectionManager(settings) as db, aclosing(db.listen("orders")) as heard:
        await anext(heard)
        await db.execute_query(
            "SELECT count(pg_notify('orders', CAST(n AS text))) FROM generate_series(1, 10200) AS n"
        )
        await until(partial(_nobody_listens, db))
        read = [await anext(heard) for _ in range(10_000)]
        assert read == [Notification("orders", str(number)) for number in range(1, 10_001)]
        assert await anext(heard) == Gap()
        await db.notify("orders", "after")
        assert await anext(heard) == Notification("orders", "after")


async def test_a_name_that_the_server_would_cut_is_refused(db: PostgresConnectionManager):
    for name in ("", "x" * 64):
        with pytest.raises(RejectedError, match="63 bytes"):
            db.listen(name)


async def test_behind_pgbouncer_nothing_is_heard_and_that_is_told(db: PostgresConnectionManager):
    with pytest.raises(UnsupportedError, match="PgBouncer"):
        like(db, pgbouncer=True).listen("orders")  # type: ignore[attr-defined]


async def _is_down(db: PostgresConnectionManager) -> bool:
    return not db.is_healthy()


async def _nobody_listens(db: PostgresConnectionManager) -> bool:
    own = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND query ILIKE :like"
    return not await db.execute_query(own, {"like": "LISTEN%"})
