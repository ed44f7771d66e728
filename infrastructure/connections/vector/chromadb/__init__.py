"""Chroma: a server over HTTP, or embedded in this process."""

from infrastructure.connections.vector.chromadb.settings import ChromadbSettings
from infrastructure.connections.vector.chromadb.store import ChromadbVectorStore

__all__ = ["ChromadbSettings", "ChromadbVectorStore"]
