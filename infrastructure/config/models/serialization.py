"""Settings of what wraps values that leave the process."""

from typing import Annotated

from pydantic import Field, SecretStr

from infrastructure.config.models.base import Model

#: Shorter ones can be guessed.
MIN_SECRET_CHARS = 16

SigningSecret = Annotated[SecretStr, Field(min_length=MIN_SECRET_CHARS)]


class EnvelopeSettings(Model):
    """The block `envelope:` of whatever stores bytes outside of this process."""

    schema_version: int = Field(
        default=0,
        ge=0,
        lt=2**32,
        description="A number of the application's; values written under another one are not read.",
    )
    compress_over_bytes: int | None = Field(
        default=None,
        ge=0,
        description="Compress values larger than this; needs the extra zstd. Unset: never.",
    )
    max_bytes: int = Field(
        default=64 * 2**20,
        gt=0,
        description="Bound on a value before compression, when written and when read.",
    )
    secrets: tuple[SigningSecret, ...] = Field(
        default=(),
        description="Signs values: the first when written; any of them is accepted when read.",
    )
