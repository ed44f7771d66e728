"""The container of the part `vector`: a `VectorStore` for each block."""

from typing import Any, cast

from containers import parts, providers
from containers.core import finding
from containers.errors import UnknownProviderError
from infrastructure.config import Settings
from infrastructure.connections.vector.base import TextEmbedder, VectorStore
from infrastructure.errors import ConfigurationError
from infrastructure.resilience.policies import Policies


def make_store(
    settings: Settings,
    part: str,
    path: str,
    policies: Policies | None = None,
    embedder: TextEmbedder | None = None,
) -> VectorStore:
    """The store of the block, with the embedder it names."""
    store: VectorStore = parts.create(settings, part, path, policies)
    if store.settings.embedder is not None:
        store.embedder = embedder
    return store


vector_store = parts.component("vector", VectorStore, make_store)


class VectorContainer(parts.PartContainer):
    """Vector stores by name."""

    settings = providers.Dependency(instance_of=Settings)
    default = vector_store(settings, "default")


def hand_embedders(container: Any, settings: Settings) -> None:
    """Give each store the embedder its block names, from the same container.

    Raises:
        ConfigurationError: The block names one that is not configured.
    """
    for path, block in settings.vector.blocks().items():
        if block.embedder is None:
            continue
        try:
            embedder = finding.find(container, block.embedder)
        except UnknownProviderError as error:
            known = (f"embeddings.{name}" for name in settings.embeddings.blocks())
            raise ConfigurationError(
                f"there is no embedder '{block.embedder}'",
                where=f"vector.{path}.embedder ({settings.origin(f'vector.{path}.embedder')})",
                hint=f"Configured: {', '.join(sorted(known))}.",
            ) from error
        store = cast("providers.Managed[Any]", finding.find(container, f"vector.{path}"))
        store.add_kwargs(embedder=embedder)
