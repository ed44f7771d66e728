"""The settings of a PostgreSQL database: where it is, its pool, its drivers, its replicas."""

from collections.abc import Mapping
from typing import Any, Literal, Self
from urllib.parse import unquote, urlsplit

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator

from infrastructure.config.models.base import Model, Seconds, SecretUrl
from infrastructure.connections.database.sql.settings import SqlSettings

_SCHEMES = frozenset(
    {"postgres", "postgresql", *(f"postgresql+{name}" for name in ("asyncpg", "pg8000", "psycopg"))}
)
_BOUNCED = "is set by the server behind PgBouncer: ALTER ROLE ... SET statement_timeout"


class ReplicaSettings(Model):
    """A server that follows the primary; what is not said here is as the primary has it."""

    url: SecretUrl | None = Field(
        default=None, description="postgresql://user:password@host:port/name"
    )
    host: str | None = None
    port: int = Field(default=5432, ge=1, le=65535)

    @field_validator("url")
    @classmethod
    def _check_url(cls, url: SecretUrl | None) -> SecretUrl | None:
        return _checked(url)

    @model_validator(mode="after")
    def _check_place(self) -> Self:
        if (self.url is None) == (self.host is None):
            msg = "needs either `url` or `host`"
            raise ValueError(msg)
        return self


class PostgresSettings(SqlSettings):
    """A PostgreSQL database: `url`, or `host`, `name` and `user`.

    `url` wins over the parts. The user and the password in it are put into `user` and `password`,
    so that what is rotated is one thing, however it was written.
    """

    kind: str = "postgres"
    driver: Literal["asyncpg", "psycopg"] = Field(
        default="asyncpg", description="What speaks to the server; `psycopg` is an extra."
    )
    sync_driver: Literal["pg8000", "psycopg"] = Field(
        default="pg8000", description="What the twin for threads speaks with; both are extras."
    )
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
        default=True,
        description="Test a connection that was idle for a second on taking it from the pool.",
    )
    statement_timeout_seconds: Seconds | None = Field(
        default=None, description="Age at which the server itself ends a statement."
    )
    pgbouncer: bool = Field(
        default=False,
        description="The server is a PgBouncer in transaction mode: no prepared statement has a "
        "name, no session outlives its transaction.",
    )
    replicas: tuple[ReplicaSettings, ...] = Field(
        default=(), description="Servers for what is asked for with `read_only=True`."
    )
    max_lag_seconds: Seconds = Field(
        default=5.0, description="How old the data of a replica may be that is read from."
    )

    @model_validator(mode="before")
    @classmethod
    def _take_person(cls, given: Any) -> Any:
        return {**given, **_person_of(given.get("url"))} if isinstance(given, Mapping) else given

    @field_validator("url")
    @classmethod
    def _check_url(cls, url: SecretUrl | None) -> SecretUrl | None:
        return _checked(url)

    @model_validator(mode="after")
    def _check_place(self) -> Self:
        missing = [part for part in ("host", "name", "user") if not getattr(self, part)]
        if self.url is None and missing:
            msg = f"needs `url`, or `host`, `name` and `user`; missing: {', '.join(missing)}"
            raise ValueError(msg)
        if self.pgbouncer and self.statement_timeout_seconds is not None:
            msg = f"statement_timeout_seconds {_BOUNCED}"
            raise ValueError(msg)
        try:
            self.of_replicas()
        except ValidationError:
            msg = "the host of a replica does not fit into `url`; give that replica a `url`"
            raise ValueError(msg) from None
        return self

    def place(self) -> str:
        """Host and port, for messages."""
        if self.url is None:
            return f"{self.host}:{self.port}"
        return urlsplit(self.url.get_secret_value()).netloc.rpartition("@")[2]

    def address(self) -> dict[str, Any]:
        """Where to connect, and as whom.

        Returns:
            `dsn`, or `host`, `port` and `database`; `user`, `password` and `ssl` where they count.
        """
        password = self.password.get_secret_value() if self.password else None
        person = {"user": self.user, "password": password}
        if self.url is None:
            place = {"host": self.host, "port": self.port, "database": self.name, "ssl": self.ssl}
            return {**place, **person}
        _, _, rest = self.url.get_secret_value().partition("://")
        chosen = {} if "sslmode=" in rest else {"ssl": self.ssl}
        given = {name: value for name, value in person.items() if value is not None}
        return {"dsn": f"postgresql://{rest}", **chosen, **given}

    def longest_wait_seconds(self) -> float:
        """How long the server may be asked to wait, for its answer to come in time."""
        longest = self.within_deadline(self.timeout_seconds)
        ended = self.statement_timeout_seconds
        return longest if ended is None else min(longest, ended / 2)

    def of_replicas(self) -> tuple["PostgresSettings", ...]:
        """The whole settings of each replica."""
        ours = {name: getattr(self, name) for name in type(self).model_fields}
        return tuple(
            type(self).model_validate({**ours, **self._place_of(replica), "replicas": ()})
            for replica in self.replicas
        )

    def _place_of(self, replica: ReplicaSettings) -> dict[str, Any]:
        if replica.url is not None or self.url is None:
            return dict(replica)
        ours, host = urlsplit(self.url.get_secret_value()), replica.host or ""
        place = f"[{host}]:{replica.port}" if ":" in host else f"{host}:{replica.port}"
        return {"url": ours._replace(netloc=place).geturl()}


def _person_of(url: Any) -> dict[str, Any]:
    """The user and the password of a url that has them, and the url without; else nothing."""
    text = url.get_secret_value() if isinstance(url, SecretStr) else url
    try:
        parts = urlsplit(text if isinstance(text, str) else "")
    except ValueError:  # the field refuses it, and says why
        return {}
    if "@" not in parts.netloc or not parts.hostname:
        return {}
    person = {"user": parts.username, "password": parts.password}
    taken = {name: unquote(value) for name, value in person.items() if value}
    return {**taken, "url": parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()}


def _checked(url: SecretUrl | None) -> SecretUrl | None:
    """Refuse what the driver could not read, without quoting it.

    Raises:
        ValueError: It is not a PostgreSQL URL with a host.
    """
    if url is None:
        return None
    scheme, separator, _ = url.get_secret_value().partition("://")
    if not separator or scheme not in _SCHEMES:
        msg = "is no PostgreSQL address; expected postgresql://user:password@host:port/name"
        raise ValueError(msg)
    try:
        parts = urlsplit(url.get_secret_value())
        is_complete = bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_complete = False
    if not is_complete:
        msg = "host or port cannot be read; write / ? # @ : in a password as %2F %3F %23 %40 %3A"
        raise ValueError(msg) from None
    return url
