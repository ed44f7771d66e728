"""A kind of your own in one file: its settings, its class, and the word for the YAML."""

import asyncio
import math
from collections.abc import Sequence
from typing import ClassVar

from pydantic import Field

from containers import Container
from infrastructure.config.models.embeddings import EmbedderSettings
from infrastructure.embeddings import Embedder, EmbedderRegistry
from infrastructure.resilience import deadline


class LettersSettings(EmbedderSettings):
    """What a block of kind `letters` may say, beside what every embedder has."""

    kind: str = "letters"
    alphabet: str = Field(default="abcdefghijklmnopqrstuvwxyz", min_length=2)


@EmbedderRegistry.register("letters")
class LettersEmbedder(Embedder):
    """Texts are alike that have the same letters; making one costs nothing and opens nothing."""

    Settings: ClassVar[type[EmbedderSettings]] = LettersSettings

    def __init__(self, settings: LettersSettings, *, name: str = "") -> None:
        super().__init__(settings, name=name)
        self.dimensions = len(settings.alphabet)
        self._alphabet = settings.alphabet

    async def embed_passages(self, texts: Sequence[str]) -> list[list[float]]:
        await self.connect()  # opens at the first call; one attempt, however many ask
        async with deadline(self.settings.timeout_seconds, self.name):
            return [self._vector(text) for text in self.checked_texts(texts)]

    async def embed_query(self, text: str) -> list[float]:
        return (await self.embed_passages([text]))[0]

    async def _open(self) -> None:
        """Where a client would be made, and its errors turned into ours."""

    async def _close(self) -> None:
        """Where it would be closed."""

    async def _ping(self) -> str:
        return f"{self.dimensions} letters"

    def _vector(self, text: str) -> list[float]:
        counts = [text.lower().count(letter) + 1e-9 for letter in self._alphabet]
        return [count / math.hypot(*counts) for count in counts]


async def main() -> None:
    overrides = {"embeddings.default": {"kind": "letters", "alphabet": "aeiou"}}
    async with Container(profile="test", overrides=overrides) as container:
        embedder = container.embeddings.default()
        vector = await embedder.embed_query("Have you seen the moon?")
        print(embedder, [round(value, 2) for value in vector])
        print((await embedder.health_check()).detail)


asyncio.run(main())
