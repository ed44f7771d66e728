"""Settings of the breaker that every cache across a network has."""

from pydantic import Field

from infrastructure.config.models.strategies import (
    BreakerSettings,
    MaxOpenSeconds,
    MinimumCalls,
    OpenSeconds,
    WindowCalls,
)
from infrastructure.resilience.breaker import BreakerOptions, CircuitBreaker


class CacheBreakerSettings(BreakerSettings):
    """When the cache is left alone for a while, so that a hung server costs no time.

    A call is short and bounded, and the application goes on without the cache: few calls decide,
    and the first probe comes soon.
    """

    enabled: bool = Field(default=True, description="false tries every call.")
    window_calls: WindowCalls = 10
    minimum_calls: MinimumCalls = 5
    open_seconds: OpenSeconds = 1.0
    max_open_seconds: MaxOpenSeconds = 30.0

    def breaker(self, name: str) -> CircuitBreaker | None:
        """A new one; None when it is not wanted. The cache above it tells of outages."""
        if not self.enabled:
            return None
        return CircuitBreaker(BreakerOptions(**self.numbers()), name=name, is_quiet=True)
