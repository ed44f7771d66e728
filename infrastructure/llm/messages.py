"""What goes into a model and what comes out, the same for every provider."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Self, TypedDict

from infrastructure.errors import RejectedError, did_you_mean


class Role(StrEnum):
    """Who said it."""

    SYSTEM = "system"
    USER = "user"
    ASSISTANT = "assistant"


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a conversation."""

    role: Role
    content: str


#: A prompt is one user turn; messages are the whole conversation so far.
Prompt = str | Sequence[Message | Mapping[str, str]]


class Options(TypedDict, total=False):
    """What one call may ask for beside the prompt; None, like nothing, means the settings' value.

    `seed` makes an answer repeatable where the provider can.
    """

    model: str | None
    max_tokens: int | None
    temperature: float | None
    stop: str | Sequence[str] | None
    seed: int | None


@dataclass(frozen=True, slots=True)
class Request:
    """One call as a provider gets it: checked, and with nothing left to look up."""

    messages: tuple[Message, ...]
    model: str
    max_tokens: int
    temperature: float | None = None
    stop: str | Sequence[str] = ()
    seed: int | None = None

    @property
    def stops(self) -> list[str]:
        """The texts the answer ends before."""
        return [self.stop] if isinstance(self.stop, str) else list(self.stop)

    @property
    def turns(self) -> list[dict[str, str]]:
        """The messages as the mappings most vendors take."""
        return [{"role": str(turn.role), "content": turn.content} for turn in self.messages]


class FinishReason(StrEnum):
    """Why the model stopped."""

    STOP = "stop"
    LENGTH = "length"
    TOOL_CALLS = "tool_calls"
    CONTENT_FILTER = "content_filter"


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens, as the provider counted them; cached tokens are part of the input."""

    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0

    @property
    def total_tokens(self) -> int:
        """Input and output together."""
        return self.input_tokens + self.output_tokens


@dataclass(frozen=True, slots=True)
class LLMResponse:
    """A whole answer.

    Attributes:
        content: The text.
        model: The model that answered, as the provider names it.
        provider: The kind, such as `openai`.
        latency_seconds: From the call to the whole answer.
        raw: The vendor's own object, for what this class leaves out.
    """

    content: str
    model: str
    provider: str
    finish_reason: FinishReason
    usage: Usage = field(default_factory=Usage)
    latency_seconds: float = 0.0
    raw: Any = field(default=None, repr=False, compare=False)

    @property
    def metadata(self) -> dict[str, Any]:
        """Model, provider, finish reason and latency as a mapping."""
        return {
            "model": self.model,
            "provider": self.provider,
            "finish_reason": str(self.finish_reason),
            "latency_seconds": self.latency_seconds,
        }

    @property
    def usage_stats(self) -> Usage:
        """The usage, under the name the documents use."""
        return self.usage


class Chunk(str):
    """A piece of a streamed answer: prints as its text.

    The last chunk may be empty; it carries why the model stopped and the usage.
    """

    __slots__ = ("finish_reason", "usage")
    finish_reason: FinishReason | None
    usage: Usage | None

    def __new__(
        cls,
        text: str = "",
        *,
        finish_reason: FinishReason | None = None,
        usage: Usage | None = None,
    ) -> Self:
        """Make a chunk of `text`."""
        chunk = super().__new__(cls, text)
        chunk.finish_reason = finish_reason
        chunk.usage = usage
        return chunk


def to_messages(prompt: Prompt, *, where: str = "") -> tuple[Message, ...]:
    """A prompt or a conversation as messages.

    Raises:
        RejectedError: There is no message, or one is not a turn of a conversation.
    """
    if isinstance(prompt, str):
        return (Message(Role.USER, prompt),)
    messages = tuple(
        turn if isinstance(turn, Message) else _message(turn, where) for turn in prompt
    )
    if not messages:
        raise RejectedError("a conversation needs at least one message", where=where)
    return messages


def _message(turn: Mapping[str, str], where: str) -> Message:
    missing = {"role", "content"} - turn.keys()
    if missing:
        raise RejectedError(f"a message lacks {', '.join(sorted(missing))}", where=where)
    if turn["role"] not in set(Role):
        known = ", ".join(Role)
        raise RejectedError(
            f"unknown role '{turn['role']}'",
            where=where,
            hint=f"{did_you_mean(turn['role'], Role)}Known: {known}",
        )
    return Message(Role(turn["role"]), turn["content"])
