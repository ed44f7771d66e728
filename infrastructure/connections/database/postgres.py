"""PostgreSQL through asyncpg."""

import asyncio
import contextlib
import os
from typing import Any, ClassVar, Literal, Self
from urllib.parse import urlsplit

import asyncpg
from pydantic import Field, SecretStr, field_validator, model_validator
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import AsyncAdaptedQueuePool

from infrastructure.config.models.base import Seconds, SecretUrl
from infrastructure.connections.base import ConnectionType, DatabaseRegistry
from infrastructure.connections.database.base import SqlConnectionManager, SqlSettings
from infrastructure.errors import (
    AuthenticationError,
    ConfigurationError,
    ConflictError,
    DataError,
    DeadlineExceededError,
    InfrastructureError,
    NotFoundError,
    OverloadedError,
    RejectedError,
    UnavailableError,
    UnsupportedError,
)

_SCHEMES = ("postgresql", "postgres", "postgresql+asyncpg")
_LEAVE_SECONDS = 1.0

#: By sqlstate, else by its first two characters: the class of the state.
_ERRORS: dict[str, type[InfrastructureError]] = {
    "08": UnavailableError,
    "0A": UnsupportedError,
    "23505": ConflictError,
    "23P01": ConflictError,
    "28": AuthenticationError,
    "3D000": NotFoundError,
    "40": OverloadedError,
    "53": OverloadedError,
    "55P03": OverloadedError,
    "57": UnavailableError,
    "58": UnavailableError,
    "XX001": DataError,
    "XX002": DataError,
}
_HINTS = {
    "28": "Check the user and the password.",
    "3D000": "Create the database, or correct its name.",
    "40": "Run the whole transaction again.",
    "53": "Wait, or lower pool_size over all processes.",
}
#: The class whose messages quote the values that were sent.
_QUOTES_VALUES = "22"


class PostgresSettings(SqlSettings):
    """A PostgreSQL database: `url`, or `host`, `name` and `user`; `url` wins over the parts."""

    kind: str = "postgres"
    url: SecretUrl | None = Field(
        default=None, description="postgresql://user:password@host:port/name"
    )
    host: str | None = None
    port: int = Field(default=5432, ge=1, le=65535)
    name: str | None = Field(default=None, description="The database.")
    user: str | None = None
    password: SecretStr | None = None
    ssl: Literal["disable", "allow", "prefer", "require", "verify-ca", "verify-full"] = Field(
        default="prefer", description="As libpq's sslmode; `sslmode` in the url wins."
    )
    application_name: str = Field(default="switchgear", description="Shown in pg_stat_activity.")
    pool_recycle_seconds: Seconds = Field(
        default=3600.0, description="Age at which a connection is replaced."
    )
    pre_ping: bool = Field(
        default=True, description="Test a connection on taking it from the pool."
    )

    @field_validator("url")
    @classmethod
    def _check_url(cls, url: SecretUrl | None) -> SecretUrl | None:
        if url is not None:
            _check_address(url.get_secret_value())
        return url

    @model_validator(mode="after")
    def _check_place(self) -> Self:
        missing = [part for part in ("host", "name", "user") if not getattr(self, part)]
        if self.url is None and missing:
            msg = f"needs `url`, or `host`, `name` and `user`; missing: {', '.join(missing)}"
            raise ValueError(msg)
        return self

    def place(self) -> str:
        """Host and port, for messages."""
        if self.url is None:
            return f"{self.host}:{self.port}"
        return urlsplit(self.url.get_secret_value()).netloc.rpartition("@")[2]

    def address(self) -> dict[str, Any]:
        """The arguments of the driver that say where to connect, and as whom."""
        if self.url is None:
            password = self.password.get_secret_value() if self.password else None
            return {
                "host": self.host,
                "port": self.port,
                "database": self.name,
                "user": self.user,
                "password": password,
                "ssl": self.ssl,
            }
        _, _, rest = self.url.get_secret_value().partition("://")
        chosen = {} if "sslmode=" in rest else {"ssl": self.ssl}
        return {"dsn": f"postgresql://{rest}", **chosen}


@DatabaseRegistry.register(ConnectionType.POSTGRES)
class PostgresConnectionManager(SqlConnectionManager):
    """PostgreSQL: a pool of asyncpg connections under SQLAlchemy."""

    Settings: ClassVar[type[SqlSettings]] = PostgresSettings
    settings: PostgresSettings

    def __init__(self, settings: PostgresSettings, *, name: str = "") -> None:
        super().__init__(settings, name=name)
        self._leaving: set[asyncio.Task[None]] = set()

    async def _close(self) -> None:
        await super()._close()
        await asyncio.gather(*self._leaving)

    def _create_engines(self) -> tuple[AsyncEngine, AsyncEngine]:
        settings = self.settings
        engine = create_async_engine(
            "postgresql+asyncpg://",  # the driver alone knows the address and the password
            connect_args={"async_creator_fn": self._connect_driver},
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
        return engine, engine.execution_options(isolation_level="READ COMMITTED")

    async def _connect_driver(self) -> "_Connection":
        settings = self.settings
        try:
            connection: _Connection = await asyncpg.connect(
                **settings.address(),
                timeout=settings.connect_timeout_seconds,
                command_timeout=settings.timeout_seconds,
                server_settings={"application_name": settings.application_name},
                connection_class=_Connection,
            )
        except ValueError:
            # the driver's text may quote the password
            raise ConfigurationError("`url` cannot be read", where=self.name) from None
        except TimeoutError as error:
            raise DeadlineExceededError(
                settings.connect_timeout_seconds, where=self.name
            ) from error
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            raise self._translate(error) or error from error
        connection.leaving = self._leaving
        return connection

    def _translate(self, error: BaseException) -> InfrastructureError | None:
        found = error.__cause__ if hasattr(error, "pgcode") and error.__cause__ else error
        if isinstance(found, TimeoutError):
            return DeadlineExceededError(self.settings.timeout_seconds, where=self.name)
        if isinstance(found, OSError):
            reason = os.strerror(found.errno) if found.errno else type(found).__name__
            return UnavailableError(
                f"no connection to PostgreSQL at {self.settings.place()} ({reason})",
                where=self.name,
                hint="Is the server running?",
            )
        if isinstance(found, (asyncpg.PostgresError, asyncpg.InterfaceError)):
            return self._refusal(found)
        return None

    def _refusal(self, error: Any) -> InfrastructureError:
        state = getattr(error, "sqlstate", None) or ""
        kind = _ERRORS.get(state) or _ERRORS.get(state[:2], RejectedError)
        quotes_values = state.startswith(_QUOTES_VALUES) or isinstance(error, ValueError)
        what = "a value does not fit" if quotes_values else str(error.args[0])
        hint = _HINTS.get(state) or _HINTS.get(state[:2], "")
        return kind(f"{what} ({state or type(error).__name__})", where=self.name, hint=hint)

    async def _leave(self, connection: "_Connection") -> None:
        await connection.leave()

    def _abandon(self, connection: "_Connection") -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed
            connection.terminate()


class _Connection(asyncpg.Connection):  # type: ignore[misc] # asyncpg has no types
    """A connection that is ended without keeping its user waiting.

    Ending one that was cancelled takes a round trip, and a silent network would make it longer
    than the deadline that led to it.

    Attributes:
        leaving: Where the manager keeps the farewells to wait for on closing.
    """

    leaving: set["asyncio.Task[None]"]

    async def execute(self, query: str, *args: Any, timeout: float | None = None) -> str:  # noqa: ASYNC109 - the driver's signature
        """Run commands; a commit that the server turned into a rollback is an error."""
        status: str = await super().execute(query, *args, timeout=timeout)
        if status == "ROLLBACK" and query.startswith("COMMIT"):
            raise asyncpg.InFailedSQLTransactionError(
                "rolled back on commit, since a statement of it had failed"
            )
        return status

    async def close(self, *, timeout: float | None = None) -> None:  # noqa: ARG002, ASYNC109 - the driver's signature
        """Start to leave, and return at once."""
        task = asyncio.create_task(self.leave())
        self.leaving.add(task)
        task.add_done_callback(self.leaving.discard)

    async def leave(self) -> None:
        """Cancel what runs on the server and say goodbye, or drop the line after a second."""
        try:
            await super().close(timeout=_LEAVE_SECONDS)
        except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
            self.terminate()
        except asyncio.CancelledError:  # there is no time left for it
            self.terminate()
            raise


def _check_address(url: str) -> None:
    """Refuse what the driver could not read, without quoting it.

    Raises:
        ValueError: It is not a PostgreSQL URL with a host.
    """
    scheme, separator, _ = url.partition("://")
    if not separator or scheme not in _SCHEMES:
        msg = "is no PostgreSQL address; expected postgresql://user:password@host:port/name"
        raise ValueError(msg)
    try:
        parts = urlsplit(url)
        is_complete = bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_complete = False
    if not is_complete:
        msg = "host or port cannot be read; write / ? # @ : in a password as %2F %3F %23 %40 %3A"
        raise ValueError(msg) from None
