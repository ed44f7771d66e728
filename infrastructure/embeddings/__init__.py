"""Embedders: texts as vectors whose dot product is their likeness."""

from infrastructure.embeddings.base import Embedder, EmbedderRegistry, EmbedderType, Vector

__all__ = ["Embedder", "EmbedderRegistry", "EmbedderType", "Vector"]
