"""Settings of what stands around calls: policies by name."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from infrastructure.config.models.base import Model, Seconds
from infrastructure.config.models.inheritance import Family, Inheriting
from infrastructure.config.models.strategies import (
    BreakerFields,
    BreakerSettings,
    BulkheadSettings,
    ChaosSettings,
    FallbackSettings,
    HedgeSettings,
    RateLimitFields,
    RateLimitSettings,
    RetryFields,
    RetrySettings,
)

#: A lower-case identifier, so that a variable can set what is below it.
PolicyName = Annotated[str, Field(pattern=r"^[a-z](_?[a-z0-9])*$")]

#: The parts that have operations marked `@idempotent`; around others a hedge would do nothing.
HEDGED_PARTS = frozenset({"embeddings", "vector"})


class PolicyFields(Model):
    """What can be said about a policy."""

    timeout_seconds: Seconds | None = Field(
        default=None, description="Bound on the whole, waits and retries included."
    )
    attempt_timeout_seconds: Seconds | None = Field(
        default=None, description="Bound on each attempt."
    )
    fallback: FallbackSettings | None = None
    retry: RetryFields | None = None
    hedge: HedgeSettings | None = None
    breaker: BreakerFields | None = None
    rate_limit: RateLimitFields | None = None
    bulkhead: BulkheadSettings | None = None
    chaos: ChaosSettings | None = None


class PolicyBlock(Inheriting, PolicyFields):
    """A block under `resilience.policies`."""


class PolicySettings(PolicyFields):
    """A policy as it stands, all it inherits included."""

    retry: RetrySettings | None = None
    breaker: BreakerSettings | None = None
    rate_limit: RateLimitSettings | None = None

    @model_validator(mode="after")
    def _times_fit(self) -> Self:
        whole, attempt = self.timeout_seconds, self.attempt_timeout_seconds
        if whole is not None and attempt is not None and attempt > whole:
            raise ValueError("attempt_timeout_seconds must not be above timeout_seconds")
        return self

    @property
    def is_hedged(self) -> bool:
        """Whether slow calls are made a second time."""
        return self.hedge is not None and self.hedge.enabled

    @property
    def shared_limit(self) -> RateLimitSettings | None:
        """The rate limit, where all processes count together."""
        limit = self.rate_limit
        return limit if limit and limit.enabled and limit.connection else None


class ResilienceSettings(Model):
    """The block `resilience:`."""

    policies: dict[PolicyName, PolicyBlock] = Field(
        default_factory=dict, description="What stands around calls, by name; they may inherit."
    )

    @model_validator(mode="after")
    def _policies_resolve(self) -> Self:
        self._family.check()
        return self

    def policy(self, name: str) -> PolicySettings:
        """The policy of a name, with all it inherits.

        Raises:
            ConfigurationError: There is no such policy.
        """
        return self._family.resolved(name)

    def shared_limits(self) -> dict[str, str]:
        """The path of the connection that a limit counts in, by the key that says it."""
        found: dict[str, str] = {}
        for name in self.policies:
            limit = self.policy(name).shared_limit
            if limit is not None and limit.connection is not None:
                by = self._family.saying(name, "rate_limit", "connection")
                found[f"resilience.policies.{by}.rate_limit.connection"] = limit.connection
        return found

    @property
    def _family(self) -> Family[PolicySettings]:
        return Family(self.policies, PolicySettings, key="policies", called="policy")
