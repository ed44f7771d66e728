"""What the settings of PostgreSQL change on the server and on the line."""

import asyncio
import socket
import ssl
import struct
import sys
from typing import Any, Self
from urllib.parse import urlsplit

import asyncpg
import pytest
from pydantic import ValidationError
from sqlalchemy import text

from infrastructure.connections.database.postgres import (
    PostgresConnectionManager,
    PostgresSettings,
)
from infrastructure.connections.database.postgres.sqlstate import not_reached
from infrastructure.errors import (
    AuthenticationError,
    ConfigurationError,
    DeadlineExceededError,
    InfrastructureError,
    MissingExtraError,
    UnavailableError,
)
from infrastructure.servers.postgres import PostgresServer

both_drivers = pytest.mark.parametrize("driver", ["asyncpg", "psycopg"])


@pytest.fixture(scope="module")
def url(postgres: PostgresServer) -> str:
    return postgres.create_database()


def manager_of(url: str, **changes: object) -> PostgresConnectionManager:
    settings = PostgresSettings.model_validate({"url": url, **changes})
    return PostgresConnectionManager(settings, name="db.default")


@both_drivers
async def test_the_server_ends_a_statement_that_takes_too_long(url: str, driver: str):
    async with manager_of(url, driver=driver, statement_timeout_seconds=0.05) as db:
        with pytest.raises(UnavailableError, match="57014"):
            await db.execute_query("SELECT pg_sleep(30)")
        assert db.pool_stats().in_use == 0


@both_drivers
async def test_what_the_url_says_to_the_server_counts_beside_the_timeout(url: str, driver: str):
    place = f"{url}?options=-c%20work_mem%3D5MB"
    async with manager_of(place, driver=driver, statement_timeout_seconds=7) as db:
        assert await db.execute_query("SHOW work_mem") == [{"work_mem": "5MB"}]
        assert await db.execute_query("SHOW statement_timeout") == [{"statement_timeout": "7s"}]


@pytest.mark.parametrize("changes", [{}, {"statement_timeout_seconds": 7}])
async def test_psycopg_takes_what_the_url_leaves_open_from_the_environment_as_libpq_does(
    url: str, monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any]
):
    monkeypatch.setenv("PGOPTIONS", "-c work_mem=5MB")
    async with manager_of(url, driver="psycopg", **changes) as db:
        assert await db.execute_query("SHOW work_mem") == [{"work_mem": "5MB"}]
    place = f"{url}?options=-c%20maintenance_work_mem%3D9MB"
    async with manager_of(place, driver="psycopg", **changes) as db:
        assert await db.execute_query("SHOW maintenance_work_mem") == [
            {"maintenance_work_mem": "9MB"}
        ]
        assert await db.execute_query("SHOW work_mem") != [{"work_mem": "5MB"}]


@both_drivers
async def test_behind_pgbouncer_no_statement_is_prepared_apart_from_its_execution(
    url: str, driver: str
):
    async with Tap(url) as tap:
        async with manager_of(tap.url, driver=driver, pgbouncer=True, ssl="disable") as db:
            for _ in range(8):
                await db.execute_query("SELECT CAST(:n AS integer) AS n", {"n": 1})
            async with db.session() as session:
                await session.execute(text("SELECT 2"))
                prepared = await session.scalar(text("SELECT count(*) FROM pg_prepared_statements"))
        assert prepared in {0, 1}  # the one that counts them
        rounds = tap.rounds()
    assert sum("B" in kinds(each) for each in rounds) >= 10
    for each in rounds:
        assert all(body[0] == 0 for kind, body in each if kind == "P")
        assert "B" not in kinds(each) or "P" in kinds(each)


@both_drivers
async def test_else_a_statement_is_prepared_once(url: str, driver: str):
    async with Tap(url) as tap:
        async with manager_of(tap.url, driver=driver, ssl="disable") as db:
            for _ in range(20):
                await db.execute_query("SELECT CAST(:n AS integer) AS n", {"n": 1})
        parses = [b for each in tap.rounds() for kind, b in each if kind == "P" and b"AS n" in b]
    assert 0 < len(parses) <= 7


def test_a_timeout_that_pgbouncer_would_refuse_is_refused_with_what_to_do():
    with pytest.raises(ValidationError, match="ALTER ROLE"):
        PostgresSettings.model_validate(
            {"url": "postgresql://a@b/c", "pgbouncer": True, "statement_timeout_seconds": 1}
        )


@both_drivers
async def test_new_connections_of_a_pool_take_the_password_that_counts_now(url: str, driver: str):
    role = f"app_{driver}"
    now = {"password": "first"}
    async with manager_of(url) as admin:
        await admin.execute_query(f"CREATE ROLE {role} LOGIN PASSWORD 'first'")
        place = f"postgresql://{url.partition('@')[2]}"
        db = manager_of(place, driver=driver, user=role, password="none yet")
        db.credentials = lambda: now
        async with db, db.session() as first:
            await first.execute(text("SELECT 1"))
            await admin.execute_query(f"ALTER ROLE {role} PASSWORD 'second'")
            with pytest.raises(AuthenticationError):
                await db.execute_query("SELECT 1")
            now["password"] = "second"
            assert await db.execute_query("SELECT current_user AS name") == [{"name": role}]
            assert db.pool_stats().size == 2
            await first.execute(text("SELECT 1"))
        await admin.execute_query(f"DROP ROLE {role}")


async def test_connections_opened_at_once_share_one_answer_for_the_credentials(url: str):
    asked: list[str] = []

    async def credentials() -> dict[str, str]:
        asked.append("once")
        await asyncio.sleep(0)
        return {"application_name": "asked"}

    async with manager_of(url) as db:
        db.credentials = credentials
        calls = (db.execute_query("SELECT current_setting('application_name')") for _ in range(4))
        await asyncio.gather(*calls)
        assert db.pool_stats().size == 4
    assert asked == ["once"]


async def fail() -> dict[str, str]:
    raise LookupError("hunter2")


async def keep_waiting() -> dict[str, str]:
    await asyncio.Event().wait()
    return {}


useless = pytest.mark.parametrize(
    ("credentials", "expected", "said"),
    [
        (fail, UnavailableError, r"`credentials` failed \(LookupError\)"),
        (keep_waiting, DeadlineExceededError, "no answer within 0.1 s"),
        (lambda: None, ConfigurationError, "expected settings by name, found NoneType"),
        (lambda: {"pasword": "hunter2"}, ConfigurationError, "pasword: Extra inputs"),
        (lambda: {"password": ["hunter2"]}, ConfigurationError, "password: Input should be"),
    ],
)


@useless
async def test_credentials_that_are_of_no_use_on_opening_are_our_error_and_hold_nobody_up(
    url: str, credentials: Any, expected: type[InfrastructureError], said: str
):
    db = manager_of(url, connect_timeout_seconds=0.1)
    db.credentials = credentials
    with pytest.raises(expected, match=said) as caught:
        await db.connect()
    assert "hunter2" not in str(caught.value)


@useless
async def test_credentials_that_are_of_no_use_for_one_more_connection_leave_the_others_be(
    url: str, credentials: Any, expected: type[InfrastructureError], said: str
):
    async with manager_of(url) as db, db.session() as first:
        await first.execute(text("SELECT 1"))
        db.settings = db.settings.model_copy(update={"timeout_seconds": 0.1})
        db.credentials = credentials
        with pytest.raises(expected, match=said) as caught:
            await db.execute_query("SELECT 1")
        db.settings = db.settings.model_copy(update={"timeout_seconds": 5})
        assert "hunter2" not in str(caught.value)
        assert await first.scalar(text("SELECT 1")) == 1


def test_the_parts_fill_in_what_a_url_does_not_say():
    parts = {"user": "app", "password": "hunter2", "host": "elsewhere", "ssl": "require"}
    whole = PostgresSettings.model_validate({"url": "postgres://me:mi%2Fne@one/shop", **parts})
    bare = PostgresSettings.model_validate({"url": "postgres://one/shop?sslmode=allow", **parts})
    assert whole.address() == {
        "dsn": "postgresql://one/shop",
        "ssl": "require",
        "user": "me",
        "password": "mi/ne",
    }
    assert bare.address() == {
        "dsn": "postgresql://one/shop?sslmode=allow",
        "user": "app",
        "password": "hunter2",
    }


@both_drivers
async def test_a_password_in_a_url_is_rotated_as_any_other(url: str, driver: str):
    password = urlsplit(url).password
    assert password
    db = manager_of(url.replace(password, "stale"), driver=driver)
    with pytest.raises(AuthenticationError):
        await db.connect()
    assert await db.rotate(password=password)
    async with db:
        assert await db.execute_query("SELECT 1 AS one") == [{"one": 1}]


def test_a_replica_is_like_the_primary_but_for_its_place():
    settings = PostgresSettings.model_validate(
        {
            "url": "postgresql://app:hunter2@one:5432/shop?sslmode=require",
            "pool_size": 3,
            "replicas": [{"host": "two", "port": 5433}, {"url": "postgresql://reader@three/shop"}],
        }
    )
    second, third = settings.of_replicas()
    assert second.address() == {
        "dsn": "postgresql://two:5433/shop?sslmode=require",
        "user": "app",
        "password": "hunter2",
    }
    assert third.address()["dsn"] == "postgresql://three/shop"
    assert third.address()["user"] == "reader"
    assert (second.pool_size, second.replicas) == (3, ())
    assert "hunter2" not in f"{settings!r} {second!r}"


@pytest.mark.parametrize("replica", [{}, {"host": "two", "url": "postgresql://reader@two/shop"}])
def test_a_replica_has_either_a_host_or_a_url(replica: dict[str, str]):
    with pytest.raises(ValidationError, match="either `url` or `host`"):
        PostgresSettings.model_validate({"url": "postgresql://a@one/shop", "replicas": [replica]})


def test_a_replica_may_be_named_by_its_number():
    given = {"url": "postgresql://a@one/shop", "replicas": [{"host": "::1", "port": 5433}]}
    (replica,) = PostgresSettings.model_validate(given).of_replicas()
    assert replica.place() == "[::1]:5433"


def test_a_replica_that_cannot_be_reached_as_the_primary_is_told_before_it_is_asked():
    given = {"url": "postgresql://a:hunter2@one/shop", "replicas": [{"host": "/run/postgres"}]}
    with pytest.raises(ValidationError, match="give that replica a `url`") as caught:
        PostgresSettings.model_validate(given)
    assert "hunter2" not in str(caught.value)


async def test_another_driver_counts_from_the_rotation_on(url: str):
    async with manager_of(url) as db:
        assert await db.rotate(driver="psycopg")
        assert await db.execute_query("SELECT 1 AS one") == [{"one": 1}]
        assert db.driver.dialect == "postgresql+psycopg"


@pytest.mark.parametrize(("driver", "extra"), [("asyncpg", "postgres"), ("psycopg", "psycopg")])
def test_a_driver_that_is_not_installed_is_told_with_its_extra(
    driver: str, extra: str, monkeypatch: pytest.MonkeyPatch
):
    module = f"infrastructure.connections.database.postgres.{driver}_driver"
    monkeypatch.delitem(sys.modules, module, raising=False)
    monkeypatch.setitem(sys.modules, driver, None)
    with pytest.raises(MissingExtraError, match=rf"switchgear\[{extra}\]"):
        manager_of("postgresql://a@b/c", driver=driver)


def test_a_driver_that_has_lost_count_of_its_connection_says_it_is_lost():
    db = manager_of("postgresql://a@b/c")
    confused = asyncpg.InternalClientError("cannot switch to state 12; another is in progress")
    assert isinstance(db.translated(confused), UnavailableError)


@pytest.mark.parametrize(
    "error",
    [
        socket.gaierror(socket.EAI_NONAME, "Name or service not known"),
        ssl.SSLError(1, "[SSL] wrong version number"),
    ],
)
def test_what_the_resolver_and_tls_say_is_told_in_their_words(error: OSError):
    settings = PostgresSettings.model_validate({"url": "postgresql://app@nowhere/app"})
    told = str(not_reached(error, settings, where="db.default"))
    assert f"({error.strerror})" in told


def kinds(messages: list[tuple[str, bytes]]) -> str:
    return "".join(kind for kind, _ in messages)


class Tap:
    """Forwards to a server, and keeps what clients say to it, connection by connection."""

    def __init__(self, url: str) -> None:
        self._port = urlsplit(url).port
        self._url = url
        self._said: list[bytearray] = []
        self._ends: list[asyncio.Future[None]] = []

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._forward, "127.0.0.1", 0)
        port = self._server.sockets[0].getsockname()[1]
        self.url = self._url.replace(f":{self._port}/", f":{port}/")
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        await asyncio.gather(*self._ends)

    def rounds(self) -> list[list[tuple[str, bytes]]]:
        """What was sent up to each Sync: pairs of kind and body, as the protocol has them."""
        rounds: list[list[tuple[str, bytes]]] = []
        for said in self._said:
            rounds.append([])
            (at,) = struct.unpack_from("!i", said)  # the first message has no kind
            while at < len(said):
                (length,) = struct.unpack_from("!i", said, at + 1)
                rounds[-1].append((chr(said[at]), bytes(said[at + 5 : at + 1 + length])))
                if said[at] == ord("S"):
                    rounds.append([])
                at += 1 + length
        return rounds

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        said, end = bytearray(), asyncio.get_running_loop().create_future()
        self._said.append(said)
        self._ends.append(end)
        server_reader, server_writer = await asyncio.open_connection("127.0.0.1", self._port)

        async def pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
            while data := await source.read(65536):
                if source is reader:
                    said.extend(data)
                sink.write(data)
            sink.close()
            await sink.wait_closed()

        try:
            await asyncio.gather(pump(reader, server_writer), pump(server_reader, writer))
        finally:
            end.set_result(None)
