"""Settings every database connection has."""

from pydantic import Field

from infrastructure.config.models.base import Block, Seconds


class ConnectionSettings(Block):
    """A block under `db:`."""

    timeout_seconds: Seconds = Field(
        default=10.0, description="Bound on each call: pool wait, ping and command together."
    )
