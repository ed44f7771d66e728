import asyncio
import traceback
from functools import partial
from itertools import count as count_from
from typing import Any, ClassVar, get_args

import pytest
import pytest_asyncio
from pydantic import ValidationError
from sqlalchemy import text

from infrastructure.connections.base import ConnectionState
from infrastructure.connections.database.conflicts import TransactionConflictError
from infrastructure.connections.database.postgres import (
    PostgresConnectionManager,
    PostgresSettings,
)
from infrastructure.connections.database.sql.session import BoundedSession
from infrastructure.connections.database.sql.transactions import Isolation
from infrastructure.errors import (
    AuthenticationError,
    ConflictError,
    DataError,
    InfrastructureError,
    NotFoundError,
    OverloadedError,
    RejectedError,
    UnavailableError,
    UnsupportedError,
)
from infrastructure.servers.postgres import PostgresServer
from infrastructure.servers.process import free_port
from tests.cancellation import cancelled_at
from tests.contracts.sql_contract import COUNT, CREATE, INSERT, SqlContract, count, like, until
from tests.contracts.sql_transaction_contract import SqlTransactionContract

AS_NEW = f"DO $$ BEGIN DROP SCHEMA public CASCADE; CREATE SCHEMA public; {CREATE}; END $$"


@pytest.fixture(scope="module")
def url(postgres: PostgresServer) -> str:
    return postgres.create_database()


def manager_of(url: str, **changes: object) -> PostgresConnectionManager:
    usual = {"url": url, "pool_size": 5, "max_overflow": 0, "drain_timeout_seconds": 0.05}
    settings = {**usual, **changes}
    return PostgresConnectionManager(PostgresSettings.model_validate(settings), name="db.default")


@pytest_asyncio.fixture(scope="class", loop_scope="class")
async def shared(url: str, request: pytest.FixtureRequest):
    """One for all tests of a driver that are not about opening."""
    async with manager_of(url, driver=request.cls.driver) as manager:
        yield manager


class _Postgres(SqlContract, SqlTransactionContract):
    driver: ClassVar[str]
    slow: ClassVar[str] = "SELECT pg_sleep(30)"
    slow_write: ClassVar[str] = "INSERT INTO item SELECT 1 FROM (SELECT pg_sleep(30)) AS pause"

    @pytest.fixture
    def manager(self, url: str):
        return manager_of(url, driver=self.driver)

    @pytest_asyncio.fixture(loop_scope="class")
    async def db(self, shared: Any):
        await shared.execute_query(AS_NEW)
        return shared

    async def test_what_is_not_committed_is_not_seen(self, db: PostgresConnectionManager):
        async with db.session() as session:
            await session.execute(text(INSERT), {"id": 1, "name": "one"})
            assert await count(db) == 0
        assert await count(db) == 1

    async def test_a_cancelled_statement_ends_on_the_server_too(
        self, db: PostgresConnectionManager
    ):
        task = asyncio.create_task(db.execute_query(self.slow))
        await until(partial(_is_running, db))
        task.cancel()
        await asyncio.wait((task,))
        await until(partial(_is_over, db))

    async def test_cancelled_at_whichever_moment_a_transaction_leaves_no_connection_behind(
        self, url: str, monkeypatch: pytest.MonkeyPatch
    ):
        # as in a loop without a break
        monkeypatch.setattr("psycopg.waiting.MAX_BUSY_TIME", 0.0, raising=False)

        async def read(db: PostgresConnectionManager) -> None:
            async with db.transaction() as session:
                await session.execute_query("SELECT 1")
                async with db.transaction():
                    await session.execute_query("SELECT 2")

        name = f"victim of {self.driver}"
        async with manager_of(url) as other:

            async def is_all_pooled() -> bool:
                mine = "SELECT state FROM pg_stat_activity WHERE application_name = :name"
                states = [row["state"] for row in await other.execute_query(mine, {"name": name})]
                return len(states) <= db.pool_stats().size and set(states) <= {"idle"}

            async with manager_of(url, driver=self.driver, application_name=name) as db:
                for wait in count_from(1):
                    task = asyncio.create_task(cancelled_at(wait, read(db)))
                    await asyncio.wait((task,))
                    assert db.pool_stats().in_use == 0
                    if not task.cancelled():
                        break
                await until(is_all_pooled)

    async def test_cancelled_at_whichever_moment_opening_leaves_no_connection_behind(
        self, url: str
    ):
        name = f"opened by {self.driver}"
        kept = []  # with their frames, which would hold what is left to be collected
        for wait in count_from(1):
            db = manager_of(url, driver=self.driver, application_name=name, ssl="disable")
            kept.append(asyncio.create_task(cancelled_at(wait, db.driver.connect(db.settings))))
            ((ended,), _) = await asyncio.wait((kept[-1],))
            if not ended.cancelled():
                break
        mine = "SELECT count(*) AS lines FROM pg_stat_activity WHERE application_name = :name"
        async with manager_of(url) as other:

            async def is_one_left() -> bool:
                return await other.execute_query(mine, {"name": name}) == [{"lines": 1}]

            await until(is_one_left)
            await db.driver.leave(ended.result())
        assert wait > 2

    async def test_a_deadlock_is_a_conflict_for_one_of_the_two(self, db: PostgresConnectionManager):
        for number in (1, 2):
            await db.execute_query(INSERT, {"id": number, "name": ""})
        both_hold_one = asyncio.Barrier(2)

        async def update(first: int, second: int) -> None:
            async with db.session() as session:
                await session.execute(text("SET LOCAL deadlock_timeout = '20ms'"))
                statement = text("UPDATE item SET name = 'x' WHERE id = :id")
                await session.execute(statement, {"id": first})
                await both_hold_one.wait()
                await session.execute(statement, {"id": second})

        ends = await asyncio.gather(update(1, 2), update(2, 1), return_exceptions=True)
        assert [type(end) for end in ends if end] == [TransactionConflictError]
        assert db.state is ConnectionState.READY

    async def test_a_commit_after_a_swallowed_error_is_not_silently_a_rollback(
        self, db: PostgresConnectionManager
    ):
        with pytest.raises(RejectedError, match="rolled back on commit"):
            async with db.session() as session:
                await session.execute(text(INSERT), {"id": 1, "name": "one"})
                with pytest.raises(ConflictError):
                    await session.execute(text(INSERT), {"id": 1, "name": "other"})
        assert await count(db) == 0

    @pytest.mark.parametrize("read_only", [False, True])
    @pytest.mark.parametrize("isolation", [None, *get_args(Isolation)])
    async def test_the_isolation_asked_for_is_the_servers(
        self, db: PostgresConnectionManager, isolation: Isolation | None, read_only: bool
    ):
        async with db.session(isolation=isolation, read_only=read_only) as session:
            level = await session.scalar(text("SHOW transaction_isolation"))
            refuses = await session.scalar(text("SHOW transaction_read_only"))
        assert level == (isolation or "read committed")
        assert refuses == ("on" if read_only else "off")

    async def test_two_who_decide_on_what_the_other_writes_are_run_one_after_the_other(
        self, db: PostgresConnectionManager
    ):
        both_have_read, runs = asyncio.Barrier(2), []

        async def take_the_last(number: int) -> None:
            async def work(session: BoundedSession) -> None:
                runs.append(number)
                (row,) = await session.execute_query(COUNT)
                if len(runs) <= 2:
                    await both_have_read.wait()
                if not row["items"]:
                    await session.execute_query(INSERT, {"id": number, "name": "taken"})

            await db.transact(work, isolation="serializable")

        await asyncio.gather(take_the_last(1), take_the_last(2))
        assert len(runs) == 3
        assert await count(db) == 1

    async def test_sessions_can_raise_their_isolation(self, db: PostgresConnectionManager):
        async with db.session() as session:
            await session.connection(execution_options={"isolation_level": "SERIALIZABLE"})
            level = await session.scalar(text("SHOW transaction_isolation"))
        assert level == "serializable"
        async with db.session() as session:
            level = await session.scalar(text("SHOW transaction_isolation"))
        assert level == "read committed"

    async def test_the_server_sees_the_application_name(self, url: str):
        async with manager_of(url, driver=self.driver, application_name="billing") as db:
            assert await db.execute_query("SHOW application_name") == [
                {"application_name": "billing"}
            ]

    @pytest.mark.parametrize(
        ("state", "expected"),
        [
            ("08006", UnavailableError),
            ("0A000", UnsupportedError),
            ("23503", RejectedError),
            ("23505", ConflictError),
            ("23P01", ConflictError),
            ("28000", AuthenticationError),
            ("28P01", AuthenticationError),
            ("3D000", NotFoundError),
            ("40001", TransactionConflictError),
            ("40P01", TransactionConflictError),
            ("42501", RejectedError),
            ("53300", OverloadedError),
            ("55P03", OverloadedError),
            ("57014", UnavailableError),
            ("57P03", UnavailableError),
            ("XX001", DataError),
        ],
    )
    async def test_the_state_of_an_error_decides_its_class(
        self, db: PostgresConnectionManager, state: str, expected: type[InfrastructureError]
    ):
        function = f"BEGIN RAISE EXCEPTION 'no' USING ERRCODE = '{state}'; END"
        await db.execute_query(
            f"CREATE FUNCTION refuse() RETURNS int LANGUAGE plpgsql AS $${function}$$"
        )
        with pytest.raises(InfrastructureError, match=state) as caught:
            await db.execute_query("SELECT refuse()")
        assert type(caught.value) is expected
        assert await count(db) == 0

    async def test_a_value_that_does_not_fit_is_not_quoted(self, db: PostgresConnectionManager):
        with pytest.raises(RejectedError) as caught:
            await db.execute_query("SELECT CAST(:value AS integer)", {"value": "hunter2"})
        assert "hunter2" not in str(caught.value)

    async def test_a_value_that_python_does_not_have_is_rejected_and_not_quoted(
        self, db: PostgresConnectionManager
    ):
        with pytest.raises(RejectedError, match="a value does not fit") as caught:
            await db.execute_query("SELECT CAST('12345-06-07' AS date)")
        assert "12345" not in str(caught.value)
        assert await count(db) == 0


class TestAsyncpg(_Postgres):
    driver: ClassVar[str] = "asyncpg"


class TestPsycopg(_Postgres):
    driver: ClassVar[str] = "psycopg"


async def _is_over(db: PostgresConnectionManager) -> bool:
    return not await _is_running(db)


async def _is_running(db: PostgresConnectionManager) -> bool:
    found = await db.execute_query(
        "SELECT 1 FROM pg_stat_activity WHERE state = 'active' AND query LIKE 'SELECT pg_sleep%'"
        " AND datname = current_database()"
    )
    return bool(found)


async def test_a_wrong_password_is_told_and_kept(url: str):
    password = url.split(":")[2].partition("@")[0]
    manager = manager_of(url.replace(password, "open-sesame"))
    with pytest.raises(AuthenticationError) as caught:
        await manager.connect()
    assert "open-sesame" not in "".join(traceback.format_exception(caught.value))
    health = await manager.health_check()
    assert not health.is_up
    assert "open-sesame" not in health.detail


async def test_a_database_that_does_not_exist_is_not_found(url: str):
    with pytest.raises(NotFoundError, match="nowhere"):
        await manager_of(url.rpartition("/")[0] + "/nowhere").connect()


async def test_a_server_that_is_down_is_unavailable_with_its_address():
    port = free_port()
    manager = manager_of(f"postgresql://app:secret@127.0.0.1:{port}/app", connect_attempts=1)
    with pytest.raises(UnavailableError, match=f"127.0.0.1:{port}") as caught:
        await manager.connect()
    assert "secret" not in "".join(traceback.format_exception(caught.value))
    assert not (await manager.health_check()).is_up
    assert not manager.is_healthy()


async def test_the_parts_do_what_the_url_does(postgres: PostgresServer, url: str):
    password = url.split(":")[2].partition("@")[0]
    port = int(url.rpartition(":")[2].partition("/")[0])
    parts = {"host": "127.0.0.1", "port": port, "name": "postgres", "user": "postgres"}
    settings = PostgresSettings.model_validate({**parts, "password": password})
    async with PostgresConnectionManager(settings) as db:
        assert await db.execute_query("SELECT 1 AS one") == [{"one": 1}]


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+asyncpg"])
async def test_every_usual_scheme_is_understood(url: str, scheme: str):
    async with manager_of(url.replace("postgresql", scheme)) as db:
        assert db.is_healthy()


def test_without_a_place_the_missing_parts_are_named():
    with pytest.raises(ValidationError, match="missing: name, user"):
        PostgresSettings(host="localhost")


@pytest.mark.parametrize(
    "url",
    [
        "mysql://app:hunter2@localhost/app",
        "app:hunter2@localhost/app",
        "postgresql://app:hun/ter2@localhost/app",
        "postgresql://app:hunter2@/app",
    ],
)
def test_an_unreadable_url_is_refused_without_quoting_it(url: str):
    with pytest.raises(ValidationError) as caught:
        PostgresSettings.model_validate({"url": url})
    assert "hun" not in "".join(traceback.format_exception(caught.value))


def test_no_password_is_shown():
    url = "postgresql://app:hunter2@localhost:5433/app"
    settings = PostgresSettings.model_validate({"url": url, "password": "hunter2"})
    manager = PostgresConnectionManager(settings)
    assert "hunter2" not in f"{settings!r} {settings} {manager!r} {settings.model_dump_json()}"
    assert settings.place() == "localhost:5433"


async def test_two_managers_of_like_settings_are_apart(url: str):
    async with manager_of(url) as first:
        async with like(first) as second:
            assert second.pool_stats().size == 1
        assert first.is_healthy()
