"""The way to a PostgreSQL server for pg8000: a socket that waits no longer than its call may."""

import contextlib
import errno
import socket
import ssl
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import pg8000

from infrastructure.connections.database.postgres.settings import PostgresSettings
from infrastructure.connections.sync_calls import seconds_left
from infrastructure.errors import ConfigurationError, RejectedError

_TLS_REQUEST = struct.pack("!ii", 8, 80877103)
#: Words of a URL that libpq, and so everybody, means for the client; others are the server's.
_OF_TLS = frozenset({"sslmode", "sslrootcert", "sslcert", "sslkey"})


class Line(socket.socket):
    """A socket that waits no longer than the running call may.

    Attributes:
        most_seconds: The longest wait where nothing else bounds it.
    """

    most_seconds: float

    def recv_into(self, *args: Any) -> int:
        """Receive; the end of the connection is an error, for no reply ends so."""
        try:
            self.bound()
            received = super().recv_into(*args)
            if not received:
                raise ConnectionResetError(errno.ECONNRESET, "closed by the server")
        except OSError as error:
            raise pg8000.InterfaceError("network error") from error
        return received

    def send(self, *args: Any) -> int:
        """Send some of it."""
        try:
            self.bound()
            return super().send(*args)
        except OSError as error:
            raise pg8000.InterfaceError("network error") from error

    def bound(self) -> None:
        """Let its next wait end with the running call.

        Raises:
            TimeoutError: There is no time left.
        """
        seconds = seconds_left(self.most_seconds)
        if seconds <= 0:
            raise TimeoutError
        self.settimeout(seconds)


class TlsLine(Line, ssl.SSLSocket):
    """The same over TLS."""


@contextlib.contextmanager
def _in_time(line: Line) -> Iterator[None]:
    """Let a wait of the line end with the running call; what fails is the driver's error."""
    try:
        line.bound()
        yield
    except OSError as error:
        raise pg8000.InterfaceError("network error") from error


@dataclass(frozen=True, slots=True)
class Place:
    """Where to connect, and as whom; a folder as host means a Unix socket in it."""

    host: str
    port: int
    database: str | None
    user: str | None
    password: str | None
    options: dict[str, str]

    def startup(self) -> dict[str, str]:
        """The options that are the server's."""
        return {name: text for name, text in self.options.items() if name not in _OF_TLS}


def place_of(settings: PostgresSettings) -> Place:
    """What the settings say, whether as a URL or in parts."""
    given = settings.address()
    if "dsn" not in given:
        return Place(
            host=given["host"],
            port=given["port"],
            database=given["database"],
            user=given["user"],
            password=given["password"],
            options={"sslmode": settings.ssl},
        )
    parts = urlsplit(given["dsn"])
    return Place(
        host=unquote(parts.hostname or ""),
        port=parts.port or settings.port,
        database=unquote(parts.path.strip("/")) or None,
        user=given.get("user") or unquote(parts.username or "") or None,
        password=given.get("password") or unquote(parts.password or "") or None,
        options={"sslmode": settings.ssl, **dict(parse_qsl(parts.query))},
    )


def open_line(place: Place, settings: PostgresSettings, where: str) -> Line:
    """A line to the server, over TLS if the settings ask for it or the server speaks it.

    Raises:
        OSError: The server was not reached, or not in time.
        InterfaceError: (pg8000) The line was lost meanwhile.
        RejectedError: It speaks no TLS, and TLS is asked for.
        ConfigurationError: A certificate's file cannot be read.
    """
    seconds = seconds_left(settings.connect_timeout_seconds)
    if place.host.startswith("/"):
        line = Line(socket.AF_UNIX, socket.SOCK_STREAM)
        line.settimeout(seconds)
        line.connect(f"{place.host}/.s.PGSQL.{place.port}")
    else:
        plain = socket.create_connection((place.host, place.port), max(seconds, 0.001))
        line = Line(fileno=plain.detach())
        line.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    line.most_seconds = settings.timeout_seconds
    try:
        return _secured(line, place, where)
    except BaseException:
        line.close()
        raise


def _secured(line: Line, place: Place, where: str) -> Line:
    """The line, over TLS if the server speaks it and the settings do not forbid it."""
    mode = place.options["sslmode"]
    if mode == "disable" or place.host.startswith("/"):
        return line
    with _in_time(line):
        line.sendall(_TLS_REQUEST)
        is_spoken = line.recv(1) == b"S"
    if is_spoken:
        context = _context(place.options, where)
        with _in_time(line):
            secured: Any = context.wrap_socket(line, server_hostname=place.host)
        secured.most_seconds = line.most_seconds
        return secured  # type: ignore[no-any-return] # of the context's class
    if mode in {"allow", "prefer"}:
        return line
    raise RejectedError(
        "the server speaks no TLS", where=where, hint=f"Turn it on there; ssl is {mode} here."
    )


def _context(options: dict[str, str], where: str) -> ssl.SSLContext:
    mode = options["sslmode"]
    try:
        context = ssl.create_default_context(cafile=options.get("sslrootcert"))
        context.check_hostname = mode == "verify-full"
        if not mode.startswith("verify"):
            context.verify_mode = ssl.CERT_NONE
        if "sslcert" in options:
            context.load_cert_chain(options["sslcert"], options.get("sslkey"))
    except OSError as error:
        raise ConfigurationError(
            f"a file of sslrootcert, sslcert or sslkey cannot be used ({type(error).__name__})",
            where=where,
            hint="They hold certificates and a key in PEM.",
        ) from error
    context.sslsocket_class = TlsLine
    return context
