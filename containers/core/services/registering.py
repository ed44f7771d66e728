"""The half of the type-keyed container that takes registrations."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable
from dataclasses import replace
from itertools import count
from threading import RLock
from types import ModuleType
from typing import Any

from dependency_injector import providers as di

from containers.core.fitting import misfit
from containers.core.services import discovery, generics
from containers.core.services.foreign import lifetime_of, served_by
from containers.core.services.registrations import (
    ServiceDescriptor,
    ServiceLifetime,
    checked_instance,
    checked_target,
)
from containers.errors import ServiceNotRegisteredError, ServiceRegistrationError

_SINGLETON, _SCOPED, _TRANSIENT = (
    ServiceLifetime.SINGLETON,
    ServiceLifetime.SCOPED,
    ServiceLifetime.TRANSIENT,
)


class Registering(ABC):
    """Takes registrations until it is frozen; the last one of a service serves it."""

    def __init__(self) -> None:
        self._lock = RLock()
        self._order = count()
        self._registrations: tuple[ServiceDescriptor, ...] = ()
        self._scanned: set[discovery.Marker] = set()
        self._is_frozen = False
        #: What was ready when it came, by identity; whoever made it ends it.
        self.instances: dict[int, object] = {}

    @property
    def descriptors(self) -> tuple[ServiceDescriptor, ...]:
        """Every registration, in order, without what is built in."""
        return tuple(one for one in self._registrations if not one.is_builtin)

    def register_singleton(
        self,
        interface: Any,
        implementation: Callable[..., Any] | None = None,
        *,
        key: Hashable = None,
    ) -> None:
        """One object for the container, made by a class; without one, by the interface itself.

        Raises:
            ServiceRegistrationError: The class is abstract or does not fit the interface.
        """
        self.register_factory(interface, implementation or interface, _SINGLETON, key=key)

    def register_scoped(
        self,
        interface: Any,
        implementation: Callable[..., Any] | None = None,
        *,
        key: Hashable = None,
    ) -> None:
        """One object for each scope."""
        self.register_factory(interface, implementation or interface, _SCOPED, key=key)

    def register_transient(
        self,
        interface: Any,
        implementation: Callable[..., Any] | None = None,
        *,
        key: Hashable = None,
    ) -> None:
        """A new object each time."""
        self.register_factory(interface, implementation or interface, _TRANSIENT, key=key)

    def register_instance(self, interface: Any, instance: object, *, key: Hashable = None) -> None:
        """An object that is ready, and ended by whoever made it.

        Raises:
            ServiceRegistrationError: It does not fit the interface.
        """
        target = checked_instance(interface, instance)
        self.instances[id(target)] = target
        self._add(service=interface, target=target, key=key, is_ready=True)

    def register_factory(
        self,
        interface: Any,
        factory: Callable[..., Any],
        lifetime: ServiceLifetime | str = _SINGLETON,
        *,
        key: Hashable = None,
    ) -> None:
        """Objects made by a function: plain, `async def`, a generator or a context manager.

        Its parameters are services, by their annotations. Of those without annotation, the first
        is the provider that asks and the second is the key.
        """
        target = checked_target(interface, factory)
        self._add(service=interface, target=target, key=key, lifetime=ServiceLifetime(lifetime))

    def try_register_singleton(
        self,
        interface: Any,
        implementation: Callable[..., Any] | None = None,
        *,
        key: Hashable = None,
    ) -> bool:
        """`register_singleton`, unless the service has a registration; says whether it did."""
        return self._tried(self.register_singleton, interface, implementation, key=key)

    def try_register_scoped(
        self,
        interface: Any,
        implementation: Callable[..., Any] | None = None,
        *,
        key: Hashable = None,
    ) -> bool:
        """`register_scoped`, unless the service has a registration."""
        return self._tried(self.register_scoped, interface, implementation, key=key)

    def try_register_transient(
        self,
        interface: Any,
        implementation: Callable[..., Any] | None = None,
        *,
        key: Hashable = None,
    ) -> bool:
        """`register_transient`, unless the service has a registration."""
        return self._tried(self.register_transient, interface, implementation, key=key)

    def try_register_instance(
        self, interface: Any, instance: object, *, key: Hashable = None
    ) -> bool:
        """`register_instance`, unless the service has a registration."""
        return self._tried(self.register_instance, interface, instance, key=key)

    def try_register_factory(
        self,
        interface: Any,
        factory: Callable[..., Any],
        lifetime: ServiceLifetime | str = _SINGLETON,
        *,
        key: Hashable = None,
    ) -> bool:
        """`register_factory`, unless the service has a registration."""
        return self._tried(self.register_factory, interface, factory, lifetime, key=key)

    def register_provider(
        self,
        interface: Any,
        provider: di.Provider[Any],
        *,
        key: Hashable = None,
        container: Any = None,
    ) -> None:
        """Objects given by a provider of a declarative container, as long-lived as it says.

        Args:
            interface: The service.
            provider: The provider; its overrides are followed, and it keeps and ends its objects.
            key: The key of the service.
            container: The provider's container. Scopes of services open one of its scopes for
                what is scoped there; without it the scope that is open is asked.

        Raises:
            ServiceRegistrationError: It is no provider, or its objects do not fit.
        """
        if not isinstance(provider, di.Provider):
            raise ServiceRegistrationError(
                f"{generics.name_of(interface)} cannot be given by {provider!r}",
                hint="Name a provider of a declarative container.",
            )
        found = misfit(provider, interface)
        if found:
            raise ServiceRegistrationError(f"what {generics.name_of(interface)} is given {found}")
        self._add(
            service=interface,
            target=provider,
            key=key,
            lifetime=lifetime_of(provider),
            provider=provider,
            container=container,
        )

    def add_container(self, container: Any) -> tuple[Any, ...]:
        """Take the providers of a declarative container whose type can be told.

        Each serves its class or annotated type with its dotted path as key; the only one of its
        type serves it without a key too. Others are taken by `register_provider`.

        Returns:
            The types that are served now.
        """
        found = [*served_by(container)]
        for made, key, provider in found:
            self.register_provider(made, provider, key=key, container=container)
        return tuple(dict.fromkeys(made for made, _, _ in found))

    def decorate(
        self, interface: Any, wrapper: Callable[..., Any], *, key: Hashable = None
    ) -> None:
        """Wrap what is registered for a service so far; wrapper and wrapped live equally long.

        The wrapper takes what it wraps by the parameter annotated with the service, or by its
        first one; the others are services.

        Raises:
            ServiceNotRegisteredError: There is nothing to wrap.
        """
        target = checked_target(interface, wrapper)
        with self._lock:
            self._refuse_frozen(interface)
            wrapped = [one for one in self._registrations if _serves(one, interface, key)]
            if not wrapped:
                name = generics.name_of(interface)
                hint = f"Register {name} before decorating it."
                raise ServiceNotRegisteredError(interface, key, hint=hint)
            self._registrations = tuple(
                replace(one, target=target, inner=one, is_ready=False) if one in wrapped else one
                for one in self._registrations
            )
            self._forget()

    def scan(self, package: str | ModuleType) -> tuple[Any, ...]:
        """Import a package's modules and register what carries `@service`; each thing once.

        Returns:
            The services that were registered now.
        """
        found = dict.fromkeys(discovery.marked_in(package))
        new = [marker for marker in found if marker not in self._scanned]
        for marker in new:
            self._scanned.add(marker)
            self.register_factory(marker.service, marker.target, marker.lifetime, key=marker.key)
        return tuple(marker.service for marker in new)

    def _tried(self, register: Callable[..., None], interface: Any, *args: Any, key: Any) -> bool:
        with self._lock:
            if any(_serves(one, interface, key) for one in self._registrations):
                return False
            register(interface, *args, key=key)
            return True

    def _add(self, **registration: Any) -> None:
        with self._lock:
            self._refuse_frozen(registration["service"])
            added = ServiceDescriptor(**registration, order=next(self._order))
            self._registrations = (*self._registrations, added)
            self._forget()

    def _refuse_frozen(self, service: Any) -> None:
        if self._is_frozen:
            raise ServiceRegistrationError(
                f"{generics.name_of(service)} was registered after build()",
                hint="Register before it, or use override() for a while.",
            )

    @abstractmethod
    def _forget(self) -> None:
        """Drop what was planned from the registrations so far."""


def _serves(registration: ServiceDescriptor, service: Any, key: Hashable) -> bool:
    return registration.service == service and registration.key == key
