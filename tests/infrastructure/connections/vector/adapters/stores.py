"""The stores that every adapter is tested on."""

import itertools
from pathlib import Path

from infrastructure.connections.vector.base import VectorStore
from infrastructure.connections.vector.chromadb import ChromadbSettings, ChromadbVectorStore
from infrastructure.connections.vector.memory import MemorySettings, MemoryVectorStore
from infrastructure.connections.vector.pgvector import PgvectorVectorStore
from infrastructure.connections.vector.pgvector.connection import PgvectorSettings
from infrastructure.connections.vector.qdrant import QdrantSettings, QdrantVectorStore

_schemas = (f"adapters_{number}" for number in itertools.count())


def memory() -> VectorStore:
    return MemoryVectorStore(MemorySettings())


def qdrant(folder: Path) -> VectorStore:
    return QdrantVectorStore(QdrantSettings(path=folder))


def pgvector(url: str) -> VectorStore:
    """In a schema of its own, without an index: each test makes its tables."""
    found = {"url": url, "schema_name": next(_schemas), "index": "none"}
    return PgvectorVectorStore(PgvectorSettings.model_validate(found))


def chromadb() -> VectorStore:
    return ChromadbVectorStore(ChromadbSettings())
