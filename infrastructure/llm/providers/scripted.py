"""A provider that says what it was told to say; for tests and for machines without a model."""

import asyncio
import hashlib
import re
from collections import deque
from collections.abc import AsyncGenerator, Sequence
from typing import ClassVar

from pydantic import Field

from infrastructure.config.models.llm import LLMSettings
from infrastructure.llm.base import BaseLLMProvider, LLMProvider, LLMRegistry
from infrastructure.llm.messages import Chunk, FinishReason, LLMResponse, Request, Role, Usage

_MAX_CALLS = 1000
_PIECES = re.compile(r"\s*\S+|\s+")


class ScriptedSettings(LLMSettings):
    """A block with `kind: scripted`."""

    kind: str = "scripted"
    model: str = "scripted"
    answers: tuple[str, ...] = Field(
        default=(), description="Given in this order, one a call; then the user is echoed."
    )
    word_seconds: float = Field(default=0.0, ge=0, description="Pause before each word.")


@LLMRegistry.register(LLMProvider.SCRIPTED)
class ScriptedProvider(BaseLLMProvider):
    """Answers from a script; without one it echoes the last user message.

    A token is a word. Answers are cut at `stop` and at `max_tokens`, as a model's are.

    Attributes:
        calls: What was asked, oldest first; the last 1000 calls.
    """

    Settings: ClassVar[type[ScriptedSettings]] = ScriptedSettings
    settings: ScriptedSettings

    def __init__(self, settings: ScriptedSettings | None = None, *, name: str = "") -> None:
        settings = settings or ScriptedSettings()
        super().__init__(settings, name=name)
        self.calls: deque[Request] = deque(maxlen=_MAX_CALLS)
        self._script: deque[str | Exception] = deque(settings.answers)

    def script(self, *answers: str | Exception) -> None:
        """Add answers for the next calls; an exception is raised instead of an answer."""
        self._script.extend(answers)

    async def embed(self, texts: Sequence[str]) -> list[list[float]]:
        """A vector of 32 numbers for each text, the same for the same text."""
        return [_vector(text) for text in texts]

    async def _open(self) -> None:
        """Nothing to open."""

    async def _close(self) -> None:
        """Nothing to close; the script and the calls stay."""

    async def _ping(self) -> str:
        return f"{len(self._script)} answers left in the script"

    async def _answer(self, request: Request) -> LLMResponse:
        pieces = [piece async for piece in self._stream(request)]
        last = pieces[-1]
        return LLMResponse(
            content="".join(pieces),
            model=request.model,
            provider=self.settings.kind,
            finish_reason=last.finish_reason or FinishReason.STOP,
            usage=last.usage or Usage(),
        )

    async def _stream(self, request: Request) -> AsyncGenerator[Chunk, None]:
        text = self._next(request)
        for stop in request.stops:
            text = text.partition(stop)[0]
        pieces = _PIECES.findall(text)
        said = pieces[: request.max_tokens]
        for piece in said:
            await asyncio.sleep(self.settings.word_seconds)
            yield Chunk(piece)
        reason = FinishReason.LENGTH if len(said) < len(pieces) else FinishReason.STOP
        yield Chunk(finish_reason=reason, usage=Usage(_words(request), len(said)))

    def _next(self, request: Request) -> str:
        self.calls.append(request)
        answer = self._script.popleft() if self._script else _last_user_message(request)
        if isinstance(answer, Exception):
            raise answer
        return answer


def _last_user_message(request: Request) -> str:
    said = (turn.content for turn in reversed(request.messages) if turn.role is Role.USER)
    return next(said, "")


def _words(request: Request) -> int:
    return sum(len(turn.content.split()) for turn in request.messages)


def _vector(text: str) -> list[float]:
    numbers = [byte - 127.5 for byte in hashlib.sha256(text.encode()).digest()]
    length = sum(number * number for number in numbers) ** 0.5
    return [number / length for number in numbers]
