"""What the sync twins of the SQL databases share: a pool, single statements and sessions."""

from abc import abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from threading import RLock
from typing import Any, ClassVar

from sqlalchemy import Connection, Engine, event, text
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import DBAPIError, PendingRollbackError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.orm.exc import StaleDataError
from sqlalchemy.pool import Pool, QueuePool
from sqlalchemy.util.queue import Queue

from infrastructure.connections.database.sql.pool import SqlPool
from infrastructure.connections.database.sql.session import outcome_unknown
from infrastructure.connections.database.sql.settings import SqlSettings
from infrastructure.connections.database.sql.statements import is_reading, rows_of
from infrastructure.connections.database.sql.sync_session import SyncBoundedSession
from infrastructure.connections.database.sql.transactions import Isolation, going_on, outer_of
from infrastructure.connections.sync_base import BaseConnectionManager
from infrastructure.connections.sync_calls import seconds_left
from infrastructure.errors import UnavailableError


class _Waiting(Queue[Any]):
    def get(self, block: bool = True, timeout: float | None = None) -> Any:
        return super().get(block, seconds_left(timeout) if block and timeout else timeout)


class BoundedPool(QueuePool):
    """A pool in which nobody waits for a connection for longer than the running call may."""

    _queue_class = _Waiting


class SyncSqlConnectionManager(SqlPool, BaseConnectionManager):
    """A database that speaks SQL, for threads: single statements, sessions, transactions.

    Raises (every call):
        UnavailableError: No answer, or none within `timeout_seconds`. Nothing was changed.
        OutcomeUnknownError: The answer to a writing statement or a commit was lost.
        OverloadedError: No free connection or lock in time: try again later.
        AuthenticationError: The server refused the credentials.
        ConflictError: A unique key exists already, or another transaction came in between.
        RejectedError: The server refused the statement.
    """

    Settings: ClassVar[type[SqlSettings]]
    settings: SqlSettings

    def __init__(self, settings: SqlSettings, *, name: str = "") -> None:
        super().__init__(settings, name=name)
        self._engine: Engine | None = None
        self._sessions: Engine | None = None
        self._connections: set[Any] = set()
        self._counting = RLock()  # one that is collected meanwhile is counted out in this thread
        self._inherited: list[Any] = []

    @property
    def engine(self) -> Engine | None:
        """SQLAlchemy's engine, while it is open."""
        return self._engine

    def execute_query(
        self, sql: str, params: Mapping[str, Any] | None = None
    ) -> list[dict[str, Any]]:
        r"""Run one statement in a transaction of its own; values only through `params`.

        A SELECT counts as changing nothing; one that calls what writes belongs into a session.

        Args:
            sql: One statement with `:name` for each parameter, `\:` for a colon in a literal.
            params: The values by name.

        Returns:
            The rows, each a mapping of column to value; empty for a statement without rows.
        """
        is_sent = False
        try:
            with self.calling(), self._opened(self._engine).connect() as connection:
                is_sent = True
                return rows_of(connection, sql, params)
        except UnavailableError as error:
            if is_sent and not is_reading(sql):
                raise outcome_unknown("the statement", error) from error
            raise

    @contextmanager
    def session(self, *, isolation: Isolation | None = None) -> Iterator[SyncBoundedSession]:
        """A session: committed at the end, rolled back on an exception, always closed.

        A connection is taken from the pool by the first statement. Each call on the session is
        bounded by `timeout_seconds` and raises our errors.

        Args:
            isolation: What it sees of others' work; the kind's own default when None.
        """
        drain = self.begin_call()
        try:
            session = self.new_session(isolation=isolation)
            try:
                yield session
                session.commit()
            except (DBAPIError, PendingRollbackError, PoolTimeoutError, StaleDataError) as error:
                # what a call that is not wrapped, such as a lazy attribute, lets through
                raise self.translated(error) or error from error
            finally:
                session.give_back()
        finally:
            drain.end()

    @contextmanager
    def transaction(self, *, isolation: Isolation | None = None) -> Iterator[SyncBoundedSession]:
        """As `session`; inside another `transaction` of the same thread, a savepoint of that one.

        Raises:
            UnsupportedError: A savepoint was to have an isolation of its own.
        """
        outer = outer_of(self, is_plain=isolation is None)
        if outer is not None:
            with outer.savepoint() as session:
                yield session
            return
        with self.session(isolation=isolation) as session, going_on(self, session):
            yield session

    def new_session(self, *, isolation: Isolation | None = None) -> SyncBoundedSession:
        """A session that its caller commits and closes; `session()` does both by itself."""
        self.connect()
        engine, options = self._opened(self._sessions), {}
        if isolation is not None:
            options = self._options(isolation)
        if options:
            engine = self._opened(self._engine).execution_options(**options)
        return SyncBoundedSession(engine, self)

    def connection(self) -> Connection:
        """A connection of the pool that its caller closes; each statement commits by itself."""
        with self.calling():
            return self._opened(self._engine).connect()

    @abstractmethod
    def _create_engines(self) -> tuple[Engine, Engine]:
        """Engines over one pool: for single statements, and for sessions."""

    @abstractmethod
    def _options(self, isolation: Isolation) -> dict[str, Any]:
        """What a session's engine is told of it, in SQLAlchemy's words.

        Raises:
            UnsupportedError: The kind has no such isolation.
        """

    @abstractmethod
    def _cut(self, connection: Any) -> None:
        """End what a driver's connection is doing in another thread, at once."""

    def _open(self) -> None:
        self._engine, self._sessions = self._create_engines()
        self._listen(self._engine)
        try:
            self._ping()
        except BaseException:
            self._close()
            raise

    def _close(self) -> None:
        engine, self._engine, self._sessions = self._engine, None, None
        if engine is None:
            return
        with self._counting:
            opened = self._connections.copy()
        engine.dispose()  # closes those that are idle, and they are in no set any more
        with self._counting:  # what is cut is not closed meanwhile, and its number another's
            for connection in opened & self._connections:
                self._cut(connection)

    def _disown(self) -> None:
        # collected, they would be closed, and the parent's statements with them
        self._inherited += [self._engine, self._sessions, self._connections]
        self._engine = self._sessions = None
        self._connections = set()
        self._counting = RLock()

    def _ping(self) -> str:
        engine = self._opened(self._engine)
        with self.bounded(), engine.connect() as connection:
            connection.execute(text("SELECT 1"))
        version = engine.dialect.server_version_info or ()
        return f"{engine.dialect.name} {'.'.join(map(str, version))}".rstrip()

    def _pool(self) -> Pool | None:
        return self._engine.pool if self._engine is not None else None

    def _opened(self, engine: Engine | None) -> Engine:
        if engine is None:
            raise UnavailableError("was closed while in use", where=self.name)
        return engine

    def _prepare(self, connection: Any) -> None:
        """Make a new connection ready for use; a hook for the backend."""

    def _is_spent(self, connection: Any) -> bool:  # noqa: ARG002 - a hook
        """Whether a connection an error came from is of no more use; a hook for the backend."""
        return False

    def _on_error(self, context: ExceptionContext) -> BaseException | None:
        ours, connection = super()._on_error(context), context.connection
        if connection is not None and not (connection.closed or connection.invalidated):
            is_spent = self._is_spent(connection.connection.dbapi_connection)
            context.is_disconnect = context.is_disconnect or is_spent
        return ours

    def _listen(self, engine: Engine) -> None:
        def on_connect(connection: Any, _record: Any) -> None:
            try:
                self._opened(engine if self._engine is engine else None)
                self._prepare(connection)
            except BaseException:
                connection.close()
                raise
            with self._counting:
                self._connections.add(connection)

        def on_close(connection: Any, _record: Any) -> None:
            with self._counting:
                self._connections.discard(connection)

        def on_checkin(connection: Any, record: Any) -> None:
            if self._engine is not engine and connection is not None:
                record.invalidate()  # its pool is gone

        event.listen(engine, "handle_error", self._on_error)
        event.listen(engine.pool, "connect", on_connect)
        event.listen(engine.pool, "close", on_close)
        event.listen(engine.pool, "checkin", on_checkin)
