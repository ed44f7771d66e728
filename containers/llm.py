"""The container of the part `llm`: a `BaseLLMProvider` for each block."""

from containers import parts, providers
from infrastructure.config import Settings
from infrastructure.llm.base import BaseLLMProvider

model = parts.component("llm", BaseLLMProvider)


class LLMContainer(parts.PartContainer):
    """Language models by name."""

    settings = providers.Dependency(instance_of=Settings)
    default = model(settings, "default")
