"""Settings every external service has."""

from infrastructure.config.models.db import ConnectionSettings


class ExternalSettings(ConnectionSettings):
    """A block under `external.instances`."""
