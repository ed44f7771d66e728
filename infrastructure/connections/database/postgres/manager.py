"""PostgreSQL through asyncpg or psycopg."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from importlib import import_module
from typing import Any, ClassVar

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import AsyncAdaptedQueuePool

from infrastructure.connections.base import ConnectionType, DatabaseRegistry
from infrastructure.connections.database.gaps import Gap
from infrastructure.connections.database.postgres.driver import PostgresDriver
from infrastructure.connections.database.postgres.locks import holding
from infrastructure.connections.database.postgres.notifications import Notification, heard
from infrastructure.connections.database.postgres.ping import spare_pings
from infrastructure.connections.database.postgres.replicas import Replicas
from infrastructure.connections.database.postgres.settings import PostgresSettings
from infrastructure.connections.database.sql.base import SqlConnectionManager
from infrastructure.connections.database.sql.session import BoundedSession, finished
from infrastructure.connections.database.sql.settings import SqlSettings
from infrastructure.connections.database.sql.transactions import Isolation
from infrastructure.errors import InfrastructureError, MissingExtraError, UnavailableError

#: Not a SELECT, which counts as changing nothing: its answer may be lost, and it be told twice.
_NOTIFY = "WITH told AS (SELECT pg_notify(:channel, :payload)) SELECT FROM told"
_POSITION = text("SELECT CAST(pg_current_wal_lsn() AS text) AS position, clock_timestamp() AS now")
#: The extra that each driver comes with.
_EXTRAS = {"asyncpg": "postgres", "psycopg": "psycopg"}


@DatabaseRegistry.register(ConnectionType.POSTGRES)
class PostgresConnectionManager(SqlConnectionManager):
    """PostgreSQL: a pool of the driver's connections under SQLAlchemy.

    `credentials` is asked before each new connection of the pool, too.

    Attributes:
        driver: What opens and ends the connections.
        closings: How often it was closed.
        is_retired: As a replica, of a primary that was closed since: it opens no more.
    """

    Settings: ClassVar[type[SqlSettings]] = PostgresSettings
    settings: PostgresSettings
    operations = frozenset({"notify"})

    def __init__(self, settings: PostgresSettings, *, name: str = "") -> None:
        super().__init__(settings, name=name)
        self.driver = _driver(settings.driver, self.name)
        self.closings = 0
        self.is_retired = False
        self._replicas = Replicas(self)

    async def execute_query(
        self, sql: str, params: Mapping[str, Any] | None = None, *, read_only: bool = False
    ) -> list[dict[str, Any]]:
        """As every SQL manager's; what is `read_only` may be answered by a replica."""
        if read_only and self.settings.replicas:
            found = await self._replicas.execute_query(sql, params)
            if found is not None:
                return found
        return await super().execute_query(sql, params, read_only=read_only)

    def session(
        self, *, isolation: Isolation | None = None, read_only: bool = False
    ) -> AbstractAsyncContextManager[BoundedSession]:
        """As every SQL manager's; one that is `read_only` may be a replica's."""
        if read_only and self.settings.replicas:
            return self._reading_session(isolation)
        return self._session(isolation, read_only)

    async def notify(self, channel: str, payload: str = "") -> None:
        """Tell all who listen to `channel` now; `payload` is below 8,000 bytes.

        In a transaction, `session.execute_query("SELECT pg_notify(:channel, :payload)", ...)`
        tells them when it is committed.
        """
        values = {"channel": channel, "payload": payload}
        await self.execute_query(_NOTIFY, values)

    def listen(self, channel: str) -> AsyncGenerator[Notification | Gap, None]:
        """What is told on `channel` from now on, heard on a connection of its own.

        Its first piece is a `Gap`, when it has begun to listen, and each time it had to begin
        again is one more: what was told before is not heard any more, so read the tables then.
        It ends when the manager is closed.

        Raises:
            UnsupportedError: PgBouncer stands between, which forwards no notifications.
            RejectedError: The name is empty, or longer than 63 bytes.
        """
        return heard(self, channel)

    def advisory_lock(
        self, key: str | int, *, wait_seconds: float = 0.0
    ) -> AbstractAsyncContextManager[None]:
        """Hold the lock `key` of this database around the body; who has it, nobody else has.

        It holds one connection of the pool. It is given back by the server when the process or
        the connection ends.

        Args:
            key: A name, of which a number is made, or the number itself: 64 bits, signed.
            wait_seconds: For how long to try, at most; 0 asks once.

        Raises:
            OverloadedError: Somebody else held it all the time.
            UnavailableError: At the end of the body: the connection, and so the lock, was lost.
        """
        return holding(self, key, wait_seconds)

    @asynccontextmanager
    async def own_connection(self) -> AsyncIterator[Any]:
        """A connection of the driver's beside the pool, for who keeps it for long.

        Closing the manager ends it.
        """
        async with self.calling():
            connection = await self._connect_driver()
            connections = self._connections
            connections.add(connection)
        try:
            yield connection
        finally:
            connections.discard(connection)
            await finished(self.driver.leave(connection))

    async def written_up_to(self) -> dict[str, Any]:
        """How far its log has come, and its clock: `position` and `now`; on what is open."""
        async with self.bounded(), self._opened(self._engine).connect() as connection:
            return dict((await connection.execute(_POSITION)).mappings().one())

    async def disconnect(self) -> None:
        """As every manager's; who listens hears that it is over."""
        self.closings += 1
        await super().disconnect()

    def translated(self, error: Exception) -> InfrastructureError | None:
        """Our error for one of SQLAlchemy's or of the driver's; None when it is neither."""
        return super().translated(error) or self._translate(error)

    async def _connect_driver(self, _address: str = "", **asked: Any) -> Any:
        """With the credentials that count now, and what SQLAlchemy asks of its driver."""
        self.driver.asked |= asked
        is_open = self.loop is not None  # opening has asked already
        return await self.driver.connect(await self._current.take() if is_open else self.settings)

    @asynccontextmanager
    async def _reading_session(self, isolation: Isolation | None) -> AsyncIterator[BoundedSession]:
        async with AsyncExitStack() as ends:
            session = await self._replicas.session(ends, isolation)
            if session is None:
                ours = self._session(isolation, read_only=True)
                session = await ends.enter_async_context(ours)
            yield session

    async def _open(self) -> None:
        if self.is_retired:
            raise UnavailableError("was closed with its primary", where=self.name)
        if self.driver.dialect != f"postgresql+{self.settings.driver}":  # since a rotation
            self.driver = _driver(self.settings.driver, self.name)
        self._replicas.open()
        await super()._open()

    async def _close(self) -> None:
        await asyncio.gather(self._replicas.close(), super()._close())
        await self.driver.close()

    def _create_engine(self) -> AsyncEngine:
        settings = self.settings
        engine = create_async_engine(
            f"{self.driver.dialect}://",  # the driver alone knows the address and the password
            connect_args={
                "async_creator_fn": self._connect_driver,
                **self.driver.pool_arguments(settings),
            },
            isolation_level="AUTOCOMMIT",  # a single statement is a transaction of its own
            poolclass=AsyncAdaptedQueuePool,
            pool_size=settings.pool_size,
            max_overflow=settings.max_overflow,
            pool_timeout=settings.within_deadline(settings.pool_timeout_seconds),
            pool_recycle=int(settings.pool_recycle_seconds),
            pool_pre_ping=settings.pre_ping,
            pool_use_lifo=True,
            hide_parameters=True,
        )
        if settings.pre_ping:
            spare_pings(engine.sync_engine, self.driver.socket_of)
        return engine

    def _session_engine(
        self, engine: AsyncEngine, isolation: Isolation | None, *, read_only: bool
    ) -> AsyncEngine:
        options = {"postgresql_readonly": True} if read_only else {}
        level = (isolation or "read committed").upper()
        return engine.execution_options(isolation_level=level, **options)

    def _translate(self, error: BaseException) -> InfrastructureError | None:
        return self.driver.translated(error, self.settings)

    async def _leave(self, connection: Any) -> None:
        await self.driver.leave(connection)

    def _abandon(self, connection: Any) -> None:
        self.driver.abandon(connection)


def _driver(name: str, where: str) -> PostgresDriver:
    """The driver of that name.

    Raises:
        MissingExtraError: It is not installed.
    """
    try:
        module = import_module(f"infrastructure.connections.database.postgres.{name}_driver")
    except ImportError as error:
        raise MissingExtraError(_EXTRAS[name], error.name or name, where=where) from error
    driver: PostgresDriver = getattr(module, f"{name.title()}Driver")(where)
    return driver
