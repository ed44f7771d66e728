"""The settings every SQL database has."""

from pydantic import Field

from infrastructure.config.models.base import Seconds
from infrastructure.config.models.db import ConnectionSettings

#: A wait inside a call ends before the call's own deadline, so that its reason can be told.
_SHARE_OF_DEADLINE = 0.8


class SqlSettings(ConnectionSettings):
    """The pool of a SQL database."""

    pool_size: int = Field(default=5, ge=1, description="Connections kept open.")
    max_overflow: int = Field(default=5, ge=0, description="Connections beyond them under load.")
    pool_timeout_seconds: Seconds = Field(
        default=5.0, description="Longest wait for a free connection; at most 80 % of the deadline."
    )

    def within_deadline(self, seconds: float) -> float:
        """`seconds`, or as much of it as fits well into `timeout_seconds`."""
        return min(seconds, _SHARE_OF_DEADLINE * self.timeout_seconds)
