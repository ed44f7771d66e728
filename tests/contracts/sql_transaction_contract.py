"""What every SQL connection manager promises of transactions, nested and repeated."""

import asyncio
from typing import Any

import pytest
import pytest_asyncio
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from infrastructure.connections.database.conflicts import VersionConflictError
from infrastructure.connections.database.sql.base import SqlConnectionManager
from infrastructure.errors import ConflictError, RejectedError, UnsupportedError
from tests.contracts.sql_contract import INSERT, count, like

WRITERS = 32


class Base(DeclarativeBase):
    pass


class Stock(Base):
    """A row whose version is in the WHERE of each UPDATE of it."""

    __tablename__ = "stock"

    id: Mapped[int] = mapped_column(primary_key=True)
    amount: Mapped[int]
    version: Mapped[int] = mapped_column()

    __mapper_args__ = {"version_id_col": version}  # noqa: RUF012 - SQLAlchemy's own shape


class SqlTransactionContract:
    """Inherit beside `SqlContract`, which has the fixture `db`."""

    @pytest_asyncio.fixture(loop_scope="class")
    async def stock(self, db: SqlConnectionManager):
        """The manager, with one row of `stock`: 0 pieces."""
        table = "CREATE TABLE stock (id integer PRIMARY KEY, amount integer, version integer)"
        await db.execute_query(table)
        async with db.session() as session:
            session.add(Stock(id=1, amount=0))
        return db

    async def test_a_transaction_is_kept_as_a_whole(self, db: SqlConnectionManager):
        async with db.transaction() as transaction:
            await transaction.execute_query(INSERT, {"id": 1, "name": "one"})
            assert await transaction.execute_query("SELECT name FROM item") == [{"name": "one"}]
        assert await count(db) == 1

    async def test_a_transaction_is_undone_as_a_whole(self, db: SqlConnectionManager):
        with pytest.raises(ZeroDivisionError):
            async with db.transaction() as transaction:
                await transaction.execute_query(INSERT, {"id": 1, "name": "one"})
                raise ZeroDivisionError
        assert await count(db) == 0

    async def test_a_transaction_inside_another_is_undone_alone(self, db: SqlConnectionManager):
        async with db.transaction() as outer:
            await outer.execute_query(INSERT, {"id": 1, "name": "one"})
            with pytest.raises(ConflictError):
                async with db.transaction() as inner:
                    assert inner is outer
                    await inner.execute_query(INSERT, {"id": 2, "name": "two"})
                    await inner.execute_query(INSERT, {"id": 1, "name": "other"})
            async with db.transaction() as inner:
                await inner.execute_query(INSERT, {"id": 3, "name": "three"})
        assert await db.execute_query("SELECT id FROM item ORDER BY id") == [{"id": 1}, {"id": 3}]

    async def test_a_transaction_inside_one_that_fails_is_undone_with_it(
        self, db: SqlConnectionManager
    ):
        with pytest.raises(ZeroDivisionError):
            async with db.transaction():
                async with db.transaction() as inner:
                    await inner.execute_query(INSERT, {"id": 1, "name": "one"})
                raise ZeroDivisionError
        assert await count(db) == 0

    @pytest.mark.parametrize("end", ["commit", "rollback"])
    async def test_a_transaction_inside_another_cannot_end_that_one(
        self, db: SqlConnectionManager, end: str
    ):
        with pytest.raises(UnsupportedError, match=rf"{end}\(\) in a transaction inside another"):
            async with db.transaction() as outer:
                await outer.execute_query(INSERT, {"id": 1, "name": "one"})
                async with db.transaction() as inner:
                    await getattr(inner, end)()
        assert await count(db) == 0

    async def test_another_task_does_not_join_the_transaction_it_was_started_in(
        self, db: SqlConnectionManager
    ):
        async def sessions() -> bool:
            async with db.transaction() as own:
                return own is outer

        async with db.transaction() as outer:
            assert not await asyncio.create_task(sessions())

    async def test_one_that_is_over_is_joined_by_none_in_whatever_order_they_end(
        self, db: SqlConnectionManager
    ):
        async with like(db) as other:
            first, second = db.transaction(), other.transaction()
            await first.__aenter__()
            session = await second.__aenter__()
            await first.__aexit__(None, None, None)
            async with other.transaction() as inside:
                assert inside is session
            await second.__aexit__(None, None, None)
            async with db.transaction() as third:
                await third.execute_query(INSERT, {"id": 1, "name": "one"})
        assert await count(db) == 1

    async def test_a_transaction_inside_another_has_its_isolation(self, db: SqlConnectionManager):
        with pytest.raises(UnsupportedError, match="isolation of that one"):
            async with db.transaction(), db.transaction(isolation="serializable"):
                pass

    async def test_what_is_read_only_refuses_to_write_and_leaves_others_alone(
        self, db: SqlConnectionManager
    ):
        with pytest.raises(RejectedError):
            async with db.session(read_only=True) as session:
                await session.execute(text(INSERT), {"id": 1, "name": "one"})
        with pytest.raises(RejectedError):
            await db.execute_query(INSERT, {"id": 1, "name": "one"}, read_only=True)
        for number in range(6):
            await db.execute_query(INSERT, {"id": number, "name": ""})
        assert await db.execute_query("SELECT count(*) AS n FROM item", read_only=True) == [
            {"n": 6}
        ]

    async def test_a_row_that_somebody_else_has_changed_is_not_overwritten(
        self, stock: SqlConnectionManager
    ):
        async with stock.session() as session:
            ours = await session.get_one(Stock, 1)
        await stock.execute_query("UPDATE stock SET amount = 5, version = version + 1")
        ours.amount = 1
        with pytest.raises(VersionConflictError):
            async with stock.session() as session:
                await session.merge(ours)
        with pytest.raises(VersionConflictError):
            async with stock.session() as session:
                session.add(ours)
        assert await _amount(stock) == 5

    async def test_no_update_of_many_writers_of_one_row_is_lost(self, stock: SqlConnectionManager):
        async def add_one(session: AsyncSession) -> None:
            row = (await session.scalars(select(Stock))).one()
            await asyncio.sleep(0)
            row.amount += 1

        writers = (stock.transact(add_one, max_attempts=200) for _ in range(WRITERS))
        await asyncio.gather(*writers)
        assert await _amount(stock) == WRITERS

    async def test_a_conflict_at_each_attempt_is_raised_and_another_error_at_once(
        self, stock: SqlConnectionManager
    ):
        attempts: list[Any] = []

        async def lose(session: AsyncSession) -> None:
            attempts.append(session)
            raise VersionConflictError("always", where=stock.name)

        with pytest.raises(VersionConflictError):
            await stock.transact(lose, max_attempts=3)
        assert len(attempts) == 3

        async def fail(session: AsyncSession) -> None:
            attempts.append(session)
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            await stock.transact(fail)
        assert len(attempts) == 4


async def _amount(stock: SqlConnectionManager) -> int:
    (row,) = await stock.execute_query("SELECT amount FROM stock")
    return int(row["amount"])
