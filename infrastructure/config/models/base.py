"""What every block of settings has in common."""

from typing import Annotated, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field

#: A duration in seconds, above zero.
Seconds = Annotated[float, Field(gt=0)]


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
        default=5.0, description="Bound on opening the backend, on closing it and on a health check."
    )


BlockT = TypeVar("BlockT", bound=Block)


class Part(Model, Generic[BlockT]):
    """One part: the block used when no name is given, and named ones beside it."""

    default: BlockT
    instances: dict[str, BlockT] = Field(default_factory=dict)

    def blocks(self) -> dict[str, BlockT]:
        """Every block by its path inside the part: `default`, `instances.<name>`."""
        named = {f"instances.{name}": block for name, block in self.instances.items()}
        return {"default": self.default, **named}
