"""Settings every vector store has."""

from infrastructure.config.models.db import ConnectionSettings


class VectorSettings(ConnectionSettings):
    """A block under `vector:`."""
