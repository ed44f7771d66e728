"""Settings of whatever speaks HTTP, and how it shows who it is."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr, model_validator

from infrastructure.config.models.base import Model
from infrastructure.config.models.external import ExternalSettings


class AuthKind(StrEnum):
    """How a service is shown who calls."""

    NONE = "none"
    """Not at all."""
    BEARER = "bearer"
    """`Authorization: Bearer <token>`."""
    BASIC = "basic"
    """User and password."""
    API_KEY = "api_key"
    """A key in a header of its own, or in the query."""
    CLIENT_CREDENTIALS = "client_credentials"
    """A token that is fetched from `token_url`, and anew before it expires (RFC 6749, 4.4)."""


_NEEDED = {
    AuthKind.NONE: set[str](),
    AuthKind.BEARER: {"token"},
    AuthKind.BASIC: {"user", "password"},
    AuthKind.API_KEY: {"key"},
    AuthKind.CLIENT_CREDENTIALS: {"token_url", "client_id", "client_secret"},
}
_POSSIBLE = {
    AuthKind.API_KEY: {"header", "query"},
    AuthKind.CLIENT_CREDENTIALS: {"scope", "secret_in_body"},
}


def _absolute(text: str) -> str:
    parts = urlsplit(text)
    port = parts.port  # a ValueError where it is none
    if port == 0 or parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("should be an absolute URL of http or https")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ValueError("should have no credentials, no query and no fragment")
    return text


ServiceUrl = Annotated[str, AfterValidator(_absolute)]


class HttpAuth(Model):
    """Credentials; each kind has its own."""

    kind: AuthKind = AuthKind.NONE
    token: SecretStr | None = Field(default=None, description="For bearer.")
    user: str | None = Field(default=None, description="For basic.")
    password: SecretStr | None = Field(default=None, description="For basic.")
    key: SecretStr | None = Field(default=None, description="For api_key.")
    header: str | None = Field(
        default=None,
        pattern=r"^[A-Za-z0-9-]+$",
        description="For api_key: the header it stands in; X-API-Key when `query` is not set.",
    )
    query: str | None = Field(default=None, description="For api_key: the parameter instead.")
    token_url: ServiceUrl | None = Field(default=None, description="For client_credentials.")
    client_id: str | None = Field(default=None, description="For client_credentials.")
    client_secret: SecretStr | None = Field(default=None, description="For client_credentials.")
    scope: str | None = Field(default=None, description="For client_credentials, where asked for.")
    secret_in_body: bool = Field(
        default=False,
        description="For client_credentials: send id and secret as form fields, not as basic.",
    )

    @model_validator(mode="after")
    def _has_what_its_kind_needs(self) -> Self:
        fields = type(self).model_fields
        given = {each for each in fields if getattr(self, each) != fields[each].default} - {"kind"}
        needed = _NEEDED[self.kind]
        if missing := needed - given:
            raise ValueError(f"kind '{self.kind}' needs {', '.join(sorted(missing))}")
        if idle := given - needed - _POSSIBLE.get(self.kind, set()):
            raise ValueError(f"kind '{self.kind}' has no {', '.join(sorted(idle))}")
        if self.header and self.query:
            raise ValueError("the key stands in `header` or in `query`, not in both")
        return self


class HttpClientSettings(ExternalSettings):
    """What every service over HTTP has."""

    base_url: ServiceUrl = Field(description="Every path is below it; credentials go nowhere else.")
    allow_private: bool = Field(
        default=False,
        description="Connect to addresses of the own network, such as a server on this machine.",
    )
    tls_ca_file: Path | None = Field(
        default=None,
        description="A PEM file of authorities to trust; null trusts the system's.",
    )
    max_connections: int = Field(default=20, gt=0, description="Bound on open connections.")
    max_attempts: int = Field(
        default=3,
        ge=1,
        le=20,
        description="How often a request is made at most, all within `timeout_seconds`.",
    )
    max_redirects: int = Field(default=5, ge=0, le=30)
    max_response_bytes: int = Field(
        default=10_000_000, gt=0, description="Bound on an answer kept in memory, unpacked."
    )
    max_download_bytes: int = Field(
        default=10_000_000_000, gt=0, description="Bound on an answer that is streamed, unpacked."
    )
