from pathlib import Path
from typing import ClassVar

import pytest
from sqlalchemy import text

from infrastructure.connections.database.sqlite import SqliteSettings
from infrastructure.connections.database.sqlite.sync import SyncSqliteConnectionManager
from infrastructure.errors import ConfigurationError, DataError, OverloadedError, RejectedError
from tests.contracts.sync_sql_contract import INSERT, SyncSqlContract, count, like

_NUMBERS = "WITH RECURSIVE n(i) AS (VALUES(0) UNION ALL SELECT i + 1 FROM n WHERE i < 1000000000)"


class _SyncSqlite(SyncSqlContract):
    deadline_seconds: ClassVar[float] = 0.1
    slow: ClassVar[str] = f"SELECT * FROM ({_NUMBERS} SELECT max(i) FROM n)"
    slow_write: ClassVar[str] = f"INSERT INTO item (id) {_NUMBERS} SELECT max(i) FROM n"


class TestSqliteFile(_SyncSqlite):
    @pytest.fixture
    def manager(self, tmp_path: Path):
        return SyncSqliteConnectionManager(SqliteSettings(path=tmp_path / "items.db"))

    def test_what_is_not_committed_is_not_seen(self, db: SyncSqliteConnectionManager):
        with db.session() as session:
            session.execute(text(INSERT), {"id": 1, "name": "one"})
            assert count(db) == 0
        assert count(db) == 1

    def test_folders_are_created_on_connecting_only(self, tmp_path: Path):
        path = tmp_path / "deep" / "down" / "items.db"
        manager = SyncSqliteConnectionManager(SqliteSettings(path=path))
        assert not path.parent.exists()
        with manager:
            assert path.exists()

    def test_another_writer_in_the_way_is_an_overload_within_the_deadline(
        self, db: SyncSqliteConnectionManager
    ):
        with like(db, busy_timeout_seconds=0.05) as impatient:
            assert impatient.execute_query("PRAGMA busy_timeout") == [{"timeout": 50}]
            with db.session() as session:
                session.execute(text(INSERT), {"id": 1, "name": "one"})
                with pytest.raises(OverloadedError, match="locked"):
                    impatient.execute_query(INSERT, {"id": 2, "name": "two"})
            impatient.execute_query(INSERT, {"id": 2, "name": "two"})

    def test_a_path_that_is_a_folder_is_a_configuration_error(self, tmp_path: Path):
        with pytest.raises(ConfigurationError, match="path"):
            SyncSqliteConnectionManager(SqliteSettings(path=tmp_path)).connect()

    def test_a_file_that_is_no_database_is_a_data_error(self, tmp_path: Path):
        (tmp_path / "items.db").write_text("not a database, but long enough to look like one" * 50)
        with pytest.raises(DataError):
            SyncSqliteConnectionManager(SqliteSettings(path=tmp_path / "items.db")).connect()


class TestSqliteMemory(_SyncSqlite):
    @pytest.fixture
    def manager(self):
        return SyncSqliteConnectionManager(SqliteSettings())

    def test_data_survive_a_statement_that_was_cut(self, manager: SyncSqliteConnectionManager):
        with like(manager, timeout_seconds=0.1) as db:
            db.execute_query("CREATE TABLE kept (id integer)")
            with pytest.raises(Exception, match="no answer"):
                db.execute_query(self.slow)
            assert db.execute_query("SELECT * FROM kept") == []

    def test_foreign_keys_are_enforced(self, db: SyncSqliteConnectionManager):
        db.execute_query("CREATE TABLE part (item integer REFERENCES item (id))")
        with pytest.raises(RejectedError, match="FOREIGN KEY"):
            db.execute_query("INSERT INTO part (item) VALUES (7)")

    def test_transactions_have_one_isolation(self, db: SyncSqliteConnectionManager):
        with db.session(isolation="serializable"):
            pass
        with pytest.raises(RejectedError, match="serializable"):  # noqa: SIM117 - what is in it raises
            with db.session(isolation="read committed"):
                pass
