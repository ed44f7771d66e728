"""What a call on a SQL connection costs, against SQLAlchemy on the same engine and the raw driver.

`python tests/benchmarks/sql.py [asyncpg|psycopg|sqlite]`.
"""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count
from typing import Any

from sqlalchemy import Integer, String, insert, select, text
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from infrastructure.connections.database.postgres import (
    PostgresConnectionManager,
    PostgresSettings,
)
from infrastructure.connections.database.sql.base import SqlConnectionManager
from infrastructure.connections.database.sqlite import SqliteConnectionManager, SqliteSettings
from infrastructure.servers.postgres import PostgresServer
from tests.benchmarks.turns import Rows, turns

ROUNDS = 15
CALLS = 100
ROWS = 2000
SELECT = "SELECT id, name FROM item WHERE id = :id"


class Base(DeclarativeBase):
    """The tables."""


class Item(Base):
    """A row."""

    __tablename__ = "item"

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    name: Mapped[str] = mapped_column(String)


def engines_of(db: SqlConnectionManager) -> tuple[AsyncEngine, AsyncEngine]:
    """The engines of the manager itself: for single statements, and for sessions."""
    assert db._engine is not None
    return db._engine, db._engine_for(None, False)


def statements(db: SqlConnectionManager) -> Rows:
    """Single ones."""
    single, _ = engines_of(db)
    statement = text(SELECT)

    async def core_query() -> Any:
        async with single.connect() as connection:
            result = await connection.execute(statement, {"id": 7})
            return [dict(row) for row in result.mappings()]

    async def our_query() -> Any:
        return await db.execute_query(SELECT, {"id": 7})

    return {
        "Core: SELECT by id": (core_query, ""),
        "execute_query": (our_query, "Core: SELECT by id"),
    }


def reads(db: SqlConnectionManager) -> Rows:
    """Of sessions that read."""
    _, sessions = engines_of(db)
    by_id = select(Item).where(Item.id == 7)
    columns = select(Item.id, Item.name).where(Item.id == 7)

    async def core_get() -> Any:
        async with sessions.begin() as connection:
            return (await connection.execute(columns)).one()

    async def orm_get() -> Any:
        async with AsyncSession(sessions, expire_on_commit=False) as session:
            found = await session.get(Item, 7)
            await session.commit()
            return found

    async def our_get() -> Any:
        async with db.session() as session:
            return await session.get(Item, 7)

    async def our_select() -> Any:
        async with db.session() as session:
            return (await session.scalars(by_id)).one()

    async def our_core() -> Any:
        async with db.session() as session:
            return (await session.execute(columns)).one()

    return {
        "Core: SELECT by id in a transaction": (core_get, ""),
        "session: the same by Core": (our_core, "Core: SELECT by id in a transaction"),
        "AsyncSession.get": (orm_get, "Core: SELECT by id in a transaction"),
        "session: get": (our_get, "AsyncSession.get"),
        "session: select": (our_select, "AsyncSession.get"),
    }


def writes(db: SqlConnectionManager) -> Rows:
    """Of sessions that write."""
    _, sessions = engines_of(db)
    numbers = count(ROWS)

    async def core_add() -> Any:
        async with sessions.begin() as connection:
            await connection.execute(insert(Item), {"id": next(numbers), "name": "new"})

    async def orm_add() -> Any:
        async with AsyncSession(sessions, expire_on_commit=False) as session:
            session.add(Item(id=next(numbers), name="new"))
            await session.commit()

    async def our_add() -> Any:
        async with db.session() as session:
            session.add(Item(id=next(numbers), name="new"))

    return {
        "Core: INSERT, commit": (core_add, ""),
        "AsyncSession: add, commit": (orm_add, "Core: INSERT, commit"),
        "session: add, commit": (our_add, "AsyncSession: add, commit"),
    }


def rows_of(db: SqlConnectionManager) -> Rows:
    """All of them."""
    return {**statements(db), **reads(db), **writes(db)}


@asynccontextmanager
async def raw_rows(url: str) -> AsyncIterator[Rows]:
    """What asyncpg does for the same."""
    import asyncpg

    numbers = count(10_000_000)
    async with asyncpg.create_pool(url, min_size=5, max_size=10) as pool:

        async def query() -> Any:
            return [dict(row) for row in await pool.fetch(SELECT.replace(":id", "$1"), 7)]

        async def add() -> Any:
            async with pool.acquire() as connection, connection.transaction():
                await connection.execute(
                    "INSERT INTO item (id, name) VALUES ($1, $2)", next(numbers), "new"
                )

        yield {
            "asyncpg.Pool: SELECT by id": (query, "Core: SELECT by id"),
            "asyncpg.Pool: INSERT, commit": (add, "Core: INSERT, commit"),
        }


async def measure(rows: Rows) -> None:
    """Print the table."""
    for call in turns(rows, rounds=ROUNDS, calls=CALLS):
        for _ in range(CALLS):
            await call()


async def main(driver: str) -> None:
    """Measure one driver."""
    if driver == "sqlite":
        async with SqliteConnectionManager(SqliteSettings()) as db:
            await fill(db)
            await measure(rows_of(db))
        return
    with PostgresServer() as server:
        url = server.create_database()
        settings = PostgresSettings.model_validate({"url": url, "driver": driver})
        async with PostgresConnectionManager(settings) as db, raw_rows(url) as raw:
            await fill(db)
            await measure({**rows_of(db), **raw})


async def fill(db: SqlConnectionManager) -> None:
    """Create the table and its rows."""
    await db.execute_query("CREATE TABLE item (id integer PRIMARY KEY, name text)")
    async with db.session() as session:
        session.add_all(Item(id=number, name=f"name {number}") for number in range(ROWS))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1] if len(sys.argv) > 1 else "asyncpg"))
