"""Ways to a PostgreSQL server that are no plain TCP: TLS, and a Unix socket."""

import contextlib
import socket
import ssl
import struct
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import urlsplit

import pytest

from infrastructure.connections.database.postgres.settings import PostgresSettings
from infrastructure.connections.database.postgres.sync import SyncPostgresConnectionManager
from infrastructure.errors import (
    AuthenticationError,
    ConfigurationError,
    DeadlineExceededError,
    InfrastructureError,
)
from infrastructure.servers.postgres import PostgresServer
from tests.faults.tls import Certificate

TLS_REQUEST = struct.pack("!ii", 8, 80877103)
with_each_driver = pytest.mark.parametrize("driver", ["pg8000", "psycopg"])


class TlsDoor:
    """Speaks TLS as PostgreSQL does, once it is asked for it, and passes what is inside on.

    Attributes:
        port: Where it listens.
        secured: How many connections asked for TLS.
    """

    def __init__(self, target: int, certificate: Certificate) -> None:
        self._target = target
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(certificate.file, certificate.key)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = []
        self._threads: list[Thread] = []
        self.port: int = self._listener.getsockname()[1]
        self.secured = 0
        self._start(self._accept)

    def close(self) -> None:
        for line in (self._listener, *self._open):
            with contextlib.suppress(OSError):
                socket.socket.shutdown(line, socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(10)
        for line in (self._listener, *self._open):
            line.close()

    def _start(self, work: Callable[..., None], *args: Any) -> None:
        self._threads.append(Thread(target=work, args=args))
        self._threads[-1].start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                self._start(self._serve, self._listener.accept()[0])

    def _serve(self, client: socket.socket) -> None:
        self._open.append(client)
        with contextlib.suppress(OSError):
            first = client.recv(8, socket.MSG_WAITALL)
            if first == TLS_REQUEST:
                self.secured += 1
                client.sendall(b"S")
                client = self._context.wrap_socket(client, server_side=True)
                self._open.append(client)
                first = b""
            server = socket.create_connection(("127.0.0.1", self._target))
            self._open.append(server)
            server.sendall(first)
            self._start(_pump, client, server)
            _pump(server, client)


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
    with contextlib.suppress(OSError):
        socket.socket.shutdown(sink, socket.SHUT_RDWR)


@pytest.fixture
def certificate(tmp_path: Path) -> Certificate:
    return Certificate(tmp_path)


@pytest.fixture
def door(postgres: PostgresServer, certificate: Certificate) -> Iterator[TlsDoor]:
    door = TlsDoor(urlsplit(postgres.url).port or 0, certificate)
    yield door
    door.close()


@pytest.fixture
def url(postgres: PostgresServer, door: TlsDoor) -> str:
    """The server's, through the door."""
    port = urlsplit(postgres.url).port
    return postgres.url.replace(f":{port}/", f":{door.port}/")


def manager_of(driver: str, **settings: object) -> SyncPostgresConnectionManager:
    given = {"sync_driver": driver, "connect_attempts": 1, **settings}
    return SyncPostgresConnectionManager(PostgresSettings.model_validate(given), name="db.tls")


def ask(manager: SyncPostgresConnectionManager, sql: str = "SELECT 1 AS one") -> Any:
    with manager:
        return manager.execute_query(sql)


@with_each_driver
@pytest.mark.parametrize(("mode", "is_secured"), [("disable", 0), ("prefer", 1), ("require", 1)])
def test_tls_is_spoken_as_the_settings_say(
    url: str, door: TlsDoor, driver: str, mode: str, is_secured: int
):
    assert ask(manager_of(driver, url=url, ssl=mode)) == [{"one": 1}]
    assert door.secured == is_secured


@with_each_driver
def test_a_certificate_is_verified_by_the_authority_named_in_the_url(
    url: str, door: TlsDoor, certificate: Certificate, driver: str
):
    query = f"?sslmode=verify-full&sslrootcert={certificate.file}"
    assert ask(manager_of(driver, url=url + query)) == [{"one": 1}]
    assert door.secured == 1


@with_each_driver
def test_a_certificate_of_an_unknown_authority_is_refused(url: str, driver: str, tmp_path: Path):
    other = Certificate(tmp_path, "other")
    query = f"?sslmode=verify-full&sslrootcert={other.file}"
    with pytest.raises(InfrastructureError) as told:
        ask(manager_of(driver, url=url + query))
    if driver == "pg8000":  # libpq says it in words alone
        assert isinstance(told.value, AuthenticationError)


def test_an_authority_that_cannot_be_read_is_a_configuration_error(url: str):
    query = "?sslmode=verify-full&sslrootcert=/nowhere.pem"
    with pytest.raises(ConfigurationError, match="sslrootcert"):
        ask(manager_of("pg8000", url=url + query))


@with_each_driver
def test_a_slow_statement_over_tls_ends_at_the_deadline(url: str, driver: str):
    manager = manager_of(driver, url=url, ssl="require", timeout_seconds=0.2)
    with pytest.raises(DeadlineExceededError):
        ask(manager, "SELECT pg_sleep(30)")


def test_a_folder_as_host_means_the_unix_socket_in_it():
    if reason := PostgresServer.reason_missing():
        pytest.skip(reason)
    with tempfile.TemporaryDirectory() as folder:  # a path short enough for a socket
        Path(folder).chmod(0o777)  # the server may be another user's
        with PostgresServer({"unix_socket_directories": folder}) as server:
            parts = urlsplit(server.url)
            place = {"host": folder, "port": parts.port, "name": "postgres"}
            person = {"user": parts.username, "password": parts.password}
            for driver in ("pg8000", "psycopg"):
                with manager_of(driver, **place, **person) as db:
                    asked = db.execute_query("SELECT inet_client_addr() AS address")
                assert asked == [{"address": None}]
