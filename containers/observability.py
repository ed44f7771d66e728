"""Logs as something the container starts and ends, and the folders the settings name."""

from collections.abc import Iterable
from typing import Any

from containers import providers
from containers.core import scopes
from containers.errors import ContainerError
from infrastructure.config import Settings
from infrastructure.errors import ConfigurationError
from infrastructure.observability.logging import Logger, LoggingHandle, Stream, setup_logging
from infrastructure.observability.metrics import Measurement


class Logs:
    """The sinks of one container; another container's are left alone.

    Where a process has several, a line written in a scope of one reaches that one's sinks only.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._handle: LoggingHandle | None = None

    @property
    def handle(self) -> LoggingHandle:
        """What was set up.

        Raises:
            ContainerError: The container is not started.
        """
        if self._handle is None:
            raise ContainerError(
                "the logs are not set up", where="logging", hint="Start the container first."
            )
        return self._handle

    def get_logger(self, name: str, *, stream: Stream | str = Stream.APP) -> Logger:
        """A logger whose lines reach this container's sinks and no other's."""
        return self.handle.get_logger(name, stream=stream)

    def measurements(self) -> Iterable[Measurement]:
        """Lines that were lost; none while the container is not started."""
        return self._handle.measurements() if self._handle is not None else ()

    def start(self) -> None:
        """Send logs where the settings say; known secrets are masked in every line."""
        self._handle = setup_logging(
            self._settings.logging, secrets=self._settings.secret_values(), claims=self._claims
        )

    def stop(self) -> None:
        """Write what is waiting and remove the sinks."""
        handle, self._handle = self._handle, None
        if handle is not None:
            handle.close()

    def _claims(self) -> bool:
        """Whether the scope that a line is written in is our container's."""
        scope: Any = scopes.current()
        while scope is not None:
            settings = getattr(scope.container, "settings", None)
            known = settings() if isinstance(settings, providers.Object) else None
            if isinstance(known, Settings):  # the innermost that has any decides
                return known is self._settings
            scope = scope.parent
        return False


class Folders:
    """The folders `paths:` names, created at start."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def start(self) -> None:
        """Create those that are missing."""
        paths = self._settings.paths
        for folder in (paths.data, paths.logs, paths.results):
            try:
                folder.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise ConfigurationError(
                    f"the folder {folder} cannot be created ({error.strerror})",
                    where="paths",
                    hint="Name another, such as with SWITCHGEAR_DATA_DIR.",
                ) from error

    def stop(self) -> None:
        """Leave them: they hold what must outlive the process."""
