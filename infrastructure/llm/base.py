"""The language model port, its kinds and their registry."""

from abc import abstractmethod
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

from infrastructure.component import Component
from infrastructure.config.models.llm import LLMSettings
from infrastructure.errors import UnsupportedError
from infrastructure.llm.messages import Chunk, LLMResponse, Prompt
from infrastructure.registry import Registry


class LLMProvider(StrEnum):
    """The built-in kinds."""

    LLAMACPP = "llamacpp"
    """A GGUF model in this process, through llama.cpp."""
    OPENAI = "openai"
    """OpenAI, or any server that speaks its protocol."""
    SCRIPTED = "scripted"
    """Answers from a list, or echoes; for tests."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What one call asks for; None means the settings' value.

    Attributes:
        seed: Makes an answer repeatable where the provider can.
    """

    model: str | None = None
    max_tokens: int | None = None
    temperature: float | None = None
    stop: Sequence[str] = ()
    seed: int | None = None


class BaseLLMProvider(Component):
    """A model that answers conversations, whole or as a stream.

    Raises (every call, and while a stream is read):
        AuthenticationError: The key is wrong or missing.
        RejectedError: The provider will not do this; retrying does not help.
        OverloadedError: Rate limited; `retry_after_seconds` when the provider said.
        UnavailableError: No answer, or none in time.
        StreamTruncatedError: The stream ended without a finish reason.
    """

    Settings: ClassVar[type[LLMSettings]]
    settings: LLMSettings

    async def initialize(self) -> None:
        """Open the client; the same as `connect()`, and optional: the first call does it."""
        await self.connect()

    @abstractmethod
    async def generate(self, prompt: Prompt, options: Options | None = None) -> LLMResponse:
        """The whole answer, within `timeout_seconds`."""

    @abstractmethod
    def stream_generate(
        self, prompt: Prompt, options: Options | None = None
    ) -> AsyncIterator[Chunk]:
        """The answer in pieces, each within `stall_seconds` of the last.

        The last chunk has a `finish_reason` and the `usage`. Leaving the loop early, or being
        cancelled, closes the connection.
        """

    async def embed(self, texts: Sequence[str]) -> list[list[float]]:
        """Vectors of `texts`, where the provider has an embedding endpoint."""
        raise UnsupportedError(
            f"kind '{self.settings.kind}' makes no embeddings of {len(texts)} texts",
            where=self.name,
            hint="Use the part `embeddings` for that.",
        )


LLMRegistry: Registry[BaseLLMProvider] = Registry(
    "llm", port=BaseLLMProvider, package="infrastructure.llm.providers", kinds=LLMProvider
)
