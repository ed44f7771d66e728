"""What every SQL connection manager for threads promises, over what each for threads does."""

import signal
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import ClassVar

import pytest
from sqlalchemy import text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from infrastructure.connections.base import BaseConnectionManager
from infrastructure.connections.database.conflicts import VersionConflictError
from infrastructure.connections.database.sql.sync_base import SyncSqlConnectionManager
from infrastructure.errors import (
    ConflictError,
    DeadlineExceededError,
    InfrastructureError,
    OutcomeUnknownError,
    OverloadedError,
    RejectedError,
    UnavailableError,
    UnsupportedError,
)
from infrastructure.resilience import deadline
from tests.contracts.sync_connection_contract import SyncConnectionContract, until, wait_for

CREATE = "CREATE TABLE item (id integer PRIMARY KEY, name text, version integer)"
INSERT = "INSERT INTO item (id, name, version) VALUES (:id, :name, 1)"


class Base(DeclarativeBase):
    pass


class Item(Base):
    __tablename__ = "item"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str | None]
    version: Mapped[int] = mapped_column()
    __mapper_args__ = {"version_id_col": version}  # noqa: RUF012 - as SQLAlchemy has it


def count(manager: SyncSqlConnectionManager) -> int:
    (row,) = manager.execute_query("SELECT count(*) AS items FROM item")
    return int(row["items"])


def like(manager: SyncSqlConnectionManager, **changes: object) -> SyncSqlConnectionManager:
    """Another manager with some settings changed."""
    return type(manager)(manager.settings.model_copy(update=changes), name="db.other")


def bound(manager: SyncSqlConnectionManager, seconds: float = 10.0) -> None:
    """Let its calls from now on take so long at most; opening it was not to be hurried."""
    manager.settings = manager.settings.model_copy(update={"timeout_seconds": seconds})


class SyncSqlContract(SyncConnectionContract):
    """Inherit, and supply `manager` on an empty database, with a pool of at most five.

    Attributes:
        deadline_seconds: A deadline that passes soon.
        slow: A statement that reads for half a minute.
        slow_write: A statement that writes to `item` after half a minute.
    """

    deadline_seconds: ClassVar[float] = 0.2
    slow: ClassVar[str]
    slow_write: ClassVar[str]

    @pytest.fixture
    def db(self, manager: BaseConnectionManager):
        """The manager, open, with an empty table `item`."""
        assert isinstance(manager, SyncSqlConnectionManager)
        with manager:
            manager.execute_query(CREATE)
            yield manager

    # single statements

    def test_rows_are_mappings_of_column_to_value(self, db: SyncSqlConnectionManager):
        assert db.execute_query(INSERT, {"id": 1, "name": "50 %"}) == []
        assert db.execute_query("SELECT id FROM item WHERE name LIKE '6%'") == []
        assert db.execute_query("SELECT id, name FROM item WHERE name LIKE '5%'") == [
            {"id": 1, "name": "50 %"}
        ]

    def test_values_are_never_read_as_sql(self, db: SyncSqlConnectionManager):
        hostile = "'); DROP TABLE item; --"
        db.execute_query(INSERT, {"id": 1, "name": hostile})
        found = db.execute_query("SELECT id FROM item WHERE name = :name", {"name": hostile})
        assert found == [{"id": 1}]

    def test_a_missing_parameter_is_rejected(self, db: SyncSqlConnectionManager):
        with pytest.raises(RejectedError, match="'name'"):
            db.execute_query(INSERT, {"id": 1})

    def test_two_statements_in_one_are_rejected(self, db: SyncSqlConnectionManager):
        with pytest.raises(RejectedError):
            db.execute_query("SELECT 1; DROP TABLE item")
        assert count(db) == 0

    def test_a_statement_with_an_error_is_rejected_with_its_place(
        self, db: SyncSqlConnectionManager
    ):
        with pytest.raises(RejectedError) as caught:
            db.execute_query("SELEC 1")
        assert caught.value.where == db.name

    def test_a_unique_key_in_use_is_a_conflict_that_does_not_tell_the_values(
        self, db: SyncSqlConnectionManager
    ):
        db.execute_query(INSERT, {"id": 1, "name": "one"})
        with pytest.raises(ConflictError) as caught:
            db.execute_query(INSERT, {"id": 1, "name": "hunter2"})
        assert "hunter2" not in str(caught.value)

    # sessions and transactions

    def test_a_session_commits_at_its_end_and_gives_its_connection_back(
        self, db: SyncSqlConnectionManager
    ):
        with db.session() as session:
            assert db.pool_stats().in_use == 0
            session.execute(text(INSERT), {"id": 1, "name": "one"})
            assert session.execute_query("SELECT name FROM item") == [{"name": "one"}]
            assert db.pool_stats().in_use == 1
        assert db.pool_stats().in_use == 0
        assert count(db) == 1

    def test_a_session_rolls_back_and_passes_the_exception_on(self, db: SyncSqlConnectionManager):
        with pytest.raises(ZeroDivisionError), db.session() as session:
            session.execute(text(INSERT), {"id": 1, "name": "one"})
            session.execute(text("CREATE TABLE other (id integer)"))
            raise ZeroDivisionError
        assert count(db) == 0
        with pytest.raises(RejectedError):
            db.execute_query("SELECT * FROM other")

    def test_errors_inside_a_session_are_ours(self, db: SyncSqlConnectionManager):
        db.execute_query(INSERT, {"id": 1, "name": "one"})
        with db.session() as session:
            with pytest.raises(ConflictError):
                session.execute(text(INSERT), {"id": 1, "name": "other"})
            session.rollback()
            session.execute(text(INSERT), {"id": 2, "name": "two"})
        assert count(db) == 2

    def test_objects_come_and_go_through_a_session(self, db: SyncSqlConnectionManager):
        with db.session() as session:
            session.add(Item(id=1, name="one"))
        with db.session() as session:
            assert session.query(Item).filter_by(name="one").one().id == 1

    def test_a_row_that_was_changed_since_is_a_version_conflict(self, db: SyncSqlConnectionManager):
        with db.session() as session:
            session.add(Item(id=1, name="one"))
        with db.session() as session:
            item = session.get_one(Item, 1)
        db.execute_query("UPDATE item SET version = 2")
        item.name = "mine"
        with pytest.raises(VersionConflictError), db.session() as session:
            session.add(item)

    def test_a_transaction_inside_another_is_a_savepoint_of_it(self, db: SyncSqlConnectionManager):
        with db.transaction() as outer:
            outer.execute(text(INSERT), {"id": 1, "name": "one"})
            with pytest.raises(ConflictError), db.transaction() as inner:
                inner.execute(text(INSERT), {"id": 2, "name": "two"})
                inner.execute(text(INSERT), {"id": 1, "name": "other"})
            with db.transaction() as inner:
                inner.execute(text(INSERT), {"id": 3, "name": "three"})
            with pytest.raises(UnsupportedError), db.transaction(isolation="serializable"):
                pass
        assert db.execute_query("SELECT id FROM item ORDER BY id") == [{"id": 1}, {"id": 3}]

    def test_one_that_is_over_is_joined_by_none_in_whatever_order_they_end(
        self, db: SyncSqlConnectionManager
    ):
        with like(db) as other:
            first, second = db.transaction(), other.transaction()
            first.__enter__()
            second.__enter__()
            first.__exit__(None, None, None)
            second.__exit__(None, None, None)
            with db.transaction() as third:
                third.execute(text(INSERT), {"id": 1, "name": "one"})
        assert count(db) == 1

    @pytest.mark.parametrize("end", ["commit", "rollback"])
    def test_a_transaction_inside_another_cannot_end_that_one(
        self, db: SyncSqlConnectionManager, end: str
    ):
        refused = pytest.raises(UnsupportedError, match=rf"{end}\(\) in a transaction inside")
        with refused, db.transaction() as outer:
            outer.execute(text(INSERT), {"id": 1, "name": "one"})
            with db.transaction() as inner:
                getattr(inner, end)()
        assert count(db) == 0

    @pytest.mark.parametrize("values", [{"id": 1, "name": "\ud800"}, {"id": 2**64, "name": ""}])
    def test_a_value_that_no_driver_can_send_is_rejected(
        self, db: SyncSqlConnectionManager, values: dict[str, object]
    ):
        with pytest.raises(RejectedError):
            db.execute_query(INSERT, values)
        with pytest.raises(RejectedError), db.session() as session:
            session.execute(text(INSERT), values)
        assert count(db) == 0

    def test_a_transaction_whose_connection_was_lost_inside_it_cannot_go_on(
        self, db: SyncSqlConnectionManager
    ):
        lost = pytest.raises(UnavailableError, match="was lost with its connection")
        with lost, db.transaction() as outer:
            outer.execute(text("SELECT 1"))
            late = pytest.raises(UnavailableError)
            with late, db.transaction() as inner, deadline(self.deadline_seconds):
                inner.execute(text(self.slow))
            outer.execute(text("SELECT 1"))
        assert db.pool_stats().in_use == 0

    def test_fifty_sessions_of_threads_share_five_connections(self, db: SyncSqlConnectionManager):
        db.execute_query(INSERT, {"id": 1, "name": "0"})

        def increment() -> None:
            with db.session() as session:
                session.execute(text("UPDATE item SET name = name WHERE id = 1"))
                name = session.scalar(text("SELECT name FROM item WHERE id = 1"))
                values = {"name": str(int(name or "") + 1)}
                session.execute(text("UPDATE item SET name = :name WHERE id = 1"), values)

        with ThreadPoolExecutor(10) as threads:
            wait_for([threads.submit(increment) for _ in range(50)])
        assert db.execute_query("SELECT name FROM item") == [{"name": "50"}]
        stats = db.pool_stats()
        assert stats.in_use == 0
        assert stats.size <= stats.limit <= 5

    # bounds

    def test_a_full_pool_is_an_overload_and_recovers(self, manager: SyncSqlConnectionManager):
        changes = {"pool_size": 1, "max_overflow": 0, "pool_timeout_seconds": 0.05}
        with like(manager, **changes) as small:
            with small.session() as session:
                session.execute(text("SELECT 1"))
                with pytest.raises(OverloadedError, match="all 1 connections"):
                    small.execute_query("SELECT 1")
                assert small.state == "degraded"
                with pytest.raises(OverloadedError), small.session() as second:
                    second.execute(text("SELECT 1"))
            assert small.execute_query("SELECT 1 AS one") == [{"one": 1}]

    def test_a_slow_statement_ends_at_the_deadline(self, manager: SyncSqlConnectionManager):
        with like(manager) as quick:
            bound(quick, self.deadline_seconds)
            started = time.perf_counter()
            with pytest.raises(DeadlineExceededError) as caught:
                quick.execute_query(self.slow)
            with pytest.raises(DeadlineExceededError), quick.session() as session:
                session.execute(text(self.slow))
            assert time.perf_counter() - started < 2 * self.deadline_seconds + 0.5
            assert caught.value.where == "db.other"
            assert quick.pool_stats().in_use == 0
            bound(quick)
            assert quick.execute_query("SELECT 1 AS one") == [{"one": 1}]

    def test_a_write_that_is_not_answered_has_an_unknown_outcome(
        self, manager: SyncSqlConnectionManager
    ):
        with like(manager) as quick:
            quick.execute_query(CREATE)
            bound(quick, self.deadline_seconds)
            with pytest.raises(OutcomeUnknownError) as caught:
                quick.execute_query(self.slow_write)
            assert isinstance(caught.value.__cause__, DeadlineExceededError)

    def test_closing_ends_what_still_runs(self, manager: SyncSqlConnectionManager):
        with like(manager, drain_timeout_seconds=0.1) as db, ThreadPoolExecutor(1) as threads:
            running = threads.submit(db.execute_query, self.slow)
            until(lambda: db.pool_stats().in_use > 0)
            db.disconnect()
            with pytest.raises(UnavailableError) as caught:
                running.result(10)
            assert not isinstance(caught.value, DeadlineExceededError)

    def test_a_session_left_open_is_of_no_use_after_closing(
        self, manager: SyncSqlConnectionManager
    ):
        with like(manager, drain_timeout_seconds=0.1) as db:
            with pytest.raises(InfrastructureError), db.session() as session:
                session.execute(text("SELECT 1"))
                db.disconnect()
                session.execute(text("SELECT 1"))
            assert db.execute_query("SELECT 1 AS one") == [{"one": 1}]

    def test_the_callers_deadline_bounds_the_wait_for_a_connection(
        self, manager: SyncSqlConnectionManager
    ):
        with like(manager, pool_size=1, max_overflow=0) as small, small.connection():
            started = time.perf_counter()
            with pytest.raises(OverloadedError), deadline(0.05, interrupts=False):
                small.execute_query("SELECT 1")
            assert time.perf_counter() - started < 0.05 + 0.5

    def test_what_a_signal_raises_comes_out_and_no_reply_is_mixed_up(
        self, manager: SyncSqlConnectionManager
    ):
        class SoftTimeLimitError(Exception):
            pass

        def end(*_args: object) -> None:
            raise SoftTimeLimitError

        before = signal.signal(signal.SIGALRM, end)
        try:
            with like(manager) as db:
                for call in (db.execute_query, self._in_a_session(db)):
                    bound(db, self.deadline_seconds)
                    with pytest.raises(SoftTimeLimitError):
                        signal.setitimer(signal.ITIMER_REAL, self.deadline_seconds / 3)
                        call(self.slow)
                    bound(db)
                    assert db.execute_query("SELECT 41 AS one") == [{"one": 41}]
                    assert db.execute_query("SELECT 42 AS one") == [{"one": 42}]
                assert db.pool_stats().in_use == 0
        finally:
            signal.signal(signal.SIGALRM, before)

    @staticmethod
    def _in_a_session(db: SyncSqlConnectionManager) -> Callable[[str], object]:
        def call(sql: str) -> object:
            with db.session() as session:
                return session.execute_query(sql)

        return call

    def test_a_transaction_may_end_in_another_context_than_it_began_in(
        self, db: SyncSqlConnectionManager
    ):
        transaction = db.transaction()
        session = copy_context().run(transaction.__enter__)
        session.execute(text(INSERT), {"id": 1, "name": "one"})
        copy_context().run(transaction.__exit__, None, None, None)
        assert count(db) == 1

    def test_a_connection_given_back_after_closing_is_closed(
        self, manager: SyncSqlConnectionManager
    ):
        with like(manager, drain_timeout_seconds=0.05) as db:
            connection = db.connection()
            db.disconnect()
            connection.close()
            assert not db._connections

    def test_connections_and_sessions_are_handed_out_to_who_closes_them(
        self, db: SyncSqlConnectionManager
    ):
        with db.connection() as connection:
            connection.execute(text(INSERT), {"id": 1, "name": "one"})
        with db.new_session() as session:
            assert session.scalar(text("SELECT name FROM item")) == "one"
        assert db.pool_stats().in_use == 0
