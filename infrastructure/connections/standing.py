"""How a connection manager stands: what is known of it without asking, in both worlds."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from infrastructure.config.models.db import ConnectionSettings
from infrastructure.errors import InfrastructureError, OverloadedError, UnavailableError
from infrastructure.health import Health, Status
from infrastructure.observability.logging import get_logger
from infrastructure.observability.metrics import COMPONENT, KIND, Measurement, gauge

_log = get_logger(__name__)


class ConnectionState(StrEnum):
    """Where a connection manager is in its life."""

    NEW = "new"
    """Constructed; nothing was opened yet."""
    CONNECTING = "connecting"
    """Being opened; callers wait for it."""
    READY = "ready"
    """Open, and the last call or check was answered."""
    DEGRADED = "degraded"
    """Open, and the last call or check was refused for now: the pool or the server is full."""
    UNAVAILABLE = "unavailable"
    """It could not be opened, or the last call or check got no answer; the next one tries."""
    CLOSED = "closed"
    """Closed, or being closed; connecting opens it again."""


_STATES = {
    Status.UP: ConnectionState.READY,
    Status.UNKNOWN: ConnectionState.READY,
    Status.DEGRADED: ConnectionState.DEGRADED,
    Status.DOWN: ConnectionState.UNAVAILABLE,
}


@dataclass(frozen=True, slots=True)
class PoolStats:
    """Connections of a pool, counted now.

    Attributes:
        size: Open connections, in use or idle.
        in_use: Connections handed out.
        limit: The most that may be open at once.
    """

    size: int
    in_use: int
    limit: int


class Standing(ABC):
    """What a connection manager remembers of its calls, and says of itself."""

    settings: ConnectionSettings
    name: str
    _health: Health
    _closed_as: ConnectionState

    @abstractmethod
    def pool_stats(self) -> PoolStats:
        """How many connections there are; zeros when not connected."""

    def translated(self, error: Exception) -> InfrastructureError | None:  # noqa: ARG002 - a hook
        """Our error for one of the driver's, by its type or code; None when it is not its."""
        return None

    def note_answer(self) -> None:
        """Remember that a call was answered."""
        if self._health.status is not Status.UP:
            self._remember(Health(Status.UP, detail="the last call was answered"))

    def note_failure(self, error: InfrastructureError) -> None:
        """Remember what a failed call says about the connection; a refusal says it is there."""
        if isinstance(error, UnavailableError):
            self._remember(Health(Status.DOWN, detail=str(error)))
        elif isinstance(error, OverloadedError):
            self._remember(Health(Status.DEGRADED, detail=str(error)))

    def noted(self, error: BaseException) -> InfrastructureError | None:
        """Our error for what ended a call, remembered; None when it says nothing about it."""
        ours = error if isinstance(error, InfrastructureError) else None
        if ours is None and isinstance(error, Exception):
            ours = self.translated(error)
        if ours is not None:
            self.note_failure(ours)
        return ours

    def measurements(self) -> Iterable[Measurement]:
        """The pool as it is now; nothing of what has no pool."""
        stats = self.pool_stats()
        if not stats.limit:
            return
        pool, unit = {COMPONENT: self.name, KIND: str(self.settings.kind)}, "{connection}"
        for state, number in (("used", stats.in_use), ("idle", stats.size - stats.in_use)):
            labels = {**pool, "db.client.connection.state": state}
            yield gauge("db.client.connection.count", number, labels, unit=unit)
        yield gauge("db.client.connection.max", stats.limit, pool, unit=unit)

    def _state(self, *, is_open: bool) -> ConnectionState:
        return _STATES[self._health.status] if is_open else self._closed_as

    def _changed(self, changes: Mapping[str, Any]) -> ConnectionSettings:
        given = {name: getattr(self.settings, name) for name in type(self.settings).model_fields}
        return type(self.settings).model_validate({**given, **changes})

    def _remember(self, health: Health) -> None:
        """Keep the answer; a line is logged when it went down or came back, not for each call."""
        before, self._health = self._health.status, health
        if health.status is Status.DOWN and before is not Status.DOWN:
            _log.warning("connection down", where=self.name, reason=health.detail)
        elif health.is_up and before is Status.DOWN:
            _log.info("connection up again", where=self.name)
