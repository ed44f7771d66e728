"""What a call on the sync twin of a SQL database costs, against SQLAlchemy on the same engine.

Process CPU time and wall time, rounds interleaved over all rows, medians; microseconds a call and
ratios to the named row of the same run.
`python tests/benchmarks/sql_sync.py [pg8000|psycopg|sqlite]`.
"""

import gc
import statistics
import sys
import time
from collections.abc import Callable
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

ROUNDS = 15
CALLS = 200
ROWS = 2000
SELECT = "SELECT id, name FROM item WHERE id = :id"
Call = Callable[[], Any]


class Base(DeclarativeBase):
    """The tables."""


class Item(Base):
    """A row."""

    __tablename__ = "item"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]


def rows_of(db: SyncSqlConnectionManager) -> dict[str, tuple[Call, str]]:
    """Name: the call, and the row it is compared with; the empty name for none."""
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


def measure(rows: dict[str, tuple[Call, str]]) -> None:
    """Print the table."""
    spent: dict[str, list[tuple[float, float]]] = {name: [] for name in rows}
    for round_number in range(ROUNDS + 1):
        for name, (call, _) in rows.items():
            gc.collect()
            cpu, wall = time.process_time(), time.perf_counter()
            for _ in range(CALLS):
                call()
            took = (time.process_time() - cpu, time.perf_counter() - wall)
            if round_number:  # the first one warms up
                spent[name].append(took)
    for name, (_, peer) in rows.items():
        figures = []
        for kind in (0, 1):
            mine = statistics.median(each[kind] for each in spent[name])
            ratio = ""
            if peer:
                pairs = zip(spent[name], spent[peer], strict=True)
                ratio = f"{statistics.median(a[kind] / b[kind] for a, b in pairs):5.2f}x"
            figures.append(f"{mine / CALLS * 1e6:7.0f} us {ratio:6}")
        print(f"{name:22} cpu {figures[0]}  wall {figures[1]}  {'of ' + peer if peer else ''}")


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
        measure(rows_of(db))


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "pg8000")
