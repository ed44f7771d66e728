"""A cache in Redis or Valkey."""

from infrastructure.cache.implementations.redis.provider import RedisCacheProvider
from infrastructure.cache.implementations.redis.settings import RedisCacheSettings

__all__ = ["RedisCacheProvider", "RedisCacheSettings"]
