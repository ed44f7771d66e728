"""The driver psycopg 3: one statement at a time, and a deadline over each wait for the server."""

import contextlib
import os
import socket
from typing import Any, Final, Self

import psycopg
from psycopg.abc import PQGen, PQGenConn
from psycopg.pq import TransactionStatus

from infrastructure.connections.database.postgres.psycopg_line import (
    POLL_SECONDS,
    OneStatement,
    arguments,
    in_time,
    refused_as,
)
from infrastructure.connections.database.postgres.psycopg_refusals import connecting
from infrastructure.connections.database.postgres.settings import PostgresSettings
from infrastructure.connections.database.postgres.sqlstate import ROLLED_BACK_SAYS
from infrastructure.connections.sync_calls import seconds_left

DIALECT: Final = "postgresql+psycopg"


class _Cursor(OneStatement, psycopg.Cursor[Any]):
    """A cursor that sends one statement at a time."""


class PsycopgConnection(psycopg.Connection[Any]):
    """A connection that waits no longer than the running call may.

    Attributes:
        most_seconds: The longest wait where nothing else bounds it.
    """

    most_seconds: float = 10.0

    @classmethod
    def _connect_gen(cls, conninfo: str = "", **_: Any) -> PQGenConn["PsycopgConnection"]:
        pgconn = yield from in_time(connecting(conninfo), seconds_left(cls.most_seconds))
        return cls(pgconn)

    def wait(
        self, gen: PQGen[Any], interval: float = POLL_SECONDS, timeout: float | None = None
    ) -> Any:
        """Wait for the server."""
        seconds = seconds_left(self.most_seconds if timeout is None else timeout)
        try:
            return super().wait(in_time(gen, seconds), min(interval, max(seconds, 0.001)))
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


def connect(settings: PostgresSettings, startup: dict[str, str], where: str) -> PsycopgConnection:
    """A new connection, within what is left of the running call.

    Args:
        settings: Where to, and as whom.
        startup: Settings of the server for this connection, by name.
        where: The manager's name, for errors.

    Raises:
        Error: (psycopg) The server was not reached, or not in time, or it refused.
        ConfigurationError: The URL cannot be read.
    """
    told = arguments(settings, startup, where)
    connection = PsycopgConnection.connect(**told, cursor_factory=_Cursor)
    connection.most_seconds = settings.timeout_seconds
    return connection


def state_of(error: BaseException) -> tuple[str, str] | None:
    """The sqlstate and the words of a refusal; None when the driver raised it by itself."""
    told = refused_as(error) if isinstance(error, psycopg.Error) else ("", "")
    return told if told[0] else None


def is_lost(error: BaseException) -> bool:
    """Whether the driver lost, or did not get, the connection."""
    return isinstance(error, psycopg.OperationalError) and not error.sqlstate
