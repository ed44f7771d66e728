"""The driver pg8000: one statement at a time, and a deadline over each wait for the server."""

import contextlib
import socket
import struct
from typing import Any, Final, Self

import pg8000
from pg8000.converters import make_params
from pg8000.core import EXECUTE_MSG, IN_FAILED_TRANSACTION, SYNC_MSG, TERMINATE_MSG, Context
from pg8000.dbapi import convert_paramstyle
from sqlalchemy.dialects import registry
from sqlalchemy.dialects.postgresql.pg8000 import PGDialect_pg8000

from infrastructure.connections.database.postgres.pg8000_line import open_line, place_of
from infrastructure.connections.database.postgres.settings import PostgresSettings
from infrastructure.connections.database.postgres.sqlstate import ROLLED_BACK, ROLLED_BACK_SAYS

DIALECT: Final = "postgresql+switchgear_pg8000"
_FAREWELL_SECONDS = 0.1
_BEGIN = "begin transaction"
#: What begins no transaction where none is open.
_ENDS = frozenset({"commit", "rollback"})
_DESCRIBE_UNNAMED: Final = b"D\0\0\0\6S\0"
#: The protocol counts them in 16 bits.
_MOST_PARAMETERS = 65_535
_INT, _SHORT = struct.Struct("!i"), struct.Struct("!H")


class Pg8000Connection(pg8000.Connection):  # type: ignore[misc] # pg8000 has no types
    """A connection that takes one statement at a time, and is left without waiting.

    A statement goes out in one piece, ahead of it the beginning of its transaction where there is
    none yet; the driver by itself waits for the server four times, and flushes each step.

    Attributes:
        isolation: Of transactions that begin from now on.
    """

    _sock: Any
    _usock: Any
    isolation = "READ COMMITTED"

    def execute_simple(self, statement: str) -> Any:
        """Send a statement without parameters the way those with parameters go.

        As a simple query it could be several at once, which is how injected SQL ends a first one.
        """
        if statement == _BEGIN:  # the driver's own, ahead of the statement that is to come
            return Context(statement)
        plain, _ = convert_paramstyle("format", statement, ())
        return self.execute_unnamed(plain)

    def execute_unnamed(
        self, statement: str, vals: Any = (), oids: Any = (), stream: Any = None
    ) -> Any:
        """Parse, bind and execute in one round trip."""
        steps = b""
        if not (self.autocommit or self._in_transaction or statement in _ENDS):
            steps = self._steps(f"begin isolation level {self.isolation}", (), ())
        context = Context(statement, stream=stream)
        steps += self._steps(statement, make_params(self.py_types, vals), oids)
        try:
            self._sock.write(steps + SYNC_MSG)
            self._sock.flush()
            self.handle_messages(context)
        except BaseException as error:
            if error is not context.error:  # the rest of the reply is nobody's
                self.close()
            raise
        return context

    def handle_DATA_ROW(self, data: Any, context: Any) -> None:  # noqa: N802 - the driver's name
        """Read a row; one that Python has no values for ends the statement, not the reply."""
        try:
            super().handle_DATA_ROW(data, context)
        except ValueError:
            context.error = pg8000.DataError("a value of the reply is none that Python has")

    def commit(self) -> None:
        """Commit; one that the server would turn into a rollback is an error."""
        if self._transaction_status == IN_FAILED_TRANSACTION:
            self.rollback()
            raise pg8000.ProgrammingError({"C": ROLLED_BACK, "M": ROLLED_BACK_SAYS})
        if self._in_transaction:
            super().commit()

    def rollback(self) -> None:
        """Roll back; what was on a closed connection, the server has rolled back."""
        if self._usock is not None:
            super().rollback()

    def close(self) -> None:
        """Say goodbye if that takes no waiting; harmless when closed already."""
        files, line = self._sock, self._usock
        self._sock = self._usock = None
        if line is None:
            return
        line.most_seconds = _FAREWELL_SECONDS
        with contextlib.suppress(pg8000.Error, OSError, ValueError):
            files.write(TERMINATE_MSG)
            files.flush()
        with contextlib.suppress(pg8000.Error, OSError, ValueError):
            files.close()
        line.close()

    @property
    def driver_connection(self) -> Self:
        """Itself: nothing stands between it and SQLAlchemy."""
        return self

    def socket_number(self) -> int:
        """The file number of its socket; -1 when it is closed."""
        return -1 if self._usock is None else int(self._usock.fileno())

    def cut(self) -> None:
        """End what another thread waits for, at once."""
        if self._usock is not None:
            with contextlib.suppress(OSError):
                socket.socket.shutdown(self._usock, socket.SHUT_RDWR)

    def _steps(self, statement: str, params: tuple[str | None, ...], oids: Any) -> bytes:
        """The messages of a statement, up to its execution."""
        if len(params) > _MOST_PARAMETERS:
            msg = f"more than {_MOST_PARAMETERS:,} parameters"
            raise pg8000.InterfaceError(msg)
        encode = self._client_encoding
        parse = [b"\0", statement.encode(encode), b"\0", _SHORT.pack(len(oids))]
        parse += [_INT.pack(max(oid, 0)) for oid in oids]
        bind = [b"\0\0\0\0", _SHORT.pack(len(params))]
        for value in params:
            sent = b"" if value is None else value.encode(encode)
            bind += [_INT.pack(-1 if value is None else len(sent)), sent]
        bind.append(b"\0\0")
        steps = (_message(b"P", parse), _DESCRIBE_UNNAMED, _message(b"B", bind), EXECUTE_MSG)
        return b"".join(steps)


class Dialect(PGDialect_pg8000):
    """SQLAlchemy's, but that it costs no round trip to say what a transaction is to see."""

    supports_statement_cache = True

    def set_isolation_level(self, dbapi_connection: Any, level: Any) -> None:
        """Have the transactions from now on so; or none, for AUTOCOMMIT."""
        dbapi_connection.autocommit = level == "AUTOCOMMIT"
        if not dbapi_connection.autocommit:
            dbapi_connection.isolation = level

    def is_disconnect(self, e: Any, connection: Any, cursor: Any) -> bool:  # noqa: ARG002 - its signature
        """Whether the connection is of no more use, whatever the words of the error."""
        return is_lost(e) or (connection is not None and connection.socket_number() < 0)


registry.register("postgresql.switchgear_pg8000", __name__, "Dialect")


def connect(settings: PostgresSettings, startup: dict[str, str], where: str) -> Pg8000Connection:
    """A new connection, within what is left of the running call.

    Args:
        settings: Where to, and as whom.
        startup: Settings of the server for this connection, by name.
        where: The manager's name, for errors.

    Raises:
        OSError: The server was not reached, or not in time.
        Error: (pg8000) It refused.
        RejectedError: It speaks no TLS, and TLS is asked for.
        ConfigurationError: A certificate's file cannot be read.
    """
    place = place_of(settings)
    line = open_line(place, settings, where)
    try:
        return Pg8000Connection(
            user=place.user,
            database=place.database,
            password=place.password or "",
            application_name=settings.application_name,
            startup_params={**place.startup(), **startup},
            sock=line,
            ssl_context=False,  # the line is as it is to be
        )
    except BaseException:
        line.close()
        raise


def state_of(error: BaseException) -> tuple[str, str] | None:
    """The sqlstate and the words of a refusal; None when the driver raised it by itself."""
    told = error.args[0] if isinstance(error, pg8000.Error) and error.args else None
    return (str(told.get("C", "")), str(told.get("M", ""))) if isinstance(told, dict) else None


def is_lost(error: BaseException) -> bool:
    """Whether the driver lost, or did not get, the connection."""
    return isinstance(error.__cause__ if isinstance(error, pg8000.Error) else error, OSError)


def _message(code: bytes, parts: list[bytes]) -> bytes:
    data = b"".join(parts)
    return code + _INT.pack(len(data) + 4) + data
