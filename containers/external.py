"""The container of the part `external`: a connection manager for each named block."""

from containers import parts, providers
from infrastructure.config import Settings
from infrastructure.connections.external.base import ExternalConnectionManager

service = parts.component("external", ExternalConnectionManager)


class ExternalContainer(parts.PartContainer):
    """Services by name, under `instances`; there is none that a name could be left out for."""

    settings = providers.Dependency(instance_of=Settings)
