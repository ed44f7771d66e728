"""Bounds around a call, alone or composed: deadlines, retries, breakers, limits."""

from typing import TYPE_CHECKING, Any

from infrastructure.resilience.deadlines import deadline
from infrastructure.resilience.single_flight import SingleFlight

if TYPE_CHECKING:
    from infrastructure.resilience.backoff import (
        BackoffStrategy,
        ExponentialBackoffStrategy,
        FixedDelayStrategy,
    )
    from infrastructure.resilience.breaker import (
        BreakerOptions,
        CircuitBreaker,
        CircuitBreakerOpenError,
        CircuitState,
    )
    from infrastructure.resilience.budget import RetryBudget
    from infrastructure.resilience.bulkhead import Bulkhead
    from infrastructure.resilience.chaos import Chaos
    from infrastructure.resilience.clock import ManualClock
    from infrastructure.resilience.error_handler import InfrastructureErrorHandler
    from infrastructure.resilience.fallback import Fallback
    from infrastructure.resilience.hedge import Hedge
    from infrastructure.resilience.idempotence import idempotent
    from infrastructure.resilience.pipeline import Pipeline
    from infrastructure.resilience.policies import Policies
    from infrastructure.resilience.rate_limiter import RateLimiter
    from infrastructure.resilience.retry import Retry, retry_with_backoff
    from infrastructure.resilience.strategy import Strategy
    from infrastructure.resilience.timeout import Timeout

__all__ = [
    "BackoffStrategy",
    "BreakerOptions",
    "Bulkhead",
    "Chaos",
    "CircuitBreaker",
    "CircuitBreakerOpenError",
    "CircuitState",
    "ExponentialBackoffStrategy",
    "Fallback",
    "FixedDelayStrategy",
    "Hedge",
    "InfrastructureErrorHandler",
    "ManualClock",
    "Pipeline",
    "Policies",
    "RateLimiter",
    "Retry",
    "RetryBudget",
    "SingleFlight",
    "Strategy",
    "Timeout",
    "deadline",
    "idempotent",
    "remaining",
    "retry_with_backoff",
]

#: Where a name is found that is not called after its module.
_HOMES = {
    "BackoffStrategy": "backoff",
    "BreakerOptions": "breaker",
    "CircuitBreaker": "breaker",
    "CircuitBreakerOpenError": "breaker",
    "CircuitState": "breaker",
    "ExponentialBackoffStrategy": "backoff",
    "FixedDelayStrategy": "backoff",
    "InfrastructureErrorHandler": "error_handler",
    "ManualClock": "clock",
    "RateLimiter": "rate_limiter",
    "RetryBudget": "budget",
    "idempotent": "idempotence",
    "remaining": "deadlines",
    "retry_with_backoff": "retry",
}


def __getattr__(name: str) -> Any:
    # every component needs a deadline, and few need the rest
    from importlib import import_module

    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    home = _HOMES.get(name, name.lower())
    value = globals()[name] = getattr(import_module(f"{__name__}.{home}"), name)
    return value
