"""The container of the part `embeddings`: an `Embedder` for each block."""

from containers import parts, providers
from infrastructure.config import Settings
from infrastructure.embeddings.base import Embedder

embedder = parts.component("embeddings", Embedder)


class EmbeddingsContainer(parts.PartContainer):
    """Embedders by name."""

    settings = providers.Dependency(instance_of=Settings)
    default = embedder(settings, "default")
