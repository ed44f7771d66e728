"""The port of external services and its registry."""

from typing import ClassVar

from infrastructure.config.models.external import ExternalSettings
from infrastructure.connections.base import EXTERNAL, AsyncBaseConnectionManager
from infrastructure.registry import Registry


class ExternalConnectionManager(AsyncBaseConnectionManager):
    """A connection to a service of somebody else; each kind has the calls of its service."""

    Settings: ClassVar[type[ExternalSettings]]
    settings: ExternalSettings
    operations = frozenset({"ping"})


ExternalRegistry: Registry[ExternalConnectionManager] = Registry(
    "external",
    port=ExternalConnectionManager,
    package="infrastructure.connections.external",
    kinds=EXTERNAL,
)
