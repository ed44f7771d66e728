"""Values kept for a while: `CacheService` is the door; kinds of storage come from the settings."""

from infrastructure.cache.base import BaseCacheProvider, CacheRegistry, CacheType
from infrastructure.cache.cache_service import CacheService
from infrastructure.cache.factory import CacheFactory

__all__ = ["BaseCacheProvider", "CacheFactory", "CacheRegistry", "CacheService", "CacheType"]
