"""Hashed words: no model and no dependency."""

import asyncio
import math
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from hashlib import blake2b
from typing import ClassVar

from pydantic import Field

from infrastructure.config.models.embeddings import EmbedderSettings
from infrastructure.embeddings.base import Embedder, EmbedderRegistry, EmbedderType, Vector
from infrastructure.resilience import deadline

_WORD = re.compile(r"\w+")
_WORD_WEIGHT = 1.0
#: Letter groups make `connect` and `connection` alike, and count less than the whole word.
_GROUP_WEIGHT = 0.3
_GROUP_LETTERS = 3


class HashingSettings(EmbedderSettings):
    """Vectors of hashed words and groups of letters; for tests."""

    kind: str = "hashing"
    dimensions: int = Field(default=256, ge=8, description="Length of every vector.")


@EmbedderRegistry.register(EmbedderType.HASHING)
class HashingEmbedder(Embedder):
    """Texts that share words are alike; meaning is not known.

    A vector depends on the text and `dimensions` alone: it is the same on every machine.
    """

    Settings: ClassVar[type[EmbedderSettings]] = HashingSettings

    def __init__(self, settings: HashingSettings, *, name: str = "") -> None:
        super().__init__(settings, name=name)
        self.dimensions = settings.dimensions

    async def embed_passages(self, texts: Sequence[str]) -> list[Vector]:
        """Vectors of the texts, in order; other tasks get their turn between texts."""
        await self.connect()
        vectors: list[Vector] = []
        async with deadline(self.settings.timeout_seconds, self.name):
            for text in self.checked_texts(texts):
                vectors.append(_vector(text, self.dimensions))
                await asyncio.sleep(0)
        return vectors

    async def embed_query(self, text: str) -> Vector:
        """Vector of a question, made as that of a passage."""
        (vector,) = await self.embed_passages([text])
        return vector

    async def _open(self) -> None:
        """There is nothing to open."""

    async def _close(self) -> None:
        """There is nothing to close."""

    async def _ping(self) -> str:
        return f"hashing: {len(await self.embed_query('ping'))} dimensions"


def _vector(text: str, dimensions: int) -> Vector:
    vector = [0.0] * dimensions
    counts = Counter(_features(text))
    for (feature, weight), count in counts.items():
        number = int.from_bytes(blake2b(feature.encode(), digest_size=8).digest(), "big")
        sign = 1.0 if number & 1 else -1.0
        vector[(number >> 1) % dimensions] += sign * weight * math.sqrt(count)
    length = math.sqrt(math.fsum(value * value for value in vector))
    if not length:  # no words
        vector[0] = length = 1.0
    return [value / length for value in vector]


def _features(text: str) -> Iterator[tuple[str, float]]:
    for word in _WORD.findall(unicodedata.normalize("NFKC", text).casefold()):
        yield f"word {word}", _WORD_WEIGHT
        marked = f"<{word}>"
        for start in range(len(marked) - _GROUP_LETTERS + 1):
            yield f"group {marked[start : start + _GROUP_LETTERS]}", _GROUP_WEIGHT
