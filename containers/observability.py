"""Logs as something the container starts and ends, and the folders the settings name."""

from typing import Any

from infrastructure.config import Settings
from infrastructure.errors import ConfigurationError
from infrastructure.observability.logging import setup_logging


class Logs:
    """The sinks of one container; another container's are left alone."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._handle: Any = None

    def start(self) -> None:
        """Send logs where the settings say; known secrets are masked in every line."""
        self._handle = setup_logging(self._settings.logging, secrets=self._settings.secret_values())

    def stop(self) -> None:
        """Write what is waiting and remove the sinks."""
        handle, self._handle = self._handle, None
        if handle is not None:
            handle.close()


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
