"""The driver psycopg 3: one statement at a time, and a deadline over each wait for the server."""

import contextlib
import os
import socket
import time
from collections.abc import Generator
from typing import Any, Final, Self

import psycopg
from psycopg.abc import PQGen, PQGenConn
from psycopg.pq import TransactionStatus

from infrastructure.connections.database.postgres.psycopg_refusals import connecting
from infrastructure.connections.database.postgres.settings import PostgresSettings
from infrastructure.connections.database.postgres.sqlstate import ROLLED_BACK_SAYS
from infrastructure.connections.sync_calls import seconds_left

DIALECT: Final = "postgresql+psycopg"
_POLL_SECONDS = 0.1
#: After so many times a statement is prepared; never where PgBouncer stands between.
_PREPARE_AFTER = 5
#: Its names for what the settings call otherwise.
_NAMES = {"dsn": "conninfo", "database": "dbname", "ssl": "sslmode"}


class _Cursor(psycopg.Cursor[Any]):
    """A cursor that sends one statement at a time, with parameters and without."""

    def _execute_send(self, query: Any, **options: Any) -> None:
        super()._execute_send(query, **{**options, "force_extended": True})


class PsycopgConnection(psycopg.Connection[Any]):
    """A connection that waits no longer than the running call may.

    Attributes:
        most_seconds: The longest wait where nothing else bounds it.
    """

    most_seconds: float = 10.0

    @classmethod
    def _connect_gen(cls, conninfo: str = "") -> PQGenConn["PsycopgConnection"]:
        pgconn = yield from until(connecting(conninfo), seconds_left(cls.most_seconds))
        return cls(pgconn)

    def wait(
        self, gen: PQGen[Any], interval: float = _POLL_SECONDS, timeout: float | None = None
    ) -> Any:
        """Wait for the server."""
        seconds = seconds_left(self.most_seconds if timeout is None else timeout)
        try:
            return super().wait(until(gen, seconds), min(interval, max(seconds, 0.001)))
        except psycopg.Error:
            raise
        except BaseException:  # a signal's: the rest of the reply is nobody's
            self.close()
            raise

    def commit(self) -> None:
        """Commit; one that the server would turn into a rollback is an error."""
        if self.info.transaction_status is TransactionStatus.INERROR:
            self.rollback()
            raise psycopg.errors.InFailedSqlTransaction(ROLLED_BACK_SAYS)
        super().commit()

    def rollback(self) -> None:
        """Roll back; what was on a closed connection, the server has rolled back."""
        if not self.closed:
            super().rollback()

    @property
    def driver_connection(self) -> Self:
        """Itself: nothing stands between it and SQLAlchemy."""
        return self

    def socket_number(self) -> int:
        """The file number of its socket; -1 when it is closed."""
        return -1 if self.closed else self.pgconn.socket

    def cut(self) -> None:
        """End what another thread waits for, at once."""
        with (
            contextlib.suppress(OSError, psycopg.Error),
            socket.socket(fileno=os.dup(self.pgconn.socket)) as line,
        ):
            line.shutdown(socket.SHUT_RDWR)


def connect(settings: PostgresSettings, startup: dict[str, str], where: str) -> PsycopgConnection:  # noqa: ARG001 - as the other driver has it
    """A new connection, within what is left of the running call.

    Args:
        settings: Where to, and as whom.
        startup: Settings of the server for this connection, by name.
        where: The manager's name, for errors.

    Raises:
        Error: (psycopg) The server was not reached, or not in time, or it refused.
    """
    given: dict[str, Any] = {
        _NAMES.get(name, name): value for name, value in settings.address().items()
    }
    if startup:
        given["options"] = " ".join(f"-c {name}={text}" for name, text in startup.items())
    connection = PsycopgConnection.connect(
        **given,
        application_name=settings.application_name,
        cursor_factory=_Cursor,
        prepare_threshold=None if settings.pgbouncer else _PREPARE_AFTER,
    )
    connection.most_seconds = settings.timeout_seconds
    return connection


def state_of(error: BaseException) -> tuple[str, str] | None:
    """The sqlstate and the words of a refusal; None when the driver raised it by itself."""
    if not isinstance(error, psycopg.Error) or not error.sqlstate:
        return None
    return error.sqlstate, error.diag.message_primary or str(error)


def is_lost(error: BaseException) -> bool:
    """Whether the driver lost, or did not get, the connection."""
    return isinstance(error, psycopg.OperationalError) and not error.sqlstate


def until(gen: Generator[Any, Any, Any], seconds: float) -> Generator[Any, Any, Any]:
    """The same steps, ended when the time is up.

    Raises:
        OperationalError: (psycopg) It is; its cause is a TimeoutError.
    """
    at = time.monotonic() + seconds
    try:
        wanted = next(gen)
        while True:
            ready = yield wanted
            if not ready and time.monotonic() >= at:
                gen.close()
                raise psycopg.OperationalError("no answer in time") from TimeoutError()
            wanted = gen.send(ready)
    except StopIteration as end:
        return end.value
