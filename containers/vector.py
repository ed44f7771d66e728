"""The container of the part `vector`: a `VectorStore` for each block."""

from containers import parts, providers
from infrastructure.config import Settings
from infrastructure.connections.vector.base import VectorStore

vector_store = parts.component("vector", VectorStore)


class VectorContainer(parts.PartContainer):
    """Vector stores by name."""

    settings = providers.Dependency(instance_of=Settings)
    default = vector_store(settings, "default")
