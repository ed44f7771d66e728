"""Settings every connection has: to a database, a vector store or an external service."""

from pydantic import Field

from infrastructure.config.models.base import Block, Seconds


class ConnectionSettings(Block):
    """A block under `db:`; those of the other parts have the same and more."""

    timeout_seconds: Seconds = Field(
        default=10.0, description="Bound on each call: pool wait, ping and command together."
    )
    connect_attempts: int = Field(
        default=3, ge=1, le=100, description="How often opening is tried before it fails."
    )
    drain_timeout_seconds: Seconds = Field(
        default=5.0, description="Longest wait, on closing, for the calls in flight."
    )
