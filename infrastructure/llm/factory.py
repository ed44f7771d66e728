"""The documents' door on the registry."""

from infrastructure import ambient
from infrastructure.llm.base import BaseLLMProvider, LLMProvider, LLMRegistry


class LLMFactory:
    """Builds providers from the default container's settings."""

    @staticmethod
    def get_llm(kind: LLMProvider | str | None = None, *, name: str = "") -> BaseLLMProvider:
        """A new provider, which the caller closes.

        Args:
            kind: None takes the block `llm.default`; a kind takes the first block of that kind,
                or the defaults of its model.
            name: Shown in errors; the kind when left out.

        Raises:
            UnknownKindError: No provider answers to that word.
            MissingExtraError: Its package is not installed.
        """
        if kind is None:
            block = ambient.resolve("settings").llm.default
            return LLMRegistry.create(block, name=name or "llm.default")
        return LLMRegistry.create(ambient.block_of_kind("llm", kind), name=name)
