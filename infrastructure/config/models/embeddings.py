"""Settings every embedder has."""

from pydantic import Field

from infrastructure.config.models.base import Block, Seconds


class EmbedderSettings(Block):
    """A block under `embeddings:`."""

    timeout_seconds: Seconds = Field(default=60.0, description="Bound on one batch of texts.")
