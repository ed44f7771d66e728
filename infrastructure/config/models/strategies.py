"""Settings of single strategies: retry, breaker, limits and the others.

Those whose numbers must fit each other come in two: `RetryFields` is what one of several blocks
says, `RetrySettings` is the whole.
"""

from typing import Annotated, Any, Literal, Self, TypeAlias

from pydantic import Field, model_validator

from infrastructure.config.models.base import Model, Seconds

WindowCalls: TypeAlias = Annotated[
    int, Field(ge=1, le=100_000, description="The window is the last so many calls.")
]
MinimumCalls: TypeAlias = Annotated[
    int, Field(ge=1, description="With fewer calls in the window no rate opens the circuit.")
]
OpenSeconds: TypeAlias = Annotated[Seconds, Field(description="The first open time.")]
MaxOpenSeconds: TypeAlias = Annotated[Seconds, Field(description="What it never grows beyond.")]


class Strategy(Model):
    """One strategy; it can be switched off, also where it is inherited."""

    enabled: bool = Field(default=True, description="false leaves it out.")

    def numbers(self) -> dict[str, Any]:
        """What the strategy is made with: every field but `enabled`."""
        return self.model_dump(exclude={"enabled"})


class RetryFields(Strategy):
    """How a failed call is made again; only what failed for a passing reason is."""

    max_attempts: int = Field(default=3, ge=1, le=100, description="The first one included.")
    initial_delay_seconds: float = Field(default=0.1, ge=0, description="Before the second one.")
    max_delay_seconds: float = Field(default=10.0, ge=0, description="The longest wait.")
    multiplier: float = Field(default=2.0, ge=1, description="How waits grow.")
    jitter: float = Field(
        default=0.5, ge=0, le=1, description="The part of each wait that is left to chance."
    )
    max_retry_after_seconds: float = Field(
        default=60.0,
        ge=0,
        description="The longest wait that the other side may ask for; when it asks for more, "
        "the call fails at once.",
    )
    retries_timeouts: bool = Field(
        default=False,
        description="Make again what was not answered in time, too: it may have been done, so "
        "say this only where doing it twice is no harm.",
    )
    budget_fraction: float | None = Field(
        default=0.2,
        ge=0,
        le=1,
        description="Retries per call in the long run, so that they do not multiply an outage.",
    )


class RetrySettings(RetryFields):
    """The whole of a retry."""

    @model_validator(mode="after")
    def _delays_fit(self) -> Self:
        if self.max_delay_seconds < self.initial_delay_seconds:
            raise ValueError("max_delay_seconds must not be below initial_delay_seconds")
        return self


class BreakerFields(Strategy):
    """When a circuit opens, and for how long; the defaults suit a remote call made often."""

    failure_rate: float = Field(
        default=0.5, gt=0, le=1, description="Opens when this share of the window's calls failed."
    )
    slow_call_seconds: Seconds | None = Field(
        default=None, description="A call that takes longer is slow; null watches no time."
    )
    slow_call_rate: float = Field(
        default=1.0, gt=0, le=1, description="Opens when this share of the window's calls was slow."
    )
    window_calls: WindowCalls = 100
    window_seconds: Seconds | None = Field(
        default=None, description="When given, the calls of the last so many seconds instead."
    )
    minimum_calls: MinimumCalls = 10
    half_open_permits: int = Field(
        default=1, ge=1, description="How many probes may be under way at once."
    )
    probe_seconds: Seconds = Field(
        default=30.0, description="A probe that has not ended by then gives its permit back."
    )
    success_threshold: int = Field(
        default=1, ge=1, description="How many probes must succeed to close the circuit."
    )
    open_seconds: OpenSeconds = 30.0
    open_factor: float = Field(
        default=2.0, ge=1, description="By how much it grows with each failed probe."
    )
    max_open_seconds: MaxOpenSeconds = 300.0
    jitter: float = Field(
        default=0.1, ge=0, le=1, description="Share of an open time that chance may take off."
    )
    counts_overload: bool = Field(
        default=False, description="Take refusals, such as those of limits within, for failures."
    )


class BreakerSettings(BreakerFields):
    """The whole of a breaker; the names and numbers of `BreakerOptions`."""

    @model_validator(mode="after")
    def _opens_at_all(self) -> Self:
        if self.window_seconds is None and self.minimum_calls > self.window_calls:
            raise ValueError("minimum_calls must not be above window_calls: it would never open")
        if self.max_open_seconds < self.open_seconds:
            raise ValueError("max_open_seconds must not be below open_seconds")
        return self


class RateLimitFields(Strategy):
    """How many calls may begin in a time: in this process, or in all that share a Redis."""

    rate: float = Field(default=10.0, gt=0, description="Calls in every `per_seconds`.")
    per_seconds: Seconds = 1.0
    burst: float | None = Field(default=None, ge=1, description="Calls at once; null: `rate`.")
    wait_seconds: float = Field(
        default=0.0, ge=0, description="The longest wait; 0 refuses whoever would have to wait."
    )
    connection: str | None = Field(
        default=None,
        description="The path of a Redis, such as db.instances.redis, where all processes count "
        "together; null counts in this process.",
    )
    on_storage_error: Literal["fail_open", "fail_closed"] = Field(
        default="fail_open",
        description="While that Redis does not answer: each process lets the rate pass by itself, "
        "or everything is refused.",
    )


class RateLimitSettings(RateLimitFields):
    """The whole of a limit."""

    @model_validator(mode="after")
    def _can_be_shared(self) -> Self:
        if self.connection is None:
            return self
        for name in ("rate", "per_seconds"):
            if not float(getattr(self, name)).is_integer():
                raise ValueError(f"{name} must be a whole number where processes count together")
        if self.burst is not None:
            raise ValueError("burst is for a limit of one process, and there is a connection")
        return self


class BulkheadSettings(Strategy):
    """How many calls may run at once."""

    max_concurrent: int = Field(default=20, ge=1)
    max_waiting: int = Field(default=100, ge=0, description="More than so many are refused.")
    wait_seconds: Seconds = Field(default=1.0, description="Who waited so long is refused.")


class HedgeSettings(Strategy):
    """A second call beside one that takes long; around reads and embeddings only."""

    delay_seconds: Seconds | None = Field(
        default=None, description="Before the next call; null: what 95 of 100 calls keep within."
    )
    max_hedges: int = Field(default=1, ge=1, le=10)


class ChaosSettings(Strategy):
    """Faults on purpose; refused outside of profile `test` unless armed."""

    rate: float = Field(default=0.1, ge=0, le=1, description="The share of calls it meets.")
    latency_seconds: float | None = Field(default=None, gt=0)
    error: str | None = Field(default=None, description="Raises an UnavailableError of this text.")
    seed: int | None = Field(default=None, description="The same faults in every run.")
    armed: bool = Field(default=False, description="Needed in every profile but `test`.")


class FallbackSettings(Strategy):
    """What is given in place of a passing failure."""

    value: Any = Field(
        default=None, description="Any value of YAML; each caller has a copy of its own."
    )
