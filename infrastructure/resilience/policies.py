"""Pipelines by name, built from the settings."""

import copy
import threading
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from infrastructure.config.models.resilience import (
    HEDGED_PARTS,
    PolicySettings,
    ResilienceSettings,
)
from infrastructure.config.models.strategies import (
    BreakerSettings,
    ChaosSettings,
    FallbackSettings,
    HedgeSettings,
    RateLimitSettings,
    RetrySettings,
)
from infrastructure.errors import (
    ConfigurationError,
    MissingExtraError,
    UnavailableError,
    did_you_mean,
)
from infrastructure.observability.metrics import Measurement
from infrastructure.registry import PARTS
from infrastructure.resilience.backoff import ExponentialBackoffStrategy
from infrastructure.resilience.breaker import (
    BreakerOptions,
    CircuitBreaker,
    CircuitBreakerOpenError,
)
from infrastructure.resilience.budget import RetryBudget
from infrastructure.resilience.bulkhead import Bulkhead
from infrastructure.resilience.chaos import Chaos
from infrastructure.resilience.clock import SYSTEM_CLOCK, Clock
from infrastructure.resilience.fallback import Fallback
from infrastructure.resilience.hedge import Hedge
from infrastructure.resilience.pipeline import Pipeline
from infrastructure.resilience.rate_limiter import RateLimiter
from infrastructure.resilience.retry import Retry
from infrastructure.resilience.storage import Connections, LateConnection
from infrastructure.resilience.strategy import Strategy
from infrastructure.resilience.timeout import Timeout


class Policies:
    """The policies of one application: a pipeline for each thing that is called.

    Two providers with the same policy have a pipeline each, with a breaker and limits of its own.

    Args:
        settings: The block `resilience:`.
        named: The policy that the block of a provider names, by the provider's path.
        profiles: The active ones; chaos asks for them.
        connections: Where limits find the connection that all processes count in.
        namespace: What the keys there begin with; applications with one name share their limits.
        clock: What is time.
    """

    def __init__(
        self,
        settings: ResilienceSettings,
        *,
        named: Mapping[str, str] | None = None,
        profiles: Collection[str] = (),
        connections: Connections | None = None,
        namespace: str = "switchgear",
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._settings = settings
        self._named = named or {}
        self._profiles = tuple(profiles)
        self._connections = connections
        self._namespace = namespace
        self._clock = clock
        self._lock = threading.Lock()
        self._built: dict[str, Pipeline] = {}

    def policy(self, name: str) -> Pipeline:
        """The pipeline of a name, the same one whenever it is asked for.

        Args:
            name: A policy; or the path of a provider, such as `llm.default`, for the pipeline that
                stands around it: of the policy its block names, else of one named after its part
                (`llm`), else of `default`.

        Raises:
            ConfigurationError: There is no such policy; or it hedges the calls of a block that may
                not be made twice.
        """
        with self._lock:
            found = self._built.get(name)
            if found is None:
                settings = self._meant(name)
                self._refuse_vain_hedge(settings, name)
                found = self._built[name] = self._pipeline(settings, name)
        return found

    def measurements(self) -> Iterator[Measurement]:
        """What every pipeline built so far counts."""
        with self._lock:
            built = list(self._built.values())
        for pipeline in built:
            yield from pipeline.measurements()

    def _meant(self, name: str) -> PolicySettings:
        """What the settings say for a name or a path."""
        known = self._settings.policies
        part, _, rest = name.partition(".")
        names: tuple[str, ...] = (self._named.get(name, name),)
        if name not in self._named and rest and part in PARTS:
            names = (part, "default")
        for each in names:
            if each in known:
                return self._settings.policy(each)
        raise ConfigurationError(
            f"there is no policy '{names[0]}'",
            where="resilience.policies",
            hint=f"{did_you_mean(names[0], known)}Known: {', '.join(sorted(known)) or 'none'}.",
        )

    def _refuse_vain_hedge(self, settings: PolicySettings, name: str) -> None:
        part = name.partition(".")[0]
        if name in self._named and settings.is_hedged and part not in HEDGED_PARTS:
            raise ConfigurationError(
                f"its policy '{self._named[name]}' has a hedge, which would do nothing here: "
                f"no call of the part {part} may be made twice",
                where=name,
                hint=f"Say hedge: {{enabled: false}} in its policy. "
                f"Hedged are reads of: {', '.join(sorted(HEDGED_PARTS))}.",
            )

    def _pipeline(self, settings: PolicySettings, name: str) -> Pipeline:
        seconds = settings.timeout_seconds
        whole = Timeout(seconds, name=f"{name}.timeout", clock=self._clock) if seconds else None
        return Pipeline(*self._strategies(settings, name), timeout=whole, name=name)

    def _strategies(self, settings: PolicySettings, name: str) -> Iterator[Strategy]:
        shared = {"name": name, "clock": self._clock}
        if (fallback := settings.fallback) and fallback.enabled:
            yield _fallback(fallback, name)
        if (retry := settings.retry) and retry.enabled:
            yield _retry(retry, name, _named(shared, "retry"))
        if (hedge := settings.hedge) and hedge.enabled:
            yield _hedge(hedge, _named(shared, "hedge"))
        if (breaker := settings.breaker) and breaker.enabled:
            yield CircuitBreaker(_breaker(breaker), **_named(shared, "breaker"))
        if (limit := settings.rate_limit) and limit.enabled:
            yield self._limiter(limit, _named(shared, "rate_limit"))
        if (bulkhead := settings.bulkhead) and bulkhead.enabled:
            yield Bulkhead(**bulkhead.numbers(), **_named(shared, "bulkhead"))
        if settings.attempt_timeout_seconds is not None:
            yield Timeout(settings.attempt_timeout_seconds, **_named(shared, "attempt_timeout"))
        if (chaos := settings.chaos) and chaos.enabled:
            yield _chaos(chaos, self._profiles, _named(shared, "chaos"))

    def _limiter(self, limit: RateLimitSettings, shared: dict[str, Any]) -> Strategy:
        """Of this process, or of all that count in one Redis."""
        if limit.connection is None:
            return RateLimiter(**_local_numbers(limit), **shared)
        if self._connections is None:
            raise ConfigurationError(
                f"the connection {limit.connection} is known to the root container only",
                where=shared["name"],
                hint="Build it by `Container(...)`, or give Policies its `connections`.",
            )
        try:
            from infrastructure.resilience.distributed_limits import DistributedRateLimiter
        except ImportError as error:
            found = error.name or "limits"
            raise MissingExtraError("limits", found, where=shared["name"]) from error
        return DistributedRateLimiter(
            LateConnection(self._connections, limit.connection),
            int(limit.rate),
            int(limit.per_seconds),
            namespace=self._namespace,
            wait_seconds=limit.wait_seconds,
            on_storage_error=limit.on_storage_error,
            **shared,
        )


class _Copies:
    """Gives a copy of a value, so that no caller changes what the next one gets."""

    def __init__(self, value: Any) -> None:
        self._value = value

    def __repr__(self) -> str:
        return f"copies of {self._value!r}"

    def __call__(self, _error: Exception, *_args: Any, **_kwargs: Any) -> Any:
        return copy.deepcopy(self._value)


def _named(shared: dict[str, Any], strategy: str) -> dict[str, Any]:
    return {**shared, "name": f"{shared['name']}.{strategy}"}


def _fallback(settings: FallbackSettings, name: str) -> Fallback:
    where, value = f"{name}.fallback", settings.value
    if isinstance(value, (dict, list)):
        return Fallback(function=_Copies(value), name=where)
    return Fallback(value=value, name=where)


def _retry(settings: RetrySettings, dependency: str, shared: dict[str, Any]) -> Retry:
    backoff = ExponentialBackoffStrategy(
        settings.initial_delay_seconds,
        settings.max_delay_seconds,
        settings.multiplier,
        settings.jitter,
    )
    fraction = settings.budget_fraction
    # an open circuit has just said that another attempt is not worth its wait
    costly = () if settings.retries_timeouts else (TimeoutError,)
    return Retry(
        settings.max_attempts,
        backoff,
        stop_on=(CircuitBreakerOpenError, *costly),
        max_retry_after=settings.max_retry_after_seconds,
        budget=None if fraction is None else RetryBudget(fraction, **shared),
        dependency=dependency,
        **shared,
    )


def _breaker(settings: BreakerSettings) -> BreakerOptions:
    return BreakerOptions(**settings.numbers())


def _local_numbers(settings: RateLimitSettings) -> dict[str, Any]:
    return settings.model_dump(include={"rate", "per_seconds", "burst", "wait_seconds"})


def _hedge(settings: HedgeSettings, shared: dict[str, Any]) -> Hedge:
    return Hedge(settings.delay_seconds or "p95", settings.max_hedges, **shared)


def _chaos(settings: ChaosSettings, profiles: Collection[str], shared: dict[str, Any]) -> Chaos:
    text = settings.error
    return Chaos(
        settings.rate,
        latency_seconds=settings.latency_seconds or 0.0,
        error=None if text is None else lambda: UnavailableError(text, where=shared["name"]),
        profiles=profiles,
        armed=settings.armed,
        seed=settings.seed,
        **shared,
    )
