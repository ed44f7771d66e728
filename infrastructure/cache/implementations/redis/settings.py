"""Settings of a cache in Redis."""

from pydantic import Field, field_validator

from infrastructure.cache.implementations.breaker_settings import CacheBreakerSettings
from infrastructure.cache.implementations.redis.names import PhysicalNames
from infrastructure.config.models.base import Seconds
from infrastructure.config.models.cache import CacheSettings
from infrastructure.config.models.serialization import EnvelopeSettings
from infrastructure.connections.redis_address import RedisAddress


class RedisCacheSettings(CacheSettings, RedisAddress):
    """A block under `cache:` with kind redis."""

    kind: str = "redis"
    key_prefix: str = Field(
        default="",
        description="Stands before every key and keeps applications apart; braces in it, as in "
        "'{shop}:', keep all keys on one server of a cluster.",
    )
    heartbeat_seconds: Seconds = Field(
        default=2.0,
        description="How long the line that tells of changed keys may be silent before it is "
        "asked whether it lives, and how long it then has to answer.",
    )
    envelope: EnvelopeSettings = EnvelopeSettings()
    breaker: CacheBreakerSettings = CacheBreakerSettings()

    @field_validator("key_prefix")
    @classmethod
    def _has_usable_braces(cls, prefix: str) -> str:
        return PhysicalNames(prefix).prefix
