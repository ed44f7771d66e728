"""The doors of the documents, by their own words."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from containers import Container, set_default
from infrastructure.database import (
    ConnectionManager,
    DatabaseConfig,
    DatabaseConnection,
    check_database_health,
    get_db_session,
    init_database,
)
from infrastructure.errors import ConfigurationError, RejectedError
from infrastructure.servers.postgres import PostgresServer
from tests.postgres_schema import emptied


@pytest.fixture
async def default() -> AsyncIterator[Container]:
    container = Container(profile="test", environ={})
    set_default(container)
    async with container:
        yield container
    set_default(None)


@pytest.fixture(scope="module")
def database(postgres: PostgresServer) -> str:
    return postgres.create_database()


@pytest.fixture(params=["sqlite", "postgres"])
def config(request: pytest.FixtureRequest, tmp_path: Path) -> DatabaseConfig:
    if request.param == "sqlite":
        return DatabaseConfig(url=f"sqlite:///{tmp_path}/app.db")
    return DatabaseConfig(url=emptied(request.getfixturevalue("database")))


@pytest.fixture
def pool(config: DatabaseConfig) -> Iterator[ConnectionManager]:
    manager = ConnectionManager()
    manager.create_connection_pool(config)
    yield manager
    manager.close()


def test_database_connection_validation():
    config = DatabaseConfig(url="sqlite:///:memory:")
    db = DatabaseConnection(config)
    assert db.engine is None
    db.connect()
    assert db.engine is not None
    assert db.validate_connection() is True
    db.close()


def test_a_session_is_committed_by_who_asked_for_it(config: DatabaseConfig):
    db = DatabaseConnection(config)
    with db.get_session() as session:
        session.execute(text("CREATE TABLE book (title text)"))
        session.execute(text("INSERT INTO book VALUES ('Dune')"))
        session.commit()
        session.execute(text("INSERT INTO book VALUES ('Emma')"))
    with db.get_session() as session:
        assert session.scalars(text("SELECT title FROM book")).all() == ["Dune"]
    db.close()


def test_connections_come_from_a_pool(pool: ConnectionManager):
    with pool.get_connection() as connection:
        connection.execute(text("CREATE TABLE book (title text)"))
        assert pool.pool is connection.engine
    with pool.get_connection() as connection:
        assert connection.execute(text("SELECT * FROM book")).all() == []


def test_errors_on_a_connection_are_ours(pool: ConnectionManager):
    with pool.get_connection() as connection, pytest.raises(RejectedError):
        connection.execute(text("SELEC 1"))


def test_without_a_pool_there_is_no_connection():
    with pytest.raises(ConfigurationError, match="create_connection_pool"):
        ConnectionManager().get_connection()


def test_a_url_of_another_database_is_refused_without_quoting_it():
    config = DatabaseConfig(url="mysql://app:hunter2@localhost/app")
    assert "hunter2" not in f"{config!r} {config.model_dump_json()}"
    with pytest.raises(ConfigurationError, match="'mysql'") as told:
        DatabaseConnection(config)
    assert "hunter2" not in str(told.value)


@pytest.mark.parametrize(
    "url", ["sqlite:app.db", "sqlite://app.db", "sqlite:/tmp/app.db", "sqlite:///app.db?timeout=5"]
)
def test_a_sqlite_url_that_names_no_file_is_not_taken_for_memory(url: str):
    with pytest.raises(ConfigurationError, match="sqlite:/// and a path"):
        DatabaseConnection(DatabaseConfig(url=url))


async def test_the_default_database_is_opened_checked_and_used(default: Container):
    await init_database()
    assert await check_database_health() is True
    async with get_db_session() as db:
        await db.execute("CREATE TABLE book (title text)")
        await db.execute("INSERT INTO book VALUES (:title)", {"title": "Dune"})
        await db.session.commit()
    async with get_db_session() as db:
        assert (await db.execute("SELECT title FROM book")).scalars().all() == ["Dune"]
        assert await db.scalar(text("SELECT count(*) FROM book")) == 1


async def test_a_body_that_fails_rolls_back(default: Container):
    async with get_db_session() as db:
        await db.execute("CREATE TABLE book (title text)")
    with pytest.raises(ZeroDivisionError):
        async with get_db_session() as db:
            await db.execute("INSERT INTO book VALUES ('Dune')")
            raise ZeroDivisionError
    async with get_db_session() as db:
        assert (await db.execute("SELECT * FROM book")).all() == []
