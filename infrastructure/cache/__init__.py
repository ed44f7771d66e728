"""Values kept for a while: `CacheService` is the door; kinds of storage come from the settings."""

from infrastructure.cache.base import BaseCacheProvider, CacheRegistry, CacheType, SyncAccess
from infrastructure.cache.cache_service import CacheService
from infrastructure.cache.decorator import cached
from infrastructure.cache.factory import CacheFactory
from infrastructure.cache.loaders import NOT_MODIFIED, LoadContext
from infrastructure.config.models.cache import CacheEntryOptions

__all__ = [
    "NOT_MODIFIED",
    "BaseCacheProvider",
    "CacheEntryOptions",
    "CacheFactory",
    "CacheRegistry",
    "CacheService",
    "CacheType",
    "LoadContext",
    "SyncAccess",
    "cached",
]
