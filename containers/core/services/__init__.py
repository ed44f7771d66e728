"""The type-keyed container: services registered by type, objects made by their annotations."""

from containers.core.services.container import DIContainer
from containers.core.services.discovery import service
from containers.core.services.ports import ScopeFactory, ServiceProvider, ServiceQuery
from containers.core.services.providers import ServiceScope
from containers.core.services.registrations import (
    ANY_KEY,
    Key,
    ServiceDescriptor,
    ServiceKey,
    ServiceLifetime,
    constructor,
)
from containers.errors import ServiceNotRegisteredError

__all__ = [
    "ANY_KEY",
    "DIContainer",
    "Key",
    "ScopeFactory",
    "ServiceDescriptor",
    "ServiceKey",
    "ServiceLifetime",
    "ServiceNotRegisteredError",
    "ServiceProvider",
    "ServiceQuery",
    "ServiceScope",
    "constructor",
    "service",
]
