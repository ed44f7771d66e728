"""What the SQL databases share: a SQLAlchemy pool, single statements and sessions, all bounded."""

import asyncio
from abc import abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, ClassVar, TypeVar

from sqlalchemy import event, text
from sqlalchemy.exc import DBAPIError, PendingRollbackError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.orm.exc import StaleDataError
from sqlalchemy.pool import Pool
from sqlalchemy.util.concurrency import greenlet_spawn

from infrastructure.connections.base import AsyncBaseConnectionManager
from infrastructure.connections.database.sql.pool import SqlPool
from infrastructure.connections.database.sql.session import (
    BoundedSession,
    finished,
    outcome_unknown,
)
from infrastructure.connections.database.sql.settings import SqlSettings
from infrastructure.connections.database.sql.statements import executed, is_reading
from infrastructure.connections.database.sql.transactions import (
    Isolation,
    going_on,
    outer_of,
    run_again,
)
from infrastructure.errors import UnavailableError

ResultT = TypeVar("ResultT")


class SqlConnectionManager(SqlPool, AsyncBaseConnectionManager):
    """A database that speaks SQL: single statements, and sessions.

    Raises (every call):
        UnavailableError: No answer, or none within `timeout_seconds`. Nothing was changed.
        OutcomeUnknownError: The answer to a writing statement or a commit was lost.
        OverloadedError: No free connection or lock in time: try again later.
        AuthenticationError: The server refused the credentials.
        ConflictError: A unique key exists already, or others were in the way.
        RejectedError: The server refused the statement.
    """

    Settings: ClassVar[type[SqlSettings]]
    settings: SqlSettings

    def __init__(self, settings: SqlSettings, *, name: str = "") -> None:
        super().__init__(settings, name=name)
        self._engine: AsyncEngine | None = None
        self._sessions: dict[tuple[Isolation | None, bool], AsyncEngine] = {}
        self._connections: set[Any] = set()

    async def execute_query(
        self, sql: str, params: Mapping[str, Any] | None = None, *, read_only: bool = False
    ) -> list[dict[str, Any]]:
        r"""Run one statement in a transaction of its own; values only through `params`.

        A SELECT counts as changing nothing; one that calls what writes belongs into a session.

        Args:
            sql: One statement with `:name` for each parameter, `\:` for a colon in a literal.
            params: The values by name.
            read_only: Whether the database refuses to change anything; a replica may answer it,
                where there are any.

        Returns:
            The rows, each a mapping of column to value; empty for a statement without rows.
        """
        sent: list[str] = []
        try:
            async with self.calling():
                engine = self._engine_for(None, True) if read_only else self._opened(self._engine)
                return await greenlet_spawn(executed, engine.sync_engine, sql, params, sent)
        except UnavailableError as error:
            if sent and not (read_only or is_reading(sql)):
                raise outcome_unknown("the statement", error) from error
            raise

    def session(
        self, *, isolation: Isolation | None = None, read_only: bool = False
    ) -> AbstractAsyncContextManager[BoundedSession]:
        """A session: committed at the end, rolled back on an exception, always closed.

        A connection is taken from the pool by the first statement. Each call on the session is
        bounded by `timeout_seconds` and raises our errors.

        Args:
            isolation: What it sees of others' work; the kind's own default when None.
            read_only: Whether the database refuses to change anything in it; a replica may serve
                it, where there are any.
        """
        return self._session(isolation, read_only)

    @asynccontextmanager
    async def transaction(
        self, *, isolation: Isolation | None = None, read_only: bool = False
    ) -> AsyncIterator[BoundedSession]:
        """As `session`; inside another `transaction` of the same task, a savepoint of that one.

        Raises:
            UnsupportedError: A savepoint was to have an isolation of its own, or to be read-only.
        """
        outer = outer_of(self, is_plain=isolation is None and not read_only)
        if outer is not None:
            async with outer.savepoint() as session:
                yield session
            return
        async with self.session(isolation=isolation, read_only=read_only) as session:
            with going_on(self, session):
                yield session

    async def transact(
        self,
        work: Callable[[BoundedSession], Awaitable[ResultT]],
        *,
        isolation: Isolation | None = None,
        max_attempts: int = 10,
    ) -> ResultT:
        """Run `work` in a session; again as a whole, after a wait, when it met another's work.

        Args:
            work: Given the session; it reads what it decides on, and changes nothing elsewhere.
            isolation: As for `session`.
            max_attempts: How often it is run at most.

        Raises:
            TransactionConflictError: Somebody else was in the way at each attempt.
            VersionConflictError: So, too, by the version of a row.
        """
        return await run_again(self, work, isolation, max_attempts)

    @abstractmethod
    def _create_engine(self) -> AsyncEngine:
        """An engine for single statements, with the pool."""

    @abstractmethod
    def _session_engine(
        self, engine: AsyncEngine, isolation: Isolation | None, *, read_only: bool
    ) -> AsyncEngine:
        """One over the same pool for sessions of one kind.

        Raises:
            UnsupportedError: The kind has no such isolation.
        """

    @abstractmethod
    async def _leave(self, connection: Any) -> None:
        """End a driver's connection within a second or so, whatever it is doing."""

    @abstractmethod
    def _abandon(self, connection: Any) -> None:
        """Let go of a driver's connection whose event loop is gone."""

    @asynccontextmanager
    async def _session(
        self, isolation: Isolation | None, read_only: bool
    ) -> AsyncIterator[BoundedSession]:
        async with self.held():
            session = BoundedSession(self._engine_for(isolation, read_only), self.bounded, self)
            try:
                yield session
                await session.commit()
            except (DBAPIError, PendingRollbackError, PoolTimeoutError, StaleDataError) as error:
                # what a call that is not wrapped, such as run_sync, lets through
                raise self.translated(error) or error from error
            finally:
                if session.in_transaction():
                    await finished(session.give_back())
                else:
                    session.sync_session.close()

    def _after_fork(self) -> None:
        """Be closed, in a forked child, and leave alone the connections of its parent."""
        super()._after_fork()
        self._engine, self._sessions, self._connections = None, {}, set()

    async def _open(self) -> None:
        # those of an event loop that is gone
        for connection in self._connections:
            self._abandon(connection)
        self._connections = set()
        self._engine, self._sessions = self._create_engine(), {}
        self._listen(self._engine)
        try:
            await self._ping()
        except BaseException:
            await finished(self._close())
            raise

    async def _close(self) -> None:
        engine, self._engine, self._sessions = self._engine, None, {}
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

    def _engine_for(self, isolation: Isolation | None, read_only: bool) -> AsyncEngine:
        found = self._sessions.get((isolation, read_only))
        if found is None:
            # of the first engine each: what one more is derived from would win over its options
            engine = self._opened(self._engine)
            found = self._session_engine(engine, isolation, read_only=read_only)
            self._sessions[isolation, read_only] = found
        return found

    def _pool(self) -> Pool | None:
        return None if self._engine is None else self._engine.pool

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
