"""What every block of settings has in common.

Secrets have two types. A password, key or token is a pydantic `SecretStr`, which shows nothing.
A URL that may carry credentials is a `SecretUrl`: it prints as `redis://user:**********@host:6379/0`
and gives the whole text with `get_secret_value()` only. A field of either type is never shown in a
configuration error, and its value is fed to the redactor of the logs.
"""

from dataclasses import dataclass
from typing import Annotated, Any, Generic, Self, TypeVar

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    SerializeAsAny,
    ValidationError,
    model_validator,
)

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


@dataclass(frozen=True, slots=True)
class Wraps:
    """Marks a field that holds a block of a part inside another block.

    Its `kind` chooses its model: `far: Annotated[SerializeAsAny[CacheSettings], Wraps("cache")]`.
    """

    part: str


def wrapped(model: type[BaseModel]) -> dict[str, str]:
    """The fields of a model that hold a block, and the part of each."""
    return {
        name: mark.part
        for name, field in model.model_fields.items()
        for mark in field.metadata
        if isinstance(mark, Wraps)
    }


def misfit(steps: tuple[str | int, ...], text: str) -> Any:
    """What is wrong at a place below a model, for a ValidationError that its validator raises."""
    context = {"error": ValueError(text)}
    return {"type": "value_error", "loc": steps, "input": None, "ctx": context}


_NO_POLICY_INSIDE = "a block inside another has no policy; give one to the block around it"


class Block(Model):
    """One configured backend: `kind` chooses the class, whose own model has the other fields."""

    kind: str
    policy: str | None = Field(
        default=None, description="What stands around each call: a name of `resilience.policies`."
    )
    critical: bool = Field(
        default=True,
        description="The application cannot serve without it: when it is down, readiness is down.",
    )
    connect_timeout_seconds: Seconds = Field(
        default=5.0,
        description="Bound on opening the backend, on closing it and on a health check.",
    )

    @model_validator(mode="after")
    def _has_the_only_policy(self) -> Self:
        """Refuse the policy of a block inside: it stands around no provider of its own."""
        inside = [name for name in wrapped(type(self)) if getattr(self, name).policy is not None]
        if inside:
            details = [misfit((name, "policy"), _NO_POLICY_INSIDE) for name in inside]
            raise ValidationError.from_exception_data(type(self).__name__, details, hide_input=True)
        return self


BlockT = TypeVar("BlockT", bound=Block)


class Named(Model, Generic[BlockT]):
    """A part whose blocks all have names."""

    instances: dict[str, SerializeAsAny[BlockT]] = Field(default_factory=dict)

    def blocks(self) -> dict[str, BlockT]:
        """Every block by its path inside the part: `instances.<name>`, and `default` if any."""
        return {f"instances.{name}": block for name, block in self.instances.items()}


class Part(Named[BlockT], Generic[BlockT]):
    """One part: the block used when no name is given, and named ones beside it."""

    default: SerializeAsAny[BlockT]

    def blocks(self) -> dict[str, BlockT]:
        """Every block by its path inside the part: `default`, `instances.<name>`."""
        return {"default": self.default, **super().blocks()}
