"""Settings of services that speak as AWS does: where, as whom, and how many at a time."""

from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator, model_validator

from infrastructure.config.models.external import ExternalSettings

_SHARE_OF_DEADLINE = 0.8


class AwsSettings(ExternalSettings):
    """What every such block has.

    Without a key, credentials are looked for as AWS's own tools do: in the environment, in
    `~/.aws`, in the role of the container or machine.
    """

    endpoint_url: str | None = Field(
        default=None, description="http(s)://host:port of a compatible server; null is AWS itself."
    )
    region: str = Field(default="us-east-1", min_length=1)
    access_key_id: str | None = Field(default=None, min_length=1)
    secret_access_key: SecretStr | None = None
    session_token: SecretStr | None = Field(
        default=None, description="Of credentials that were lent for a while."
    )
    tls_ca_file: Path | None = Field(
        default=None, description="A PEM file of authorities to trust instead of the usual ones."
    )
    max_connections: int = Field(
        default=20, ge=1, le=1000, description="Bound on requests at a time, and so on connections."
    )

    @field_validator("endpoint_url")
    @classmethod
    def _check_endpoint(cls, url: str | None) -> str | None:
        if url is None:
            return None
        parts = urlsplit(url)
        is_address = parts.scheme in {"http", "https"} and bool(parts.hostname)
        if not is_address or "@" in parts.netloc or parts.query:
            msg = "is no address of a server; expected http://host:port or https://host:port"
            raise ValueError(msg)
        return url.rstrip("/")

    @model_validator(mode="after")
    def _check_key(self) -> Self:
        if (self.access_key_id is None) != (self.secret_access_key is None):
            msg = "'access_key_id' and 'secret_access_key' go together"
            raise ValueError(msg)
        return self

    @property
    def slot_seconds(self) -> float:
        """The longest wait for one of `max_connections`; the rest is for the request itself."""
        return _SHARE_OF_DEADLINE * self.timeout_seconds

    def place(self) -> str:
        """Where requests go, for messages."""
        return self.endpoint_url or f"AWS {self.region}"
