"""The language model port, its kinds and their registry."""

import dataclasses
import time
from abc import abstractmethod
from collections.abc import AsyncGenerator, Mapping, Sequence
from enum import StrEnum
from typing import Any, ClassVar, Unpack

from infrastructure.component import Component
from infrastructure.config.models.llm import LLMSettings
from infrastructure.errors import StreamTruncatedError, UnsupportedError
from infrastructure.llm.messages import Chunk, LLMResponse, Options, Prompt, Request, to_messages
from infrastructure.llm.pacing import paced
from infrastructure.registry import Registry
from infrastructure.resilience import deadline


class LLMProvider(StrEnum):
    """The built-in kinds."""

    LLAMACPP = "llamacpp"
    """A GGUF model in this process, through llama.cpp."""
    OPENAI = "openai"
    """OpenAI, or any server that speaks its protocol."""
    SCRIPTED = "scripted"
    """Answers from a list, or echoes; for tests."""


class BaseLLMProvider(Component):
    """A model that answers conversations, whole or as a stream.

    A backend writes `_answer` and `_stream`, which know the vendor. Deadlines, pacing, checks of
    the conversation and of the stream's end are the same for all and live here.

    Raises (every call, and while a stream is read):
        AuthenticationError: The key is wrong or missing.
        RejectedError: The provider will not do this; retrying does not help.
        ContextLengthError: The conversation is longer than the model's context.
        OverloadedError: Rate limited; `retry_after_seconds` when the provider said.
        UnavailableError: No answer, or none in time.
        DataError: The answer cannot be read.
        StreamTruncatedError: The stream ended without a finish reason.
    """

    Settings: ClassVar[type[LLMSettings]]
    settings: LLMSettings
    operations = frozenset({"embed", "generate", "stream_generate"})

    async def initialize(self) -> None:
        """Open the client; the same as `connect()`, and optional: the first call does it."""
        await self.connect()

    async def generate(self, prompt: Prompt, **options: Unpack[Options]) -> LLMResponse:
        """The whole answer, within `timeout_seconds`.

        Args:
            prompt: One user turn, or the conversation so far.
            **options: `model`, `max_tokens`, `temperature`, `stop`, `seed`; what is left out
                comes from the settings.
        """
        request = self._request(prompt, options)
        await self.connect()
        started = time.perf_counter()
        async with deadline(self.settings.timeout_seconds, self.name):
            response = await self._answer(request)
        return dataclasses.replace(response, latency_seconds=time.perf_counter() - started)

    def stream_generate(
        self, prompt: Prompt, **options: Unpack[Options]
    ) -> AsyncGenerator[Chunk, None]:
        """The answer in pieces, each within `stall_seconds` of the last.

        The waits together are bounded by `timeout_seconds`; the time the reader takes between
        two pieces does not count. The last chunk has a `finish_reason` and the `usage`. Leaving
        the loop early, or being cancelled, stops the answer and closes its connection.

        Args:
            prompt: One user turn, or the conversation so far.
            **options: As for `generate`.
        """
        return self._checked_stream(self._request(prompt, options))

    async def embed(self, texts: Sequence[str]) -> list[list[float]]:
        """Vectors of `texts`, in order, where the provider has an embedding endpoint."""
        raise UnsupportedError(
            f"kind '{self.settings.kind}' makes no embeddings of {len(texts)} texts",
            where=self.name,
            hint="Use the part `embeddings` for that",
        )

    def trace_attributes(self) -> Mapping[str, str]:
        """The provider and the model of the settings, by OpenTelemetry's names for them."""
        provider = {"gen_ai.provider.name": str(self.settings.kind)}
        model = self.settings.model
        return {**provider, "gen_ai.request.model": model} if model else provider

    @abstractmethod
    async def _answer(self, request: Request) -> LLMResponse:
        """Ask the vendor; vendor errors leave as ours. The latency is measured outside."""

    @abstractmethod
    def _stream(self, request: Request) -> AsyncGenerator[Chunk, None]:
        """Ask the vendor for pieces; its `finally` releases what the stream holds.

        The last piece carries the finish reason and the usage; an end without one is reported by
        the caller.
        """

    def _request(self, prompt: Prompt, options: Options) -> Request:
        defaults: dict[str, Any] = {
            "model": self.settings.model,
            "max_tokens": self.settings.max_tokens,
            "temperature": self.settings.temperature,
        }
        given = {key: value for key, value in options.items() if value is not None}
        return Request(to_messages(prompt, where=self.name), **{**defaults, **given})

    async def _checked_stream(self, request: Request) -> AsyncGenerator[Chunk, None]:
        await self.connect()
        chunks = paced(
            self._stream(request),
            stall_seconds=self.settings.stall_seconds,
            timeout_seconds=self.settings.timeout_seconds,
            where=self.name,
        )
        finished = False
        try:
            async for chunk in chunks:
                finished = chunk.finish_reason is not None
                yield chunk
        finally:
            await chunks.aclose()
        if not finished:
            raise StreamTruncatedError("the stream ended without a finish reason", where=self.name)


LLMRegistry: Registry[BaseLLMProvider] = Registry(
    "llm", port=BaseLLMProvider, package="infrastructure.llm.providers", kinds=LLMProvider
)
