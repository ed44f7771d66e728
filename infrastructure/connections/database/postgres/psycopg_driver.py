"""The driver psycopg 3."""

import asyncio
import contextlib
import os
import socket
from collections.abc import AsyncGenerator
from contextlib import aclosing
from contextvars import ContextVar
from typing import Any, ClassVar

import psycopg
from psycopg.abc import PQGen, PQGenConn
from psycopg.pq import TransactionStatus
from psycopg.sql import SQL, Identifier
from psycopg.waiting import wait_async

from infrastructure.connections.database.postgres.driver import PostgresDriver
from infrastructure.connections.database.postgres.psycopg_line import (
    POLL_SECONDS,
    OneStatement,
    arguments,
    in_time,
    reason,
    refused_as,
)
from infrastructure.connections.database.postgres.psycopg_refusals import connecting
from infrastructure.connections.database.postgres.settings import PostgresSettings
from infrastructure.connections.database.postgres.sqlstate import (
    ROLLED_BACK_SAYS,
    not_reached,
    refusal,
)
from infrastructure.errors import InfrastructureError, UnavailableError

_LEAVE_SECONDS = 1.0
_begun_to_connect: ContextVar[list[PQGenConn["_Connection"]]] = ContextVar("begun_to_connect")


class PsycopgDriver(PostgresDriver):
    """Connections of psycopg."""

    dialect: ClassVar[str] = "postgresql+psycopg"

    def pool_arguments(self, settings: PostgresSettings) -> dict[str, Any]:  # noqa: ARG002 - the port's
        """Nothing: all of it is the connection's."""
        return {}

    async def connect(self, settings: PostgresSettings) -> "_Connection":
        """A new connection."""
        timeout = settings.statement_timeout_seconds
        server = {} if timeout is None else {"statement_timeout": f"{timeout * 1000:.0f}"}
        options = {**self.asked, **arguments(settings, server, self.where)}
        begun: list[PQGenConn[_Connection]] = []
        token = _begun_to_connect.set(begun)
        try:
            connection = await _Connection.connect(**options, cursor_factory=_Cursor)
        except psycopg.Error as error:
            if not error.sqlstate:
                raise UnavailableError(
                    f"no connection to PostgreSQL at {settings.place()} ({reason(error)})",
                    where=self.where,
                    hint="Is the server running?",
                ) from error
            raise self.translated(error, settings) or error from error
        finally:
            _begun_to_connect.reset(token)
            for steps in begun:  # one that was cancelled closes its line, and not when collected
                steps.close()
        connection.leaving = self._leaving
        connection.most_seconds = settings.timeout_seconds
        return connection

    async def leave(self, connection: "_Connection") -> None:
        """Cancel what runs on the server and say goodbye, or drop the line after a second."""
        await connection.leave()

    def abandon(self, connection: "_Connection") -> None:
        """Let go of a connection whose event loop is gone."""
        connection.pgconn.finish()

    def socket_of(self, connection: "_Connection") -> int:
        """The file number of its line; -1 when it is closed."""
        return -1 if connection.closed else connection.fileno()

    async def subscribe(
        self, connection: "_Connection", channel: str, idle_seconds: float
    ) -> AsyncGenerator[str, None]:
        """Listen on a channel; gives the payloads that come in."""
        await connection.set_autocommit(True)
        await connection.execute(SQL("LISTEN {}").format(Identifier(channel)))
        return _payloads(connection, idle_seconds)

    def translated(
        self, error: BaseException, settings: PostgresSettings
    ) -> InfrastructureError | None:
        """Our error for one of psycopg's."""
        if not isinstance(error, psycopg.Error):
            return not_reached(error, settings, where=self.where)
        state, said = refused_as(error)
        if not state and isinstance(error, psycopg.OperationalError):
            if isinstance(error.__cause__, TimeoutError):
                return not_reached(error.__cause__, settings, where=self.where)
            return UnavailableError(f"the connection was lost ({reason(error)})", where=self.where)
        return refusal(state, said, error, where=self.where)


class _Cursor(OneStatement, psycopg.AsyncCursor[Any]):
    """A cursor that sends one statement at a time."""


class _Connection(psycopg.AsyncConnection[Any]):
    """A connection that is ended without keeping its user waiting.

    Attributes:
        leaving: Where the driver keeps the farewells to wait for on closing.
        most_seconds: The longest wait for the server, where nothing else bounds it: of a stream
            of rows, or in `run_sync`.
    """

    leaving: set["asyncio.Task[None]"]
    most_seconds = 10.0
    _is_waited_for = False
    _is_left = False

    @classmethod
    def _connect_gen(cls, conninfo: str = "", **_: Any) -> PQGenConn["_Connection"]:
        steps = cls._connect_steps(conninfo)  # some versions say how long; our deadline counts
        _begun_to_connect.get().append(steps)
        return steps

    @classmethod
    def _connect_steps(cls, conninfo: str) -> PQGenConn["_Connection"]:
        return cls((yield from connecting(conninfo)))

    async def wait(
        self,
        gen: PQGen[Any],
        interval: float = POLL_SECONDS,
        timeout: float | None = None,  # noqa: ASYNC109 - the driver's signature
    ) -> Any:
        """Wait for the server; who is cancelled waits no longer, and has the connection ended.

        Where there is nothing to wait for, there is no moment to be cancelled in either: one who
        is setting up the connection that SQLAlchemy hands over would lose it.
        """
        try:
            wanted = next(gen)
        except StopIteration as done:
            return done.value
        self._is_waited_for = True
        try:
            begun, line = _begun(wanted, gen), self.pgconn.socket
            if timeout is not None:
                return await wait_async(begun, line, interval=interval, timeout=timeout)
            return await wait_async(in_time(begun, self.most_seconds), line, interval=interval)
        finally:
            self._is_waited_for = False
            if self._is_left:
                self.pgconn.finish()

    async def commit(self) -> None:
        """Commit; one that the server would turn into a rollback is an error."""
        if self.info.transaction_status is TransactionStatus.INERROR:
            await self.rollback()
            raise psycopg.errors.InFailedSqlTransaction(ROLLED_BACK_SAYS)
        await super().commit()

    async def close(self) -> None:
        """Start to leave, and return at once."""
        task = asyncio.create_task(self.leave())
        self.leaving.add(task)
        task.add_done_callback(self.leaving.discard)

    async def leave(self) -> None:
        """Cancel what runs on the server and say goodbye, or drop the line after a second."""
        try:
            if self.pgconn.transaction_status == TransactionStatus.ACTIVE:
                with contextlib.suppress(psycopg.Error, TimeoutError, OSError):
                    async with asyncio.timeout(_LEAVE_SECONDS):
                        await self.cancel_safe(timeout=_LEAVE_SECONDS)
        finally:
            self._drop()

    def _drop(self) -> None:
        """Close the line; under one who waits for it, it is cut, for the loop still watches it."""
        self._is_left = True
        if not self._is_waited_for:
            self.pgconn.finish()
            return
        with contextlib.suppress(OSError), socket.socket(fileno=os.dup(self.pgconn.socket)) as line:
            line.shutdown(socket.SHUT_RDWR)


def _begun(wanted: Any, gen: PQGen[Any]) -> PQGen[Any]:
    """The generator as it was before its first step, which was to want that."""
    try:
        while True:
            wanted = gen.send((yield wanted))
    except StopIteration as done:
        return done.value


async def _payloads(connection: _Connection, idle_seconds: float) -> AsyncGenerator[str, None]:
    try:
        while True:
            async with aclosing(connection.notifies(timeout=idle_seconds)) as notifications:
                async for notification in notifications:
                    yield notification.payload
            async with asyncio.timeout(idle_seconds):
                await connection.execute("SELECT 1")
    except (psycopg.OperationalError, OSError, TimeoutError):
        return
