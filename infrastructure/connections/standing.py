"""How a connection manager stands: what is known of it without asking, in both worlds."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from pydantic import ValidationError

from infrastructure.config.models.db import ConnectionSettings
from infrastructure.connections.drain import Drain
from infrastructure.connections.sync_drain import SyncDrain
from infrastructure.errors import (
    ConfigurationError,
    InfrastructureError,
    OverloadedError,
    UnavailableError,
)
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

    def measurements(self, name: str, kind: str) -> Iterator[Measurement]:
        """The pool of the component of this name and kind; nothing of what has none."""
        if not self.limit:
            return
        pool, unit = {COMPONENT: name, KIND: str(kind)}, "{connection}"
        for state, number in (("used", self.in_use), ("idle", self.size - self.in_use)):
            labels = {**pool, "db.client.connection.state": state}
            yield gauge("db.client.connection.count", number, labels, unit=unit)
        yield gauge("db.client.connection.max", self.limit, pool, unit=unit)


class Standing(ABC):
    """What a connection manager remembers of its calls, and says of itself."""

    settings: ConnectionSettings
    name: str
    drain: Drain | SyncDrain
    _health: Health
    _closed_as: ConnectionState

    @property
    @abstractmethod
    def state(self) -> ConnectionState:
        """Where it is in its life, as far as is known without asking."""

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
        return self.pool_stats().measurements(self.name, self.settings.kind)

    def _state(self, *, is_open: bool) -> ConnectionState:
        return _STATES[self._health.status] if is_open else self._closed_as

    def changed(self, changes: Mapping[str, Any], *, by: str) -> ConnectionSettings:
        """The settings with these changes; the manager keeps its own.

        Args:
            changes: By name of the setting.
            by: Where they come from, for the error.

        Raises:
            ConfigurationError: They are no settings of this kind.
        """
        kind = type(self.settings)
        try:
            if not isinstance(changes, Mapping):
                raise self._misfit(by, f"expected settings by name, found {type(changes).__name__}")
            given = {name: getattr(self.settings, name) for name in kind.model_fields}
            return kind.model_validate({**given, **changes})
        except ValidationError as error:
            wrong = error.errors(include_input=False, include_url=False, include_context=False)
            said = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in wrong)
            raise self._misfit(by, said) from None  # whose text may quote a secret

    def _misfit(self, by: str, said: str) -> ConfigurationError:
        return ConfigurationError(f"what {by} gave does not fit: {said}", where=self.name)

    def _remember(self, health: Health) -> None:
        """Keep the answer; a line is logged when it went down or came back, not for each call.

        What is closed, or being closed, refuses calls and cuts them, which says nothing.
        """
        if self.state is ConnectionState.CLOSED:
            return
        before, self._health = self._health.status, health
        if health.status is Status.DOWN and before is not Status.DOWN:
            _log.warning("connection down", where=self.name, reason=health.detail)
        elif health.is_up and before is Status.DOWN:
            _log.info("connection up again", where=self.name)
