"""Advisory locks: one holder a key, whatever happens to it."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from infrastructure.connections.database.postgres import (
    PostgresConnectionManager,
    PostgresSettings,
)
from infrastructure.errors import OverloadedError, RejectedError, UnavailableError
from infrastructure.servers.postgres import PostgresServer
from tests.contracts.sql_contract import like, until


@pytest.fixture(scope="module")
def url(postgres: PostgresServer) -> str:
    return postgres.create_database()


@pytest.fixture
async def db(url: str) -> AsyncIterator[PostgresConnectionManager]:
    settings = PostgresSettings.model_validate({"url": url})
    async with PostgresConnectionManager(settings, name="db.default") as manager:
        yield manager


async def is_free(db: PostgresConnectionManager, key: str | int) -> bool:
    try:
        async with db.advisory_lock(key):
            return True
    except OverloadedError:
        return False


async def is_waited_for(db: PostgresConnectionManager) -> bool:
    found = await db.execute_query(
        "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
        " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    )
    return bool(found)


@pytest.mark.parametrize("key", ["reports", 7, -(2**63)])
async def test_a_lock_has_one_holder_and_is_free_afterwards(
    db: PostgresConnectionManager, key: str | int
):
    async with db.advisory_lock(key):
        assert not await is_free(db, key)
        assert await is_free(db, "another")
    assert await is_free(db, key)
    assert db.pool_stats().in_use == 0


async def test_a_lock_held_by_another_is_told_by_its_name(db: PostgresConnectionManager):
    async with db.advisory_lock("reports"):
        with pytest.raises(OverloadedError, match="lock 'reports'"):
            async with db.advisory_lock("reports", wait_seconds=0.01):
                pass


async def test_a_lock_is_free_after_an_exception_in_its_body(db: PostgresConnectionManager):
    with pytest.raises(ZeroDivisionError):
        async with db.advisory_lock("reports"):
            raise ZeroDivisionError
    assert await is_free(db, "reports")


async def test_who_waits_has_the_lock_when_it_is_given_back(db: PostgresConnectionManager):
    order = []

    async def work(number: int) -> None:
        async with db.advisory_lock("reports", wait_seconds=10):
            order.append(number)
            await asyncio.sleep(0)
            order.append(number)

    await asyncio.gather(*(work(number) for number in range(8)))
    assert order[::2] == order[1::2]
    assert sorted(order[::2]) == list(range(8))


async def test_one_may_wait_longer_for_a_lock_than_for_an_answer(db: PostgresConnectionManager):
    async with like(db, timeout_seconds=0.3) as hasty:
        assert isinstance(hasty, PostgresConnectionManager)
        async with db.advisory_lock("reports"):
            waiting = asyncio.create_task(is_free_within(hasty, 10))
            await asyncio.wait((waiting,), timeout=0.4)
            assert not waiting.done()
        assert await waiting


async def is_free_within(db: PostgresConnectionManager, seconds: float) -> bool:
    async with db.advisory_lock("reports", wait_seconds=seconds):
        return True


async def test_who_is_cancelled_while_waiting_leaves_nothing_behind(
    db: PostgresConnectionManager,
):
    async with db.advisory_lock("reports"):
        waiting = asyncio.create_task(is_free_within(db, 10))
        await until(lambda: is_waited_for(db))
        waiting.cancel()
        await asyncio.wait((waiting,))
        assert waiting.cancelled()
    assert await is_free_within(db, 10)
    assert db.pool_stats().in_use == 0


async def test_a_holder_that_is_cancelled_gives_the_lock_back(db: PostgresConnectionManager):
    is_held = asyncio.Event()

    async def hold() -> None:
        async with db.advisory_lock("reports"):
            is_held.set()
            await asyncio.Event().wait()

    holder = asyncio.create_task(hold())
    await is_held.wait()
    holder.cancel()
    await asyncio.wait((holder,))
    assert await is_free(db, "reports")


async def test_a_lock_lost_with_its_connection_is_told_at_the_end_of_the_body(
    db: PostgresConnectionManager,
):
    with pytest.raises(UnavailableError, match="lost while it was held"):
        async with db.advisory_lock("reports"):
            await db.execute_query(
                "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'"
                " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
            )
            assert await is_free_within(db, 10)


async def test_locks_behind_pgbouncer_are_held_by_a_transaction(db: PostgresConnectionManager):
    async with like(db, pgbouncer=True) as bounced:
        assert isinstance(bounced, PostgresConnectionManager)
        async with bounced.advisory_lock("reports"):
            assert not await is_free(db, "reports")
            (row,) = await db.execute_query(
                "SELECT count(*) AS n FROM pg_stat_activity WHERE state = 'idle in transaction'"
                " AND datname = current_database()"
            )
            assert row["n"] == 1


async def test_a_number_beyond_64_bits_is_no_key(db: PostgresConnectionManager):
    with pytest.raises(RejectedError, match="64 bits"):
        async with db.advisory_lock(2**63):
            pass
