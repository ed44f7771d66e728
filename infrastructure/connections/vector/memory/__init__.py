"""Vectors in this process: exact, and without a dependency."""

from infrastructure.connections.vector.memory.store import MemorySettings, MemoryVectorStore

__all__ = ["MemorySettings", "MemoryVectorStore"]
