"""What every block of settings has in common.

Secrets have two types. A password, key or token is a pydantic `SecretStr`, which shows nothing.
A URL that may carry credentials is a `SecretUrl`: it prints as `redis://user:**********@host:6379/0`
and gives the whole text with `get_secret_value()` only. A field of either type is never shown in a
configuration error, and its value is fed to the redactor of the logs.
"""

from typing import Annotated, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field, SecretStr, SerializeAsAny

#: A duration in seconds, above zero.
Seconds = Annotated[float, Field(gt=0)]

_MASK = "*" * 10


class SecretUrl(SecretStr):
    """A URL whose user, host and path may be read, and whose password and query may not."""

    def _display(self) -> str:
        return mask_url(self._secret_value)


def mask_url(url: str) -> str:
    """The URL without its password and its query; what cannot be split for certain is hidden."""
    scheme, separator, rest = url.partition("://")
    credentials, at, place = rest.rpartition("@")
    if not separator or any(mark in credentials for mark in "/?#"):
        return _MASK if url else ""
    user, colon, _ = credentials.partition(":")
    shown = f"{user}:{_MASK}@" if colon else f"{_MASK}@" if at else ""
    address, query, _ = place.partition("?")
    return f"{scheme}://{shown}{address.partition('#')[0]}{'?' + _MASK if query else ''}"


class Model(BaseModel):
    """Frozen, closed to unknown keys, and silent about its input in errors."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        hide_input_in_errors=True,
        allow_inf_nan=False,
        validate_default=True,
        protected_namespaces=(),
    )


class Block(Model):
    """One configured backend: `kind` chooses the class, whose own model has the other fields."""

    kind: str
    connect_timeout_seconds: Seconds = Field(
        default=5.0,
        description="Bound on opening the backend, on closing it and on a health check.",
    )


BlockT = TypeVar("BlockT", bound=Block)


class Part(Model, Generic[BlockT]):
    """One part: the block used when no name is given, and named ones beside it."""

    default: SerializeAsAny[BlockT]
    instances: dict[str, SerializeAsAny[BlockT]] = Field(default_factory=dict)

    def blocks(self) -> dict[str, BlockT]:
        """Every block by its path inside the part: `default`, `instances.<name>`."""
        named = {f"instances.{name}": block for name, block in self.instances.items()}
        return {"default": self.default, **named}
