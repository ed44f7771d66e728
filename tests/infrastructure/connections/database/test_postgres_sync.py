import sys
import traceback
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import ClassVar

import pytest
from sqlalchemy import text

from infrastructure.connections.database.conflicts import TransactionConflictError
from infrastructure.connections.database.postgres import sync
from infrastructure.connections.database.postgres.settings import PostgresSettings
from infrastructure.connections.database.postgres.sync import SyncPostgresConnectionManager
from infrastructure.errors import (
    AuthenticationError,
    ConfigurationError,
    ConflictError,
    DataError,
    InfrastructureError,
    MissingExtraError,
    NotFoundError,
    OverloadedError,
    RejectedError,
    UnavailableError,
    UnsupportedError,
)
from infrastructure.resilience import deadline
from infrastructure.servers.postgres import PostgresServer
from infrastructure.servers.process import free_port
from tests.contracts.sync_connection_contract import until
from tests.contracts.sync_sql_contract import INSERT, SyncSqlContract, count, like

DRIVERS = ["pg8000", "psycopg"]
#: What a test has given up need not be waited for.
AS_NEW = """
DO $$ BEGIN
  PERFORM pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE state = 'active' AND datname = current_database() AND pid <> pg_backend_pid();
  DROP SCHEMA public CASCADE;
  CREATE SCHEMA public;
END $$
"""


@pytest.fixture(scope="module")
def shared(postgres: PostgresServer) -> Iterator[tuple[str, SyncPostgresConnectionManager]]:
    """The URL of a database, and an open manager that sweeps it."""
    url = postgres.create_database()
    with manager_of(url, pool_size=1) as sweeper:
        yield url, sweeper


@pytest.fixture
def url(shared: tuple[str, SyncPostgresConnectionManager]) -> Iterator[str]:
    """A database that is empty again after the test."""
    url, sweeper = shared
    yield url
    sweeper.execute_query(AS_NEW)


def manager_of(url: str, **changes: object) -> SyncPostgresConnectionManager:
    settings = {"url": url, "pool_size": 5, "max_overflow": 0, **changes}
    return SyncPostgresConnectionManager(
        PostgresSettings.model_validate(settings), name="db.default"
    )


class _SyncPostgres(SyncSqlContract):
    driver: ClassVar[str]
    slow: ClassVar[str] = "SELECT pg_sleep(30)"
    slow_write: ClassVar[str] = "INSERT INTO item SELECT 1 FROM (SELECT pg_sleep(30)) AS pause"

    @pytest.fixture
    def manager(self, url: str):
        return manager_of(url, sync_driver=self.driver)

    def test_a_session_left_after_its_deadline_gives_its_connection_back(
        self, db: SyncPostgresConnectionManager
    ):
        bound = deadline(1.0, interrupts=False)
        with pytest.raises(KeyError), bound, db.session() as session:
            before = session.scalar(text("SELECT pg_backend_pid()"))
            bound.at = 0.0  # the time is up
            raise KeyError
        assert db.state == "ready"
        assert db.execute_query("SELECT pg_backend_pid() AS pid") == [{"pid": before}]

    def test_a_savepoint_left_after_its_deadline_leaves_the_transaction_around_it(
        self, db: SyncPostgresConnectionManager
    ):
        with db.transaction() as outer:
            outer.execute_query(INSERT, {"id": 1, "name": "one"})
            bound = deadline(1.0, interrupts=False)
            with pytest.raises(KeyError), bound, db.transaction() as inner:
                inner.execute_query(INSERT, {"id": 2, "name": "two"})
                bound.at = 0.0  # the time is up
                raise KeyError
        assert db.execute_query("SELECT id FROM item") == [{"id": 1}]

    def test_what_is_not_committed_is_not_seen(self, db: SyncPostgresConnectionManager):
        with db.session() as session:
            session.execute(text(INSERT), {"id": 1, "name": "one"})
            assert count(db) == 0
        assert count(db) == 1

    def test_a_statement_that_was_given_up_ends_on_the_server_too(
        self, db: SyncPostgresConnectionManager, monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.setattr(sync, "_GRACE_SECONDS", 0.1)
        changes = {"timeout_seconds": 0.2, "application_name": f"gives-up-{self.driver}"}
        with like(db, **changes) as quick, pytest.raises(UnavailableError):
            quick.execute_query(self.slow)
        running = (
            "SELECT 1 FROM pg_stat_activity WHERE state = 'active' AND application_name = :name"
        )
        until(lambda: not db.execute_query(running, {"name": f"gives-up-{self.driver}"}))

    def test_a_deadlock_is_a_conflict_for_one_of_the_two(self, db: SyncPostgresConnectionManager):
        for number in (1, 2):
            db.execute_query(INSERT, {"id": number, "name": ""})
        both_hold_one = Barrier(2)

        def update(first: int, second: int) -> None:
            with db.session() as session:
                session.execute(text("SET LOCAL deadlock_timeout = '20ms'"))
                statement = text("UPDATE item SET name = 'x' WHERE id = :id")
                session.execute(statement, {"id": first})
                both_hold_one.wait(10)
                session.execute(statement, {"id": second})

        with ThreadPoolExecutor(2) as threads:
            ends = [threads.submit(update, 1, 2), threads.submit(update, 2, 1)]
        errors = [end.exception() for end in ends]
        assert [type(error) for error in errors if error] == [TransactionConflictError]

    def test_a_commit_after_a_swallowed_error_is_not_silently_a_rollback(
        self, db: SyncPostgresConnectionManager
    ):
        with pytest.raises(RejectedError, match="rolled back on commit"), db.session() as session:
            session.execute(text(INSERT), {"id": 1, "name": "one"})
            with pytest.raises(ConflictError):
                session.execute(text(INSERT), {"id": 1, "name": "other"})
        assert count(db) == 0

    def test_a_session_has_the_isolation_it_asks_for(self, db: SyncPostgresConnectionManager):
        with db.session(isolation="serializable") as session:
            assert session.scalar(text("SHOW transaction_isolation")) == "serializable"
        with db.session() as session:
            assert session.scalar(text("SHOW transaction_isolation")) == "read committed"

    @pytest.mark.parametrize(
        ("state", "expected"),
        [
            ("08006", UnavailableError),
            ("0A000", UnsupportedError),
            ("23503", RejectedError),
            ("23505", ConflictError),
            ("40001", TransactionConflictError),
            ("53300", OverloadedError),
            ("55P03", OverloadedError),
            ("57014", UnavailableError),
            ("XX001", DataError),
        ],
    )
    def test_the_state_of_an_error_decides_its_class(
        self, db: SyncPostgresConnectionManager, state: str, expected: type[InfrastructureError]
    ):
        body = f"BEGIN RAISE EXCEPTION 'no' USING ERRCODE = '{state}'; END"
        db.execute_query(f"CREATE FUNCTION refuse() RETURNS int LANGUAGE plpgsql AS $${body}$$")
        with pytest.raises(InfrastructureError, match=state) as caught:
            db.execute_query("SELECT refuse()")
        assert type(caught.value) is expected
        assert count(db) == 0

    def test_the_words_of_a_value_do_not_make_a_refusal_a_lost_connection(
        self, db: SyncPostgresConnectionManager
    ):
        db.execute_query("CREATE TABLE note (words text PRIMARY KEY)")
        insert = "INSERT INTO note VALUES ('connection is closed')"
        db.execute_query(insert)
        with pytest.raises(ConflictError):
            db.execute_query(insert)
        assert db.state == "ready"

    def test_a_value_that_python_does_not_have_ends_its_statement_alone(
        self, db: SyncPostgresConnectionManager
    ):
        with pytest.raises(RejectedError):
            db.execute_query("SELECT CAST('24:00' AS time), 1")
        assert db.execute_query("SELECT 2 AS two") == [{"two": 2}]

    def test_a_value_that_does_not_fit_is_not_quoted(self, db: SyncPostgresConnectionManager):
        with pytest.raises(RejectedError) as caught:
            db.execute_query("SELECT CAST(:value AS integer)", {"value": "hunter2"})
        assert "hunter2" not in str(caught.value)

    def test_more_values_than_the_protocol_counts_are_rejected(
        self, db: SyncPostgresConnectionManager
    ):
        with db.connection() as connection, pytest.raises(RejectedError, match="parameters"):
            values = tuple(range(65_536))
            connection.exec_driver_sql("SELECT " + ", ".join(["%s"] * 65_536), values)
        assert db.execute_query("SELECT 2 AS two") == [{"two": 2}]

    def test_a_wrong_password_is_told_kept_and_rotated_to_the_right_one(self, url: str):
        password = url.split(":")[2].partition("@")[0]
        manager = manager_of(url.replace(password, "open-sesame"), sync_driver=self.driver)
        with pytest.raises(AuthenticationError) as caught:
            manager.connect()
        assert "open-sesame" not in "".join(traceback.format_exception(caught.value))
        assert "open-sesame" not in manager.health_check().detail
        assert manager.rotate(password=password)
        with manager:
            assert manager.is_healthy()

    def test_credentials_are_asked_for_before_each_opening(self, url: str):
        password = url.split(":")[2].partition("@")[0]
        manager = manager_of(url.replace(password, "stale"), sync_driver=self.driver)
        manager.credentials = lambda: {"password": password}
        with manager:
            assert manager.is_healthy()

    def test_a_database_that_does_not_exist_is_not_found(self, url: str):
        with pytest.raises(NotFoundError, match="nowhere"):
            manager_of(url.rpartition("/")[0] + "/nowhere", sync_driver=self.driver).connect()

    def test_a_server_that_is_down_is_unavailable_with_its_address(self):
        port = free_port()
        manager = manager_of(
            f"postgresql://app:secret@127.0.0.1:{port}/app", sync_driver=self.driver
        )
        with pytest.raises(UnavailableError, match=f"127.0.0.1:{port}") as caught:
            manager.connect()
        assert "secret" not in "".join(traceback.format_exception(caught.value))
        assert manager.state == "unavailable"

    def test_tls_that_is_asked_for_is_not_done_without(self, url: str):
        with pytest.raises(InfrastructureError):
            manager_of(url, sync_driver=self.driver, ssl="require", connect_attempts=1).connect()

    def test_what_the_url_says_to_the_server_counts_beside_the_timeout(self, url: str):
        with manager_of(f"{url}?options=-c%20work_mem%3D5MB", sync_driver=self.driver) as db:
            assert db.execute_query("SHOW work_mem") == [{"work_mem": "5MB"}]
            assert db.execute_query("SHOW statement_timeout") == [{"statement_timeout": "10500ms"}]

    def test_the_server_sees_the_application_name(self, url: str):
        with manager_of(url, sync_driver=self.driver, application_name="billing") as db:
            assert db.execute_query("SHOW application_name") == [{"application_name": "billing"}]


class TestPg8000(_SyncPostgres):
    driver: ClassVar[str] = "pg8000"

    def test_a_proof_that_the_driver_does_not_accept_is_our_error(
        self, db: SyncPostgresConnectionManager, url: str
    ):
        with db.session() as session:
            session.execute_query("SET LOCAL scram_iterations = 1")  # fewer than it accepts
            session.execute_query("CREATE ROLE weak LOGIN PASSWORD 'hunter2'")
        try:
            with pytest.raises(RejectedError, match="4096") as caught:
                manager_of(f"postgresql://weak:hunter2@{url.rpartition('@')[2]}").connect()
            assert "hunter2" not in str(caught.value)
        finally:
            db.execute_query("DROP ROLE weak")


class TestPsycopg(_SyncPostgres):
    driver: ClassVar[str] = "psycopg"

    def test_a_value_that_the_driver_has_no_type_for_is_not_quoted(
        self, db: SyncPostgresConnectionManager
    ):
        with pytest.raises(RejectedError, match="a value does not fit") as caught:
            db.execute_query("SELECT CAST('12345-06-07' AS date)")
        assert "12345" not in str(caught.value)

    def test_a_word_in_the_url_that_the_driver_does_not_know_is_a_configuration_error(
        self, url: str
    ):
        with pytest.raises(ConfigurationError, match="`url` cannot be read"):
            manager_of(f"{url}?pasword=hunter2", sync_driver="psycopg").connect()


@pytest.mark.parametrize("driver", DRIVERS)
def test_a_driver_that_is_not_installed_is_named_with_its_extra(
    driver: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setitem(sys.modules, driver, None)
    monkeypatch.delitem(
        sys.modules, f"infrastructure.connections.database.postgres.sync_{driver}", raising=False
    )
    monkeypatch.delitem(
        sys.modules, "infrastructure.connections.database.postgres.psycopg_refusals", raising=False
    )
    with pytest.raises(MissingExtraError, match=rf"switchgear\[{driver}\]"):
        manager_of("postgresql://app@localhost/app", sync_driver=driver)


def test_the_driver_can_be_changed_while_running(url: str):
    with manager_of(url, sync_driver="pg8000") as db:
        assert db.rotate(sync_driver="psycopg")
        assert db.execute_query("SELECT 1 AS one") == [{"one": 1}]
        assert db.engine is not None
        assert db.engine.driver == "psycopg"


def test_no_password_is_shown():
    url = "postgresql://app:hunter2@localhost:5433/app"
    manager = manager_of(url, password="hunter2")
    assert "hunter2" not in f"{manager.settings!r} {manager!r}"
