"""A cache in this process."""

from infrastructure.cache.implementations.memory.provider import (
    InMemoryCacheProvider,
    MemoryCacheSettings,
)

__all__ = ["InMemoryCacheProvider", "MemoryCacheSettings"]
