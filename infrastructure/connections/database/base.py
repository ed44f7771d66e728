"""What the SQL databases share: a SQLAlchemy pool, single statements and sessions, all bounded."""

import asyncio
from abc import abstractmethod
from collections.abc import AsyncIterator, Awaitable, Mapping
from contextlib import asynccontextmanager, suppress
from functools import lru_cache
from typing import Any, ClassVar, TypeVar

from pydantic import Field
from sqlalchemy import TextClause, event, text
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import DBAPIError, StatementError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession
from sqlalchemy.pool import QueuePool

from infrastructure.config.models.base import Seconds
from infrastructure.config.models.db import ConnectionSettings
from infrastructure.connections.base import AsyncBaseConnectionManager, PoolStats
from infrastructure.connections.database.session import BoundedSession, outcome_unknown
from infrastructure.errors import (
    InfrastructureError,
    OverloadedError,
    RejectedError,
    UnavailableError,
)

ResultT = TypeVar("ResultT")

#: Statements that change nothing, so that losing their answer loses nothing.
_READING = frozenset({"pragma", "select", "show", "table", "values"})
#: A wait inside a call ends before the call's own deadline, so that its reason can be told.
_SHARE_OF_DEADLINE = 0.8


class SqlSettings(ConnectionSettings):
    """The pool of a SQL database."""

    pool_size: int = Field(default=5, ge=1, description="Connections kept open.")
    max_overflow: int = Field(default=5, ge=0, description="Connections beyond them under load.")
    pool_timeout_seconds: Seconds = Field(
        default=5.0, description="Longest wait for a free connection; at most 80 % of the deadline."
    )

    def within_deadline(self, seconds: float) -> float:
        """`seconds`, or as much of it as fits well into `timeout_seconds`."""
        return min(seconds, _SHARE_OF_DEADLINE * self.timeout_seconds)


class SqlConnectionManager(AsyncBaseConnectionManager):
    """A database that speaks SQL: single statements, and sessions.

    Raises (every call):
        UnavailableError: No answer, or none within `timeout_seconds`. Nothing was changed.
        OutcomeUnknownError: The answer to a writing statement or a commit was lost.
        OverloadedError: No free connection or lock in time, or a deadlock: try again later.
        AuthenticationError: The server refused the credentials.
        ConflictError: A unique key exists already.
        RejectedError: The server refused the statement.
    """

    Settings: ClassVar[type[SqlSettings]]
    settings: SqlSettings

    def __init__(self, settings: SqlSettings, *, name: str = "") -> None:
        super().__init__(settings, name=name)
        self._engine: AsyncEngine | None = None
        self._sessions: AsyncEngine | None = None
        self._connections: set[Any] = set()

    async def execute_query(
        self, sql: str, params: Mapping[str, Any] | None = None
    ) -> list[dict[str, Any]]:
        r"""Run one statement in a transaction of its own; values only through `params`.

        Args:
            sql: One statement with `:name` for each parameter, `\:` for a colon in a literal.
            params: The values by name.

        Returns:
            The rows, each a mapping of column to value; empty for a statement without rows.
        """
        is_sent = False
        try:
            async with self.calling(), self._opened(self._engine).connect() as connection:
                is_sent = True
                result = await connection.execute(_parsed(sql), params or {})
                if not result.returns_rows:
                    return []
                columns = tuple(result.keys())
                return [dict(zip(columns, row, strict=True)) for row in result]
        except UnavailableError as error:
            if is_sent and not _is_reading(sql):
                raise outcome_unknown("the statement", error) from error
            raise

    @asynccontextmanager
    async def session(self) -> AsyncIterator[AsyncSession]:
        """A session: committed at the end, rolled back on an exception, always closed.

        A connection is taken from the pool by the first statement. Each call on the session is
        bounded by `timeout_seconds` and raises our errors.
        """
        await self.drain.begin()
        try:
            await self.connect()
            session = BoundedSession(self._opened(self._sessions), self.bounded, self)
            try:
                yield session
                await session.commit()
            except (DBAPIError, PoolTimeoutError) as error:
                # what a call that is not wrapped, such as run_sync, lets through
                raise self.translated(error) or error from error
            finally:
                await _finish(_give_back(session))
        finally:
            self.drain.end()

    def pool_stats(self) -> PoolStats:
        """How many connections there are; zeros when not connected."""
        if self._engine is None or not isinstance(pool := self._engine.pool, QueuePool):
            return PoolStats(size=0, in_use=0, limit=0)
        in_use = pool.checkedout()
        limit = pool.size() + pool._max_overflow  # noqa: SLF001 - the pool has no name for it
        return PoolStats(size=pool.checkedin() + in_use, in_use=in_use, limit=limit)

    @abstractmethod
    def _create_engines(self) -> tuple[AsyncEngine, AsyncEngine]:
        """Engines over one pool: for single statements, and for sessions."""

    @abstractmethod
    def _translate(self, error: BaseException) -> InfrastructureError | None:
        """Our error for one of the driver's, by its code; None when it is not the driver's."""

    @abstractmethod
    async def _leave(self, connection: Any) -> None:
        """End a driver's connection within a second or so, whatever it is doing."""

    @abstractmethod
    def _abandon(self, connection: Any) -> None:
        """Let go of a driver's connection whose event loop is gone."""

    async def _open(self) -> None:
        # those of an event loop that is gone
        for connection in self._connections:
            self._abandon(connection)
        self._connections = set()
        self._engine, self._sessions = self._create_engines()
        self._listen(self._engine)
        try:
            await self._ping()
        except BaseException:
            await _finish(self._close())
            raise

    async def _close(self) -> None:
        engine, self._engine, self._sessions = self._engine, None, None
        leaving, self._connections = self._connections, set()
        await asyncio.gather(*(self._leave(connection) for connection in leaving))
        if engine is not None:
            await engine.dispose(close=False)

    async def _ping(self) -> str:
        engine = self._opened(self._engine)
        async with self.bounded(), engine.connect() as connection:
            await connection.execute(text("SELECT 1"))
        version = engine.dialect.server_version_info or ()
        return f"{engine.dialect.name} {'.'.join(map(str, version))}".rstrip()

    def _opened(self, engine: AsyncEngine | None) -> AsyncEngine:
        if engine is None:
            raise UnavailableError("was closed while in use", where=self.name)
        return engine

    def translated(self, error: Exception) -> InfrastructureError | None:
        """Our error for one of SQLAlchemy's; None when it is not its."""
        if isinstance(error, DBAPIError):
            cause = error.orig or error
            return self._translate(cause) or RejectedError(type(cause).__name__, where=self.name)
        if not isinstance(error, PoolTimeoutError):
            return None
        stats = self.pool_stats()
        return OverloadedError(
            f"all {stats.limit} connections stayed in use for "
            f"{self.settings.within_deadline(self.settings.pool_timeout_seconds):g} s",
            where=self.name,
            hint="Raise pool_size or max_overflow, or hold sessions for a shorter time.",
        )

    def _on_error(self, context: ExceptionContext) -> BaseException | None:
        if context.is_pre_ping:
            context.is_disconnect = True  # a ping that fails for any reason ends the connection
            return None
        error = self._error_for(context)
        if isinstance(error, UnavailableError):
            # a slow statement says nothing about the other connections
            context.invalidate_pool_on_disconnect = context.is_disconnect
            context.is_disconnect = True
        return error

    def _error_for(self, context: ExceptionContext) -> InfrastructureError | None:
        original, wrapped = context.original_exception, context.sqlalchemy_exception
        if not isinstance(original, Exception):
            return None  # the caller was cancelled
        if self._is_left(context):
            return UnavailableError("was closed while in use", where=self.name)
        if context.is_disconnect:
            found = self._translate(original)
            if isinstance(found, UnavailableError):
                return found
            return UnavailableError("the connection was lost", where=self.name)
        if isinstance(wrapped, StatementError) and not isinstance(wrapped, DBAPIError):
            reason = original.args[0] if original.args else type(original).__name__
            return RejectedError(f"the statement's parameters: {reason}", where=self.name)
        return self._translate(original)

    def _is_left(self, context: ExceptionContext) -> bool:
        """Whether the engine the error comes from has been closed since."""
        if self._engine is None or context.engine is None:
            return self._engine is None
        return context.engine.pool is not self._engine.sync_engine.pool

    def _prepare(self, adapted: Any) -> None:
        """Make a new connection ready for use; a hook for the backend."""

    def _listen(self, engine: AsyncEngine) -> None:
        def on_connect(adapted: Any, _record: Any) -> None:
            try:
                self._opened(engine if self._engine is engine else None)
                self._prepare(adapted)
            except BaseException:
                adapted.close()
                raise
            self._connections.add(adapted.driver_connection)

        def on_close(adapted: Any, _record: Any) -> None:
            self._connections.discard(adapted.driver_connection)

        event.listen(engine.sync_engine, "handle_error", self._on_error)
        event.listen(engine.sync_engine.pool, "connect", on_connect)
        event.listen(engine.sync_engine.pool, "close", on_close)


@lru_cache(maxsize=512)
def _parsed(sql: str) -> TextClause:
    return text(sql)


def _is_reading(sql: str) -> bool:
    return sql.split(maxsplit=1)[0].lower() in _READING if sql.strip() else True


async def _give_back(session: AsyncSession) -> None:
    # what was on a lost connection, the server has rolled back
    with suppress(UnavailableError):
        await session.close()


async def _finish(cleanup: Awaitable[ResultT]) -> ResultT:
    """Await `cleanup` to its end, even when cancelled meanwhile."""
    task = asyncio.ensure_future(cleanup)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait((task,))
        raise
