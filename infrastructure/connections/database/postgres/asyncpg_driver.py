"""The driver asyncpg."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from typing import Any, ClassVar

import asyncpg

from infrastructure.connections.database.postgres.driver import PostgresDriver
from infrastructure.connections.database.postgres.settings import PostgresSettings
from infrastructure.connections.database.postgres.sqlstate import (
    ROLLED_BACK_SAYS,
    not_reached,
    refusal,
)
from infrastructure.errors import (
    ConfigurationError,
    DeadlineExceededError,
    InfrastructureError,
    UnavailableError,
)

_LEAVE_SECONDS = 1.0
_ERRORS = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)
#: Notifications of one channel that wait to be read; with more of them, the connection is given up.
_MOST_WAITING = 10_000


class AsyncpgDriver(PostgresDriver):
    """Connections of asyncpg."""

    dialect: ClassVar[str] = "postgresql+asyncpg"

    def pool_arguments(self, settings: PostgresSettings) -> dict[str, Any]:
        """No prepared statement is kept, and none has a name, where PgBouncer stands between."""
        if not settings.pgbouncer:
            return {}
        return {"prepared_statement_cache_size": 0, "prepared_statement_name_func": str}

    async def connect(self, settings: PostgresSettings) -> "_Connection":
        """A new connection."""
        server = {"application_name": settings.application_name}
        if settings.statement_timeout_seconds is not None:
            server["statement_timeout"] = f"{settings.statement_timeout_seconds * 1000:.0f}"
        cache = {"statement_cache_size": 0} if settings.pgbouncer else {}
        try:
            connection: _Connection = await asyncpg.connect(
                **settings.address(),
                **cache,
                timeout=settings.connect_timeout_seconds,
                command_timeout=settings.timeout_seconds,
                server_settings=server,
                connection_class=_Connection,
            )
        except ValueError:
            # the driver's text may quote the password
            raise ConfigurationError("`url` cannot be read", where=self.where) from None
        except TimeoutError as error:
            raise DeadlineExceededError(
                settings.connect_timeout_seconds, where=self.where
            ) from error
        except (OSError, *_ERRORS) as error:
            raise self.translated(error, settings) or error from error
        connection.leaving = self._leaving
        return connection

    async def leave(self, connection: "_Connection") -> None:
        """Cancel what runs on the server and say goodbye, or drop the line after a second."""
        await connection.leave()

    def abandon(self, connection: "_Connection") -> None:
        """Let go of a connection whose event loop is gone."""
        with contextlib.suppress(RuntimeError):  # the loop is closed
            connection.terminate()

    def socket_of(self, connection: "_Connection") -> int:
        """The file number of its line; -1 when it is closed."""
        line = None if connection.is_closed() else connection._transport.get_extra_info("socket")  # noqa: SLF001 - the driver has no name for it
        return -1 if line is None else int(line.fileno())

    async def subscribe(
        self, connection: "_Connection", channel: str, idle_seconds: float
    ) -> AsyncGenerator[str, None]:
        """Listen on a channel; gives the payloads that come in."""
        waiting: asyncio.Queue[str | None] = asyncio.Queue(_MOST_WAITING)

        def ended(_connection: Any) -> None:
            with contextlib.suppress(asyncio.QueueFull):  # it is read to its end first
                waiting.put_nowait(None)

        def heard(_connection: Any, _process: int, _channel: str, payload: str) -> None:
            try:
                waiting.put_nowait(payload)
            except asyncio.QueueFull:  # that some were lost is told by listening anew
                connection.terminate()

        connection.add_termination_listener(ended)
        await connection.add_listener(channel, heard)
        return _payloads(connection, waiting, idle_seconds)

    def translated(
        self, error: BaseException, settings: PostgresSettings
    ) -> InfrastructureError | None:
        """Our error for one of asyncpg's, or of what SQLAlchemy makes of it."""
        found = error.__cause__ if hasattr(error, "pgcode") and error.__cause__ else error
        if isinstance(found, asyncpg.InternalClientError):  # it was ended in the middle of a call
            return UnavailableError("the connection was lost", where=self.where)
        if isinstance(found, _ERRORS):
            state = getattr(found, "sqlstate", None) or ""
            return refusal(state, str(found.args[0]), found, where=self.where)
        return not_reached(found, settings, where=self.where)


class _Connection(asyncpg.Connection):  # type: ignore[misc] # asyncpg has no types
    """A connection that is ended without keeping its user waiting.

    Ending one that was cancelled takes a round trip, and a silent network would make it longer
    than the deadline that led to it.

    Attributes:
        leaving: Where the driver keeps the farewells to wait for on closing.
    """

    leaving: set["asyncio.Task[None]"]

    async def execute(self, query: str, *args: Any, timeout: float | None = None) -> str:  # noqa: ASYNC109 - the driver's signature
        """Run commands; a commit that the server turned into a rollback is an error."""
        status: str = await super().execute(query, *args, timeout=timeout)
        if status == "ROLLBACK" and query.startswith("COMMIT"):
            raise asyncpg.InFailedSQLTransactionError(ROLLED_BACK_SAYS)
        return status

    async def close(self, *, timeout: float | None = None) -> None:  # noqa: ARG002, ASYNC109 - the driver's signature
        """Start to leave, and return at once."""
        task = asyncio.create_task(self.leave())
        self.leaving.add(task)
        task.add_done_callback(self.leaving.discard)

    async def leave(self) -> None:
        """Cancel what runs on the server and say goodbye, or drop the line after a second."""
        try:
            async with asyncio.timeout(_LEAVE_SECONDS):  # older ones wait longer to cancel
                await super().close(timeout=_LEAVE_SECONDS)
        except (OSError, TimeoutError, *_ERRORS):
            self.terminate()
        except asyncio.CancelledError:  # there is no time left for it
            self.terminate()
            raise


async def _payloads(
    connection: _Connection, waiting: "asyncio.Queue[str | None]", idle_seconds: float
) -> AsyncGenerator[str, None]:
    while not (connection.is_closed() and waiting.empty()):
        try:
            async with asyncio.timeout(idle_seconds):
                payload = await waiting.get()
        except TimeoutError:
            try:
                await connection.execute("SELECT 1", timeout=idle_seconds)
            except (OSError, TimeoutError, *_ERRORS):
                return
        else:
            if payload is not None:
                yield payload
