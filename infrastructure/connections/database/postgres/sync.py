"""PostgreSQL for threads: the sync twin, through pg8000 or psycopg."""

import importlib
from types import ModuleType
from typing import Any, ClassVar

from sqlalchemy import Engine, create_engine

from infrastructure.connections.database.postgres.ping import spare_pings
from infrastructure.connections.database.postgres.settings import PostgresSettings
from infrastructure.connections.database.postgres.sqlstate import not_reached, refusal
from infrastructure.connections.database.sql.settings import SqlSettings
from infrastructure.connections.database.sql.sync_base import BoundedPool, SyncSqlConnectionManager
from infrastructure.connections.database.sql.transactions import Isolation
from infrastructure.connections.sync_registry import SyncDatabaseRegistry
from infrastructure.errors import InfrastructureError, MissingExtraError

#: What pg8000 proves the password with, and the server to us.
_PROOFS = "scramp"
#: The server ends what its client has given up a moment before.
_GRACE_SECONDS = 0.5


@SyncDatabaseRegistry.register("postgres.sync")
class SyncPostgresConnectionManager(SyncSqlConnectionManager):
    """PostgreSQL: a pool of pg8000's or psycopg's connections under SQLAlchemy.

    A statement that its caller has given up is ended by the server a moment later, but for where
    PgBouncer stands between.

    Raises (constructing):
        MissingExtraError: The driver is not installed.
    """

    Settings: ClassVar[type[SqlSettings]] = PostgresSettings
    settings: PostgresSettings

    def __init__(self, settings: PostgresSettings, *, name: str = "") -> None:
        self._driver = _imported(settings.sync_driver, name)
        super().__init__(settings, name=name)

    def _create_engines(self) -> tuple[Engine, Engine]:
        settings = self.settings
        self._driver = _imported(settings.sync_driver, self.name)  # another one since a rotation
        engine = create_engine(
            f"{self._driver.DIALECT}://",  # the driver alone knows the address and the password
            creator=self._connect,
            isolation_level="AUTOCOMMIT",  # a single statement is a transaction of its own
            poolclass=BoundedPool,
            pool_size=settings.pool_size,
            max_overflow=settings.max_overflow,
            pool_timeout=settings.within_deadline(settings.pool_timeout_seconds),
            pool_recycle=int(settings.pool_recycle_seconds),
            pool_pre_ping=settings.pre_ping,
            pool_use_lifo=True,
            hide_parameters=True,
        )
        if settings.pre_ping:
            spare_pings(engine, _socket_number)
        return engine, engine.execution_options(isolation_level="READ COMMITTED")

    def _options(self, isolation: Isolation) -> dict[str, Any]:
        return {"isolation_level": isolation.upper()}

    def _connect(self) -> Any:
        try:
            return self._driver.connect(self.settings, self._startup(), self.name)
        except InfrastructureError:
            raise
        except Exception as error:
            raise self._translate(error) or error from error

    def _startup(self) -> dict[str, str]:
        settings = self.settings
        if settings.pgbouncer:
            return {}
        seconds = settings.statement_timeout_seconds or settings.timeout_seconds + _GRACE_SECONDS
        return {"statement_timeout": f"{seconds * 1000:.0f}"}

    def _translate(self, error: BaseException) -> InfrastructureError | None:
        told = self._driver.state_of(error)
        if told is not None:
            state, said = told
            return refusal(state, said, error, where=self.name)
        if self._driver.is_lost(error):
            network = error if isinstance(error, OSError) else error.__cause__
            said = str(error).partition("\n")[0].strip()  # libpq's lines, the first one
            found = network if isinstance(network, OSError) else ConnectionError(0, said)
            return not_reached(found, self.settings, where=self.name)
        of = type(error).__module__.partition(".")[0]
        is_drivers = of in {self.settings.sync_driver, _PROOFS}
        return refusal("", str(error), error, where=self.name) if is_drivers else None

    def _is_spent(self, connection: Any) -> bool:
        return _socket_number(connection) < 0

    def _cut(self, connection: Any) -> None:
        connection.cut()


def _socket_number(connection: Any) -> int:
    return int(connection.socket_number())


def _imported(driver: str, where: str) -> ModuleType:
    try:
        return importlib.import_module(
            f"infrastructure.connections.database.postgres.sync_{driver}"
        )
    except ImportError as error:
        missing = (error.name or "").partition(".")[0]
        if missing in {"", "infrastructure"}:
            raise
        raise MissingExtraError(driver, missing, where=where) from error
