"""Settings every vector store has."""

from pydantic import Field

from infrastructure.config.models.db import ConnectionSettings


class VectorSettings(ConnectionSettings):
    """A block under `vector:`."""

    batch_size: int = Field(
        default=256, ge=1, le=100_000, description="Records in one round trip: an upsert, a page."
    )
    embedder: str | None = Field(
        default=None,
        pattern=r"^embeddings\.",
        description="Makes vectors of texts: the path of a block, such as `embeddings.default`.",
    )
