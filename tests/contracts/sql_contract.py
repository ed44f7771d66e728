"""What every SQL connection manager promises, over what each connection manager does."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, ClassVar

import pytest
import pytest_asyncio
from sqlalchemy import Enum, bindparam, text

from infrastructure.connections.database.sql.base import SqlConnectionManager
from infrastructure.errors import (
    ConflictError,
    DeadlineExceededError,
    InfrastructureError,
    OutcomeUnknownError,
    OverloadedError,
    RejectedError,
    UnavailableError,
)
from tests.contracts.connection_contract import ConnectionContract

CREATE = "CREATE TABLE IF NOT EXISTS item (id integer PRIMARY KEY, name text)"
INSERT = "INSERT INTO item (id, name) VALUES (:id, :name)"
COUNT = "SELECT count(*) AS items FROM item"


async def count(manager: SqlConnectionManager) -> int:
    (row,) = await manager.execute_query(COUNT)
    return int(row["items"])


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    """Wait, but not for long, until the condition holds."""
    async with asyncio.timeout(10):
        while not await condition():  # noqa: ASYNC110 - neither pool nor server announces it
            await asyncio.sleep(0.002)


async def in_use(manager: SqlConnectionManager) -> bool:
    return manager.pool_stats().in_use > 0


def like(manager: SqlConnectionManager, **changes: object) -> SqlConnectionManager:
    """Another manager with some settings changed."""
    settings = manager.settings.model_copy(update=changes)
    return type(manager)(settings, name="db.other")


def bound(manager: SqlConnectionManager, seconds: float = 10.0) -> None:
    """Let its calls from now on take so long at most; opening it was not to be hurried."""
    manager.settings = manager.settings.model_copy(update={"timeout_seconds": seconds})


# one event loop for each class, so that its tests can share a connected manager; what is no
# coroutine is marked with it, too
@pytest.mark.asyncio(loop_scope="class")
@pytest.mark.filterwarnings("ignore:The test .* is marked with:pytest.PytestWarning")
class SqlContract(ConnectionContract):
    """Inherit, and supply `manager` on an empty database, with a pool of at most five.

    Its `drain_timeout_seconds` is short: some tests close it under those who do not go.

    Attributes:
        hasty_seconds: A deadline that passes soon.
        slow: A statement that reads for half a minute.
        slow_write: A statement that writes to `item` after half a minute.
    """

    hasty_seconds: ClassVar[float] = 0.15
    slow: ClassVar[str]
    slow_write: ClassVar[str]

    @pytest_asyncio.fixture(loop_scope="class")
    async def db(self, manager: Any):
        """The manager, open, with an empty table `item`."""
        assert isinstance(manager, SqlConnectionManager)
        async with manager:
            await manager.execute_query(CREATE)
            yield manager

    # single statements

    async def test_rows_are_mappings_of_column_to_value(self, db: SqlConnectionManager):
        await db.execute_query(INSERT, {"id": 1, "name": "one"})
        assert await db.execute_query("SELECT * FROM item") == [{"id": 1, "name": "one"}]

    async def test_a_statement_without_rows_gives_an_empty_list(self, db: SqlConnectionManager):
        assert await db.execute_query(INSERT, {"id": 1, "name": None}) == []

    async def test_values_are_never_read_as_sql(self, db: SqlConnectionManager):
        hostile = "'); DROP TABLE item; --"
        await db.execute_query(INSERT, {"id": 1, "name": hostile})
        found = await db.execute_query("SELECT id FROM item WHERE name = :name", {"name": hostile})
        assert found == [{"id": 1}]

    async def test_a_missing_parameter_is_rejected(self, db: SqlConnectionManager):
        with pytest.raises(RejectedError, match="'name'"):
            await db.execute_query(INSERT, {"id": 1})

    async def test_two_statements_in_one_are_rejected(self, db: SqlConnectionManager):
        with pytest.raises(RejectedError):
            await db.execute_query("SELECT 1; DROP TABLE item")
        assert await count(db) == 0

    async def test_a_statement_with_an_error_is_rejected_with_its_place(
        self, db: SqlConnectionManager
    ):
        with pytest.raises(RejectedError) as caught:
            await db.execute_query("SELEC 1")
        assert caught.value.where == db.name

    async def test_a_unique_key_in_use_is_a_conflict(self, db: SqlConnectionManager):
        await db.execute_query(INSERT, {"id": 1, "name": "one"})
        with pytest.raises(ConflictError):
            await db.execute_query(INSERT, {"id": 1, "name": "other"})

    async def test_the_values_of_a_failed_statement_are_not_told(self, db: SqlConnectionManager):
        await db.execute_query(INSERT, {"id": 1, "name": "one"})
        with pytest.raises(ConflictError) as caught:
            await db.execute_query(INSERT, {"id": 1, "name": "hunter2"})
        assert "hunter2" not in str(caught.value)
        one_of = text("SELECT :name").bindparams(
            bindparam(
                "name", type_=Enum("one", name="kind", native_enum=False, validate_strings=True)
            )
        )
        with pytest.raises(RejectedError) as misfit:
            async with db.session() as session:
                await session.execute(one_of, {"name": "hunter2"})
        assert "hunter2" not in str(misfit.value)

    # sessions

    async def test_a_session_commits_at_its_end(self, db: SqlConnectionManager):
        async with db.session() as session:
            await session.execute(text(INSERT), {"id": 1, "name": "one"})
        assert await count(db) == 1

    async def test_a_session_rolls_back_and_passes_the_exception_on(self, db: SqlConnectionManager):
        with pytest.raises(ZeroDivisionError):
            async with db.session() as session:
                await session.execute(text(INSERT), {"id": 1, "name": "one"})
                raise ZeroDivisionError
        assert await count(db) == 0

    async def test_a_cancelled_session_rolls_back(self, db: SqlConnectionManager):
        wrote = asyncio.Event()

        async def write() -> None:
            async with db.session() as session:
                await session.execute(text(INSERT), {"id": 1, "name": "one"})
                wrote.set()
                await asyncio.Event().wait()

        task = asyncio.create_task(write())
        await wrote.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await count(db) == 0
        assert db.pool_stats().in_use == 0

    async def test_tables_made_in_a_session_go_with_it(self, db: SqlConnectionManager):
        with pytest.raises(ZeroDivisionError):
            async with db.session() as session:
                await session.execute(text("CREATE TABLE other (id integer)"))
                raise ZeroDivisionError
        with pytest.raises(RejectedError):
            await db.execute_query("SELECT * FROM other")

    async def test_a_session_without_statements_takes_no_connection(self, db: SqlConnectionManager):
        async with db.session():
            assert db.pool_stats().in_use == 0

    async def test_a_session_gives_its_connection_back(self, db: SqlConnectionManager):
        async with db.session() as session:
            await session.execute(text("SELECT 1"))
            assert db.pool_stats().in_use == 1
        assert db.pool_stats().in_use == 0

    async def test_errors_inside_a_session_are_ours(self, db: SqlConnectionManager):
        await db.execute_query(INSERT, {"id": 1, "name": "one"})
        async with db.session() as session:
            with pytest.raises(ConflictError):
                await session.execute(text(INSERT), {"id": 1, "name": "other"})
            await session.rollback()
            await session.execute(text(INSERT), {"id": 2, "name": "two"})
        assert await count(db) == 2

    async def test_a_savepoint_is_rolled_back_alone(self, db: SqlConnectionManager):
        async with db.session() as session:
            await session.execute(text(INSERT), {"id": 1, "name": "one"})
            with pytest.raises(ConflictError):
                async with session.begin_nested():
                    await session.execute(text(INSERT), {"id": 1, "name": "other"})
        assert await count(db) == 1

    async def test_errors_of_synchronous_code_in_a_session_are_ours(self, db: SqlConnectionManager):
        with pytest.raises(RejectedError):
            async with db.session() as session:
                await session.run_sync(lambda sync: sync.execute(text("SELEC 1")))

    async def test_fifty_sessions_share_five_connections(self, db: SqlConnectionManager):
        await db.execute_query(INSERT, {"id": 1, "name": "0"})

        async def increment() -> None:
            async with db.session() as session:
                lock = text("UPDATE item SET name = name WHERE id = 1")
                await session.execute(lock)
                name = await session.scalar(text("SELECT name FROM item WHERE id = 1"))
                values = {"name": str(int(name) + 1)}
                await session.execute(text("UPDATE item SET name = :name WHERE id = 1"), values)

        await asyncio.gather(*(increment() for _ in range(50)))
        assert await db.execute_query("SELECT name FROM item") == [{"name": "50"}]
        stats = db.pool_stats()
        assert stats.in_use == 0
        assert stats.size <= stats.limit <= 5

    # bounds

    async def test_a_full_pool_is_an_overload_and_recovers(self, manager: SqlConnectionManager):
        changes = {"pool_size": 1, "max_overflow": 0, "pool_timeout_seconds": 0.05}
        async with like(manager, **changes) as small:
            async with small.session() as session:
                await session.execute(text("SELECT 1"))
                with pytest.raises(OverloadedError, match="all 1 connections"):
                    await small.execute_query("SELECT 1")
                assert str(small.state) == "degraded"
            assert await small.execute_query("SELECT 1 AS one") == [{"one": 1}]
            assert str(small.state) == "ready"

    async def test_a_full_pool_is_an_overload_inside_a_session_too(
        self, manager: SqlConnectionManager
    ):
        changes = {"pool_size": 1, "max_overflow": 0, "pool_timeout_seconds": 0.05}
        async with like(manager, **changes) as small, small.session() as first:
            await first.execute(text("SELECT 1"))
            with pytest.raises(OverloadedError):
                async with small.session() as second:
                    await second.execute(text("SELECT 1"))

    async def test_a_slow_statement_ends_at_the_deadline(self, manager: SqlConnectionManager):
        async with like(manager) as quick:
            bound(quick, self.hasty_seconds)
            with pytest.raises(DeadlineExceededError) as caught:
                await quick.execute_query(self.slow)
            assert caught.value.where == "db.other"
            assert quick.pool_stats().in_use == 0
            bound(quick)
            assert await quick.execute_query("SELECT 1 AS one") == [{"one": 1}]

    async def test_a_transaction_whose_connection_was_lost_inside_it_cannot_go_on(
        self, manager: SqlConnectionManager
    ):
        async with like(manager) as quick:
            bound(quick, self.hasty_seconds)
            with pytest.raises(UnavailableError, match="was lost with its connection"):
                async with quick.transaction() as outer:
                    with pytest.raises(DeadlineExceededError):
                        async with quick.transaction() as inner:
                            await inner.execute(text(self.slow))
                    await outer.execute(text("SELECT 1"))
            assert quick.pool_stats().in_use == 0
            bound(quick)
            assert await quick.execute_query("SELECT 1 AS one") == [{"one": 1}]

    @pytest.mark.parametrize("values", [{"id": 1, "name": "\ud800"}, {"id": 2**64, "name": ""}])
    async def test_a_value_that_no_driver_can_send_is_rejected(
        self, db: SqlConnectionManager, values: dict[str, Any]
    ):
        with pytest.raises(RejectedError):
            await db.execute_query(INSERT, values)
        with pytest.raises(RejectedError):
            async with db.session() as session:
                await session.execute(text(INSERT), values)
        assert await count(db) == 0

    async def test_a_write_that_is_not_answered_has_an_unknown_outcome(
        self, manager: SqlConnectionManager
    ):
        async with like(manager) as quick:
            await quick.execute_query(CREATE)
            bound(quick, self.hasty_seconds)
            with pytest.raises(OutcomeUnknownError) as caught:
                await quick.execute_query(self.slow_write)
            assert isinstance(caught.value.__cause__, DeadlineExceededError)

    async def test_a_cancelled_statement_leaves_the_pool_as_it_was(self, db: SqlConnectionManager):
        task = asyncio.create_task(db.execute_query(self.slow))
        await until(partial(in_use, db))
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert db.pool_stats().in_use == 0
        assert await count(db) == 0

    async def test_closing_does_not_wait_for_open_sessions(self, db: SqlConnectionManager):
        with pytest.raises(InfrastructureError):
            async with db.session() as session:
                await session.execute(text(INSERT), {"id": 1, "name": "one"})
                await db.disconnect()
                await session.execute(text("SELECT 1"))

    async def test_closing_ends_running_statements(self, db: SqlConnectionManager):
        task = asyncio.create_task(db.execute_query(self.slow))
        await until(partial(in_use, db))
        await db.disconnect()
        with pytest.raises(UnavailableError) as caught:
            await task
        assert not isinstance(caught.value, DeadlineExceededError)
