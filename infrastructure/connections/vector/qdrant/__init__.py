"""Qdrant: a server over HTTP or gRPC, or the vendor's local mode in this process."""

from infrastructure.connections.vector.qdrant.settings import QdrantSettings
from infrastructure.connections.vector.qdrant.store import QdrantVectorStore

__all__ = ["QdrantSettings", "QdrantVectorStore"]
