"""What a call on the sync twin of a SQL database costs, against SQLAlchemy on the same engine.

`python tests/benchmarks/sql_sync.py [pg8000|psycopg|sqlite]`.
"""

import sys
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from sqlalchemy import insert, text
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from infrastructure.connections.database.postgres.settings import PostgresSettings
from infrastructure.connections.database.postgres.sync import SyncPostgresConnectionManager
from infrastructure.connections.database.sql.sync_base import SyncSqlConnectionManager
from infrastructure.connections.database.sqlite import SqliteSettings
from infrastructure.connections.database.sqlite.sync import SyncSqliteConnectionManager
from infrastructure.servers.postgres import PostgresServer
from tests.benchmarks.turns import Rows, turns

ROUNDS = 15
CALLS = 200
ROWS = 2000
SELECT = "SELECT id, name FROM item WHERE id = :id"


class Base(DeclarativeBase):
    """The tables."""


class Item(Base):
    """A row."""

    __tablename__ = "item"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]


def rows_of(db: SyncSqlConnectionManager) -> Rows:
    """Single statements, and sessions that read and write."""
    single, sessions = db._engine, db._sessions
    assert single is not None
    assert sessions is not None
    statement, numbers = text(SELECT), count(ROWS)

    def core_query() -> Any:
        with single.connect() as connection:
            return [dict(row) for row in connection.execute(statement, {"id": 7}).mappings()]

    def our_query() -> Any:
        return db.execute_query(SELECT, {"id": 7})

    def orm_get() -> Any:
        with Session(sessions, expire_on_commit=False) as session:
            found = session.get(Item, 7)
            session.commit()
            return found

    def our_get() -> Any:
        with db.session() as session:
            return session.get(Item, 7)

    def core_add() -> Any:
        with sessions.begin() as connection:
            connection.execute(insert(Item), {"id": next(numbers), "name": "new"})

    def orm_add() -> Any:
        with Session(sessions, expire_on_commit=False) as session:
            session.add(Item(id=next(numbers), name="new"))
            session.commit()

    def our_add() -> Any:
        with db.session() as session:
            session.add(Item(id=next(numbers), name="new"))

    return {
        "Core: SELECT by id": (core_query, ""),
        "execute_query": (our_query, "Core: SELECT by id"),
        "Session.get, commit": (orm_get, ""),
        "session: get": (our_get, "Session.get, commit"),
        "Core: INSERT, commit": (core_add, ""),
        "Session: add, commit": (orm_add, "Core: INSERT, commit"),
        "session: add, commit": (our_add, "Session: add, commit"),
    }


def main(driver: str) -> None:
    """Measure one driver."""
    if driver == "sqlite":
        with TemporaryDirectory() as folder:
            path = Path(folder) / "items.db"
            run(SyncSqliteConnectionManager(SqliteSettings(path=path, synchronous="off")))
        return
    with PostgresServer() as server:
        settings = {"url": server.create_database(), "sync_driver": driver, "ssl": "disable"}
        run(SyncPostgresConnectionManager(PostgresSettings.model_validate(settings)))


def run(manager: SyncSqlConnectionManager) -> None:
    """Measure one manager on an empty database."""
    with manager as db:
        db.execute_query("CREATE TABLE item (id integer PRIMARY KEY, name text)")
        with db.session() as session:
            session.add_all(Item(id=number, name=f"name {number}") for number in range(ROWS))
        for call in turns(rows_of(db), rounds=ROUNDS, calls=CALLS):
            for _ in range(CALLS):
                call()


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "pg8000")
