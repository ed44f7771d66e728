"""Where Redis or Valkey is: one server, a cluster, or a master that sentinels know."""

from pathlib import Path
from typing import Annotated, Final, NamedTuple, Self

from pydantic import AfterValidator, Field, SecretStr, model_validator

from infrastructure.config.models.base import Model, Seconds

_PORTS: Final = range(1, 65536)


class Endpoint(NamedTuple):
    """A host and a port."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"

    @classmethod
    def parse(cls, text: str) -> "Endpoint":
        """Read `host:port`; an IPv6 address stands in brackets.

        Raises:
            ValueError: It is not of that form.
        """
        host, colon, port = text.rpartition(":")
        is_number = port.isascii() and port.isdigit()
        if not (colon and host and is_number and int(port) in _PORTS):
            raise ValueError(f"'{text}' is not of the form host:port")
        return cls(host.strip("[]"), int(port))


def _checked(text: str) -> str:
    Endpoint.parse(text)
    return text


ServerText = Annotated[str, AfterValidator(_checked)]


class RedisAddress(Model):
    """Which server, or servers, and how to be let in.

    Alone, `host` and `port` name one server. `nodes` are members of a cluster, any of them enough
    to find the others; `cluster: true` takes `host` and `port` as such a member. `sentinels` know
    the present master of `master_name`. Redis 6.2 or newer, or any Valkey.
    """

    host: str = "localhost"
    port: int = Field(default=6379, gt=0, lt=65536)
    database: int = Field(default=0, ge=0, description="A cluster has database 0 only.")
    username: str | None = None
    password: SecretStr | None = None
    tls: bool = Field(default=False, description="Speak TLS and verify the certificate.")
    tls_ca_file: Path | None = Field(
        default=None,
        description="A PEM file of authorities to trust; null trusts the system's.",
    )
    max_connections: int = Field(
        default=20, gt=0, description="Bound on open connections, to each server."
    )
    warm_connections: int = Field(
        default=1, ge=0, description="Connections opened at start rather than at first use."
    )
    client_name: str = Field(
        default="switchgear",
        pattern=r"^[!-~]*$",
        description="What CLIENT LIST shows; empty saves a new connection one round trip.",
    )
    cluster: bool = Field(default=False, description="The server is a member of a cluster.")
    nodes: tuple[ServerText, ...] = Field(
        default=(), description="Members of a cluster, each host:port."
    )
    sentinels: tuple[ServerText, ...] = Field(
        default=(), description="Sentinels, each host:port; they are asked for the master."
    )
    master_name: str = Field(default="mymaster", description="The master's name at the sentinels.")
    sentinel_username: str | None = None
    sentinel_password: SecretStr | None = None
    role_check_seconds: Seconds = Field(
        default=1.0, description="How often the sentinels and the master are asked who is master."
    )

    @model_validator(mode="after")
    def _has_one_shape(self) -> Self:
        if self.sentinels and self.is_cluster:
            raise ValueError("'sentinels' and a cluster exclude each other; remove one")
        if self.is_cluster and self.database:
            raise ValueError("a cluster has database 0 only")
        if self.warm_connections > self.max_connections:
            raise ValueError("'warm_connections' is above 'max_connections'")
        return self

    @property
    def is_cluster(self) -> bool:
        """Whether keys are spread over several servers."""
        return self.cluster or bool(self.nodes)

    @property
    def endpoints(self) -> tuple[Endpoint, ...]:
        """Whom to ask first: the sentinels, the members of the cluster, or the server."""
        named = self.sentinels or self.nodes
        return tuple(map(Endpoint.parse, named)) or (Endpoint(self.host, self.port),)

    @property
    def label(self) -> str:
        """What errors call it; holds no secret."""
        places = ", ".join(map(str, self.endpoints))
        return f"{self.master_name} of the sentinels {places}" if self.sentinels else places
