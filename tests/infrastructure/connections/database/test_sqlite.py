import asyncio
import sqlite3
from functools import partial
from pathlib import Path
from typing import ClassVar

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from infrastructure.connections.database.conflicts import TransactionConflictError
from infrastructure.connections.database.sqlite import SqliteConnectionManager, SqliteSettings
from infrastructure.errors import (
    ConfigurationError,
    DataError,
    OverloadedError,
    RejectedError,
    UnsupportedError,
)
from tests.contracts.sql_contract import (
    COUNT,
    CREATE,
    INSERT,
    SqlContract,
    count,
    in_use,
    like,
    until,
)
from tests.contracts.sql_transaction_contract import SqlTransactionContract
from tests.contracts.sync_connection_contract import in_a_fork

_NUMBERS = "WITH RECURSIVE n(i) AS (VALUES(0) UNION ALL SELECT i + 1 FROM n WHERE i < 1000000000)"


class _Sqlite(SqlContract, SqlTransactionContract):
    hasty_seconds: ClassVar[float] = 0.1  # what is slow keeps a core busy here
    slow: ClassVar[str] = f"SELECT * FROM ({_NUMBERS} SELECT max(i) FROM n)"
    slow_write: ClassVar[str] = f"INSERT INTO item (id) {_NUMBERS} SELECT max(i) FROM n"


class TestSqliteFile(_Sqlite):
    @pytest.fixture
    def manager(self, tmp_path: Path):
        path = tmp_path / "items.db"
        return SqliteConnectionManager(SqliteSettings(path=path, drain_timeout_seconds=0.05))

    async def test_readers_do_not_wait_for_a_writer(self, db: SqliteConnectionManager):
        async with db.session() as session:
            await session.execute(text(INSERT), {"id": 1, "name": "one"})
            assert await count(db) == 0
        assert await count(db) == 1

    async def test_folders_are_created_on_connecting_only(self, tmp_path: Path):
        path = tmp_path / "deep" / "down" / "items.db"
        manager = SqliteConnectionManager(SqliteSettings(path=path))
        assert not path.parent.exists()
        async with manager:
            assert path.exists()

    async def test_data_are_there_after_reopening(self, db: SqliteConnectionManager):
        await db.execute_query(INSERT, {"id": 1, "name": "one"})
        await db.disconnect()
        assert await count(db) == 1

    async def test_another_writer_in_the_way_is_an_overload(self, db: SqliteConnectionManager):
        async with like(db, busy_timeout_seconds=0.05) as impatient:
            async with db.session() as session:
                await session.execute(text(INSERT), {"id": 1, "name": "one"})
                with pytest.raises(OverloadedError, match="locked"):
                    await impatient.execute_query(INSERT, {"id": 2, "name": "two"})
            await impatient.execute_query(INSERT, {"id": 2, "name": "two"})

    async def test_a_deferred_session_lets_another_write_until_it_writes(
        self, db: SqliteConnectionManager
    ):
        async with like(db, transaction_mode="deferred") as other, other.session() as session:
            await session.execute(text(COUNT))
            await db.execute_query(INSERT, {"id": 1, "name": "one"})
            with pytest.raises(TransactionConflictError):
                await session.execute(text(INSERT), {"id": 2, "name": "two"})
            await session.rollback()

    async def test_a_path_that_is_a_folder_is_a_configuration_error(self, tmp_path: Path):
        manager = SqliteConnectionManager(SqliteSettings(path=tmp_path))
        with pytest.raises(ConfigurationError, match="path"):
            await manager.connect()

    async def test_a_folder_that_cannot_be_created_is_a_configuration_error(self, tmp_path: Path):
        (tmp_path / "file").touch()
        manager = SqliteConnectionManager(SqliteSettings(path=tmp_path / "file" / "items.db"))
        with pytest.raises(ConfigurationError, match="cannot be created"):
            await manager.connect()

    async def test_a_file_that_is_no_database_is_a_data_error(self, tmp_path: Path):
        (tmp_path / "items.db").write_text("not a database, but long enough to look like one" * 50)
        manager = SqliteConnectionManager(SqliteSettings(path=tmp_path / "items.db"))
        with pytest.raises(DataError):
            await manager.connect()

    async def test_committed_rows_are_seen_by_another_program(self, db: SqliteConnectionManager):
        await db.execute_query(INSERT, {"id": 1, "name": "one"})
        assert isinstance(db.settings.path, Path)
        with sqlite3.connect(db.settings.path) as other:
            assert other.execute(COUNT).fetchone() == (1,)
        other.close()


class TestSqliteMemory(_Sqlite):
    @pytest.fixture
    def manager(self):
        return SqliteConnectionManager(SqliteSettings(drain_timeout_seconds=0.05))

    async def test_data_survive_a_cancelled_statement(self, db: SqliteConnectionManager):
        await db.execute_query(INSERT, {"id": 1, "name": "one"})
        task = asyncio.create_task(db.execute_query(self.slow))
        await until(partial(in_use, db))
        task.cancel()
        await asyncio.wait((task,))
        assert await count(db) == 1

    @pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
    async def test_a_forked_child_has_a_memory_of_its_own_without_the_locks_of_its_parent(
        self, manager: SqliteConnectionManager
    ):
        async def write() -> str:
            await manager.execute_query(CREATE)
            await manager.execute_query(INSERT, {"id": 1, "name": "one"})
            return "written"

        hasty = like(manager, timeout_seconds=2.0, busy_timeout_seconds=0.1)
        assert isinstance(hasty, SqliteConnectionManager)
        manager = hasty
        async with manager, manager.session() as session:
            await session.execute(text(CREATE))
            # in another thread, where no loop runs
            assert await asyncio.to_thread(in_a_fork, lambda: asyncio.run(write())) == "written"
            assert await session.scalar(text(COUNT)) == 0

    async def test_two_managers_do_not_share_memory(self, db: SqliteConnectionManager):
        async with SqliteConnectionManager(SqliteSettings()) as other:
            with pytest.raises(RejectedError):
                await count(other)

    async def test_data_go_with_disconnecting(self, db: SqliteConnectionManager):
        await db.disconnect()
        with pytest.raises(RejectedError):
            await count(db)

    async def test_what_it_cannot_isolate_so_is_told(self, db: SqliteConnectionManager):
        with pytest.raises(UnsupportedError, match="serializable"):
            async with db.session(isolation="read committed"):
                pass

    async def test_the_settings_are_those_of_each_connection(self, db: SqliteConnectionManager):
        async with like(db, synchronous="normal", foreign_keys=False) as other:
            assert await other.execute_query("PRAGMA synchronous") == [{"synchronous": 1}]
            assert await other.execute_query("PRAGMA foreign_keys") == [{"foreign_keys": 0}]
        assert await db.execute_query("PRAGMA synchronous") == [{"synchronous": 2}]

    async def test_foreign_keys_are_enforced(self, db: SqliteConnectionManager):
        await db.execute_query("CREATE TABLE part (item integer REFERENCES item (id))")
        with pytest.raises(RejectedError, match="FOREIGN KEY"):
            await db.execute_query("INSERT INTO part (item) VALUES (7)")


@settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.text(st.characters(codec="utf-8")), max_size=5))
def test_any_text_comes_back_as_it_was(names: list[str]):
    async def round_trip() -> list[str]:
        async with SqliteConnectionManager(SqliteSettings()) as db:
            await db.execute_query(CREATE)
            for number, name in enumerate(names):
                await db.execute_query(INSERT, {"id": number, "name": name})
            rows = await db.execute_query("SELECT name FROM item ORDER BY id")
            return [row["name"] for row in rows]

    assert asyncio.run(round_trip()) == names


def test_memory_and_a_path_are_told_apart():
    assert SqliteSettings().path == ":memory:"
    assert SqliteSettings.model_validate({"path": "data/items.db"}).path == Path("data/items.db")
