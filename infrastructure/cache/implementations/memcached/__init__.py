"""A cache in memcached."""

from infrastructure.cache.implementations.memcached.provider import (
    MemcachedCacheProvider,
    MemcachedCacheSettings,
)

__all__ = ["MemcachedCacheProvider", "MemcachedCacheSettings"]
