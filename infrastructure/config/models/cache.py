"""Settings every cache has."""

from pydantic import Field

from infrastructure.config.models.base import Block, Seconds


class CacheSettings(Block):
    """A block under `cache:`."""

    ttl_seconds: Seconds = Field(default=300.0, description="Lifetime of an entry set without one.")
    timeout_seconds: Seconds = Field(default=0.25, description="Bound on each call.")
