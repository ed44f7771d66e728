"""The settings of MongoDB: where it is, whom it lets in, and the driver's bounds."""

from pathlib import Path
from typing import Any, Literal, Self
from urllib.parse import parse_qsl, unquote, urlsplit

from pydantic import Field, SecretStr, field_validator, model_validator

from infrastructure.config.models.base import SecretUrl
from infrastructure.config.models.db import ConnectionSettings
from infrastructure.connections.database.mongodb.calls import SHARE_OF_DEADLINE

_SCHEMES = ("mongodb", "mongodb+srv")
_FORM = "mongodb://user:password@host:port,host:port/name"


class MongodbSettings(ConnectionSettings):
    """A server, a replica set or a sharded cluster: `url`, or `host` and `port`.

    `url` wins over `host`, `port` and `name`; `user` and `password` beside it win over its own.
    Times in the url are not read: the deadline of a call is the only one.
    """

    kind: str = "mongodb"
    driver: Literal["pymongo", "motor"] = Field(
        default="pymongo", description="What speaks to the server; `motor` is an extra."
    )
    url: SecretUrl | None = Field(default=None, description=_FORM)
    host: str = "localhost"
    port: int = Field(default=27017, ge=1, le=65535)
    name: str | None = Field(default=None, description="The database.")
    user: str | None = None
    password: SecretStr | None = None
    auth_source: str = Field(default="admin", description="The database that knows the user.")
    replica_set: str | None = Field(
        default=None, description="Its name, to look for the other members."
    )
    direct: bool = Field(
        default=False, description="Ask this server alone, as through a tunnel; no other member."
    )
    tls: bool = Field(default=False, description="Speak TLS and verify the certificate.")
    tls_ca_file: Path | None = Field(
        default=None,
        description="A PEM file of authorities to trust; null trusts the system's.",
    )
    max_connections: int = Field(
        default=20, gt=0, description="Bound on open connections, to each server."
    )
    application_name: str = Field(default="switchgear", description="Shown in the server's log.")

    @field_validator("url")
    @classmethod
    def _check_url(cls, url: SecretUrl | None) -> SecretUrl | None:
        if url is not None:
            _check_address(url.get_secret_value())
        return url

    @model_validator(mode="after")
    def _check_name(self) -> Self:
        if not self.database:
            msg = "needs the database: `name`, or a path in `url`"
            raise ValueError(msg)
        return self

    @property
    def database(self) -> str:
        """The database of the url, else `name`."""
        path = urlsplit(self.url.get_secret_value()).path if self.url else ""
        return unquote(path.strip("/")) or self.name or ""

    def place(self) -> str:
        """Hosts and ports, for messages."""
        if self.url is None:
            return f"{self.host}:{self.port}"
        return urlsplit(self.url.get_secret_value()).netloc.rpartition("@")[2]

    def options(self) -> dict[str, Any]:
        """The arguments of the driver; what is said here wins over what the url says."""
        milliseconds = int(1000 * SHARE_OF_DEADLINE * self.timeout_seconds)
        opening = int(1000 * self.connect_timeout_seconds)
        return {
            **self._address(),
            "appname": self.application_name,
            "maxPoolSize": self.max_connections,
            "minPoolSize": 0,
            "timeoutMS": milliseconds,  # of what is called on the driver's own client
            "serverSelectionTimeoutMS": milliseconds,
            "waitQueueTimeoutMS": milliseconds,
            "socketTimeoutMS": None,
            "connectTimeoutMS": opening,
            "retryReads": True,
            "retryWrites": True,
        }

    def _address(self) -> dict[str, Any]:
        found: dict[str, Any] = {"host": self.host, "port": self.port}
        if self.url is not None:
            found = {"host": self.url.get_secret_value()}
        if self.user is not None:
            found |= {"username": self.user, "authSource": self.auth_source}
        if self.password is not None:
            found["password"] = self.password.get_secret_value()
        if self.replica_set is not None:
            found["replicaSet"] = self.replica_set
        if self.direct:
            found["directConnection"] = True
        if self.tls:
            found["tls"] = True
            if self.tls_ca_file is not None:
                found["tlsCAFile"] = str(self.tls_ca_file)
        return found


def _check_address(url: str) -> None:
    """Refuse what the driver could not read, without quoting it.

    Raises:
        ValueError: It is not a MongoDB URL with a host.
    """
    scheme, separator, rest = url.partition("://")
    if not separator or scheme not in _SCHEMES:
        msg = f"is no MongoDB address; expected {_FORM}"
        raise ValueError(msg)
    authority, _, after = rest.partition("/")
    hosts = authority.partition("?")[0].rpartition("@")[2]
    if not all(hosts.split(",")) or "@" in after or authority.count("@") > 1:
        msg = "the hosts cannot be read; write / ? # @ : in a password as %2F %3F %23 %40 %3A"
        raise ValueError(msg)
    options = parse_qsl(after.partition("?")[2].replace(";", "&"))
    if ("w", "0") in ((key.lower(), value) for key, value in options):
        msg = "w=0 asks for no answers, so that a write which is lost could not be told"
        raise ValueError(msg)
