"""Settings every cache has, and how single entries are kept."""

from functools import cached_property
from typing import Annotated, Self

from pydantic import Field, model_validator

from infrastructure.config.models.base import Block, Model, Seconds
from infrastructure.config.models.inheritance import Family, Inheriting

Tag = Annotated[str, Field(min_length=1, max_length=256)]


class EntryFields(Model):
    """What can be said about an entry."""

    ttl_seconds: Seconds | None = Field(
        default=None, description="How long an entry is fresh; null takes the cache's."
    )
    jitter: float = Field(
        default=0.0,
        ge=0,
        lt=1,
        description="Fraction by which a lifetime may fall short by chance; it is never longer.",
    )
    fail_safe_seconds: float = Field(
        default=0.0,
        ge=0,
        description="How long an entry may be given after its lifetime when its loader fails.",
    )
    fail_safe_throttle_seconds: Seconds = Field(
        default=30.0, description="How long a failing loader is not asked again."
    )
    eager_refresh: float | None = Field(
        default=None,
        gt=0,
        lt=1,
        description="Fraction of its lifetime after which an entry is loaded anew behind a hit.",
    )
    loader_soft_timeout_seconds: Seconds | None = Field(
        default=None,
        description="After that long a stale value is given, and the loader goes on behind.",
    )
    loader_hard_timeout_seconds: Seconds | None = Field(
        default=None, description="After that long the loader is cancelled and has failed."
    )
    negative_ttl_seconds: Seconds | None = Field(
        default=None, description="Lifetime of None; null takes that of every other value."
    )
    tags: tuple[Tag, ...] = Field(
        default=(), max_length=32, description="Names under which entries are removed together."
    )
    max_value_bytes: int | None = Field(
        default=None, gt=0, description="A value that takes more when stored is not kept."
    )
    lease_seconds: Seconds = Field(
        default=30.0,
        description="How long one process may load while others wait; later it is not kept.",
    )


class EntryOptionsBlock(Inheriting, EntryFields):
    """One entry of `entry_options:`; what it does not say is as in the one it inherits."""


class CacheEntryOptions(EntryFields):
    """How an entry is kept and loaded; frozen, and safe to share.

    Lifetimes are in seconds. An entry is fresh for `ttl_seconds`, less up to `jitter` of it by
    chance. For `fail_safe_seconds` more it is stale: not given by `get`, but by `get_or_set`
    when the loader fails or takes longer than `loader_soft_timeout_seconds`.
    """

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        soft, hard = self.loader_soft_timeout_seconds, self.loader_hard_timeout_seconds
        if soft is not None and not self.fail_safe_seconds:
            raise ValueError("loader_soft_timeout_seconds needs fail_safe_seconds above 0")
        if soft is not None and hard is not None and soft >= hard:
            raise ValueError("loader_soft_timeout_seconds must be below the hard one")
        if hard is not None and hard > self.lease_seconds:
            raise ValueError("loader_hard_timeout_seconds must not be above lease_seconds")
        return self

    @cached_property
    def needs_record(self) -> bool:
        """Whether more than the value must be stored."""
        return bool(self.fail_safe_seconds or self.eager_refresh or self.tags)


class CacheSettings(Block):
    """A block under `cache:`."""

    critical: bool = Field(
        default=False, description="Whether readiness is down, and not degraded, when it is down."
    )
    ttl_seconds: Seconds = Field(default=300.0, description="Lifetime of an entry set without one.")
    timeout_seconds: Seconds = Field(default=0.25, description="Bound on each call.")
    entry_options: dict[str, EntryOptionsBlock] = Field(
        default_factory=dict,
        description="Named ways to keep entries, for `options=` of a call; they may inherit.",
    )

    @model_validator(mode="after")
    def _options_resolve(self) -> Self:
        self._family.check()
        return self

    def options(self, name: str) -> CacheEntryOptions:
        """The options of that name, with what they inherit.

        Raises:
            ConfigurationError: There is no such name.
        """
        return self._family.resolved(name)

    @property
    def _family(self) -> Family[CacheEntryOptions]:
        return Family(
            self.entry_options, CacheEntryOptions, key="entry_options", called="entry options"
        )
