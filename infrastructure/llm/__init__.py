"""Language models behind one port: ask `LLMFactory` for one, or a container."""

from infrastructure.llm.base import BaseLLMProvider, LLMProvider, LLMRegistry
from infrastructure.llm.factory import LLMFactory
from infrastructure.llm.messages import (
    Chunk,
    FinishReason,
    LLMResponse,
    Message,
    Options,
    Prompt,
    Role,
    Usage,
)
from infrastructure.llm.providers.scripted import ScriptedProvider
from infrastructure.llm.refusals import ContextLengthError

__all__ = [
    "BaseLLMProvider",
    "Chunk",
    "ContextLengthError",
    "FinishReason",
    "LLMFactory",
    "LLMProvider",
    "LLMRegistry",
    "LLMResponse",
    "Message",
    "Options",
    "Prompt",
    "Role",
    "ScriptedProvider",
    "Usage",
]
