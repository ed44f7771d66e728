"""The type-keyed container: what it registers."""

from collections.abc import Callable, Hashable
from dataclasses import replace
from itertools import count
from threading import RLock
from types import ModuleType
from typing import Any

from containers.core.fitting import misfit
from containers.core.services import discovery, generics
from containers.core.services.catalog import Catalog
from containers.core.services.keeping import Store
from containers.core.services.overriding import Override, isolated_for
from containers.core.services.planning import Planner
from containers.core.services.ports import ScopeFactory, ServiceProvider, ServiceQuery
from containers.core.services.providers import ResolvingProvider
from containers.core.services.registrations import (
    Registration,
    ServiceLifetime,
    checked_instance,
    checked_target,
)
from containers.errors import OverrideTypeError, ServiceNotRegisteredError

_SINGLETON, _SCOPED, _TRANSIENT = (
    ServiceLifetime.SINGLETON,
    ServiceLifetime.SCOPED,
    ServiceLifetime.TRANSIENT,
)


class DIContainer(ResolvingProvider):
    """Registers services by type and makes their objects, each with what it asks for.

    Objects it makes end with it, or with the scope they were made for, last made first: those
    with `close` or `aclose`, those yielded by generators and those entered from context managers.
    Ready objects are not its own. A transient with such an ending is kept until its container or
    scope ends, so ask a scope for those.

    It is a service itself, as `DIContainer` and, with its scopes, as `ServiceProvider`; so are
    `ScopeFactory` and `ServiceQuery`.
    """

    def __init__(self) -> None:
        self.root = self
        self.store = Store("container")
        self.store.know(self)
        self._lock = RLock()
        self._order = count()
        self._registrations: tuple[Registration, ...] = ()
        self._layers: tuple[Override, ...] = ()
        self._planners: dict[tuple[Override, ...], Planner] = {}
        self._scanned: set[discovery.Marker] = set()
        for builtin in (DIContainer, ScopeFactory, ServiceQuery):
            self._add(service=builtin, target=_the_root, lifetime=_TRANSIENT, is_builtin=True)
        asker = {"service": ServiceProvider, "target": _the_asker}
        self._add(**asker, lifetime=_TRANSIENT, is_builtin=True)

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
        self.store.know(checked_instance(interface, instance))
        self._add(service=interface, target=instance, key=key, is_ready=True)

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
            wrapped = [one for one in self._registrations if _serves(one, interface, key)]
            if not wrapped:
                name = generics.name_of(interface)
                hint = f"Register {name} before decorating it."
                raise ServiceNotRegisteredError(interface, key, hint=hint)
            self._registrations = tuple(
                replace(one, target=target, inner=one, is_ready=False) if one in wrapped else one
                for one in self._registrations
            )
            self._planners = {}

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

    def override(
        self,
        interface: Any,
        stand_in: object,
        *,
        key: Hashable = None,
        isolated: bool = False,
    ) -> Override:
        """Let an object stand for a service in a `with` block.

        Args:
            interface: The service.
            stand_in: The object.
            key: The key of the service.
            isolated: Only for the current task or thread and the tasks started there.

        Raises:
            OverrideTypeError: The object does not fit the interface.
            ServiceNotRegisteredError: There is nothing to stand for.
        """
        found = misfit(stand_in, interface)
        if found:
            raise OverrideTypeError(
                f"the stand-in for {generics.name_of(interface)} {found}", where="services"
            )
        self._found(self._planner(), interface, key)
        return Override(self, interface, stand_in, key, isolated=isolated)

    def add_layer(self, layer: Override) -> None:
        """Let an override hold for everybody."""
        with self._lock:
            self._layers = (*self._layers, layer)

    def remove_layer(self, layer: Override) -> None:
        """Take an override off, and forget what was planned under it."""
        with self._lock:
            self._layers = tuple(one for one in self._layers if one is not layer)
            planners = self._planners.items()
            self._planners = {key: one for key, one in planners if layer not in key}

    def _add(self, **registration: Any) -> None:
        with self._lock:
            added = Registration(**registration, order=next(self._order))
            self._registrations = (*self._registrations, added)
            self._planners = {}

    def _planner(self) -> Planner:
        layers = (*self._layers, *isolated_for(self))
        planner = self._planners.get(layers)
        if planner is None:
            with self._lock:
                planner = Planner(Catalog(self._registrations, layers))
                self._planners[layers] = planner
        return planner


def _serves(registration: Registration, service: Any, key: Hashable) -> bool:
    return registration.service == service and registration.key == key


def _the_root(root: Any, _asker: Any) -> Any:
    return root


def _the_asker(_root: Any, asker: Any) -> Any:
    return asker
