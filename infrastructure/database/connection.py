"""Opening and checking: the default container's database, or one by its URL."""

from typing import TYPE_CHECKING, Any

from pydantic import Field, field_validator

from infrastructure.ambient import resolve
from infrastructure.config.models.base import Model, SecretUrl
from infrastructure.errors import ConfigurationError

if TYPE_CHECKING:  # only the types: importing them at run time would import SQLAlchemy
    from sqlalchemy import Engine
    from sqlalchemy.orm import Session

    from infrastructure.connections.database.sql.sync_base import SyncSqlConnectionManager


class DatabaseConfig(Model):
    """Where a database is, and how large its pool: `DatabaseConfig(url="sqlite:///app.db")`."""

    url: SecretUrl | str = Field(
        description="postgresql://user:password@host:port/name, sqlite:///path or "
        "sqlite:///:memory:; a driver after a plus sign is not looked at."
    )
    pool_size: int = Field(default=5, ge=1, description="Connections kept open.")
    max_overflow: int = Field(default=5, ge=0, description="Connections beyond them under load.")

    @field_validator("url")
    @classmethod
    def _hide_url(cls, url: SecretUrl | str) -> SecretUrl:
        return url if isinstance(url, SecretUrl) else SecretUrl(url)


class DatabaseConnection:
    """A database for code without an event loop.

    Args:
        config: Where it is.

    Attributes:
        config: The same.
        engine: SQLAlchemy's engine; None before `connect` and after `close`.
    """

    def __init__(self, config: DatabaseConfig) -> None:
        self.config = config
        self._manager = manager_of(config)

    @property
    def engine(self) -> "Engine | None":
        """SQLAlchemy's engine, while it is open."""
        return self._manager.engine

    def connect(self) -> None:
        """Open it.

        Raises:
            InfrastructureError: It could not be opened.
        """
        self._manager.connect()

    def validate_connection(self) -> bool:
        """Whether a real statement is answered."""
        return self._manager.health_check().is_up

    def get_session(self) -> "Session":
        """A session that its caller commits and closes; opens the database if needed."""
        return self._manager.new_session()

    def close(self) -> None:
        """Let the calls in flight end and close."""
        self._manager.disconnect()


async def init_database() -> None:
    """Open `db.default` of the default container; harmless when it is open.

    Raises:
        InfrastructureError: It could not be opened.
    """
    await resolve("db.default").connect()


async def check_database_health() -> bool:
    """Whether `db.default` of the default container answers; never raises for one that does not."""
    return bool((await resolve("db.default").health_check()).is_up)


def manager_of(config: DatabaseConfig, name: str = "database") -> "SyncSqlConnectionManager":
    """The manager of a database by its URL; no I/O.

    Raises:
        ConfigurationError: Its URL is of no database that has one.
        ValidationError: (pydantic) Its URL has a host or a port that cannot be read.
        MissingExtraError: The driver is not installed.
    """
    from infrastructure.connections.base import DatabaseRegistry, sync_twin

    url = config.url if isinstance(config.url, str) else config.url.get_secret_value()
    scheme, separator, rest = url.partition("://")
    dialect = scheme.partition(":")[0].partition("+")[0]
    block: dict[str, Any] = {"pool_size": config.pool_size, "max_overflow": config.max_overflow}
    is_path = bool(separator) and rest[:1] in {"", "/"} and "?" not in rest
    if dialect == "sqlite" and is_path:
        kind, place = "sqlite", {"path": rest[1:] or ":memory:"}
    elif dialect in {"postgres", "postgresql"}:
        kind, place = "postgres", {"url": f"postgresql://{rest}"}
    else:
        raise ConfigurationError(
            f"a url that begins with '{dialect}' and goes on so is of no database known here",
            where=name,
            hint="Write postgresql://user:password@host:port/name, or sqlite:/// and a path.",
        )
    settings = DatabaseRegistry.resolve(kind).Settings.model_validate({**block, **place})
    twin: Any = sync_twin(settings, name=name)
    return twin  # type: ignore[no-any-return] # those that have one speak SQL
