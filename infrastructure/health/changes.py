"""Who is told when a component goes down or comes back: one line of the log, and listeners."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from infrastructure.health.status import Health, Status

if TYPE_CHECKING:
    from infrastructure.observability.logging import LoggerPort


@dataclass(frozen=True, slots=True)
class HealthChange:
    """A component that answers otherwise than before.

    Attributes:
        name: The provider path, or the name the check was added by.
        before: What was known; UNKNOWN at the first answer.
        health: The answer now.
        is_critical: Whether the application cannot serve without it.
    """

    name: str
    before: Status
    health: Health
    is_critical: bool


Listener = Callable[[HealthChange], object]


class Changes:
    """Tells each change once.

    Args:
        logger: Where the lines go; by default the log of the application.
    """

    def __init__(self, logger: "LoggerPort | None") -> None:
        self._logger = logger
        self._listeners: tuple[Listener, ...] = ()

    def listen(self, listener: Listener) -> None:
        """Tell this one too.

        Raises:
            TypeError: It is a coroutine function; nobody would await it.
        """
        if inspect.iscoroutinefunction(listener):
            raise TypeError("a listener for changes of health is a plain function")
        self._listeners = (*self._listeners, listener)

    def tell(self, change: HealthChange) -> None:
        """Write the line, and call every listener."""
        self._write(change)
        for listener in self._listeners:
            try:
                listener(change)
            except Exception:  # noqa: BLE001 - the check is not to blame
                self._log().exception("listener for changes of health failed")

    def _write(self, change: HealthChange) -> None:
        health = change.health
        if health.is_up and change.before is Status.UNKNOWN:
            return  # what works from the start is no news
        write = self._log().info if health.is_up else self._log().warning
        told = {"component": change.name, "before": str(change.before), "now": str(health.status)}
        write("health changed", **told, is_critical=change.is_critical, detail=health.detail)

    def _log(self) -> "LoggerPort":
        if self._logger is None:
            from infrastructure.observability.logging import get_logger  # only a change needs it

            self._logger = get_logger("infrastructure.health")
        return self._logger
