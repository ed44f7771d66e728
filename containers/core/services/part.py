"""Type-keyed services as a part of a declarative container."""

import asyncio
from collections.abc import Callable as Function
from collections.abc import Hashable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Self, TypeVar, cast, overload

from dependency_injector import providers as di

from containers.core import finding, scopes
from containers.core.providers import Managed
from containers.core.scoped import Scoped
from containers.core.services.checking import problems_of
from containers.core.services.container import DIContainer
from containers.core.services.node import Service
from containers.core.services.plans import named
from containers.core.services.ports import ServiceProvider
from containers.core.services.providers import ResolvingProvider, ServiceScope
from containers.core.shapes import Shape
from containers.core.validation import Problem

if TYPE_CHECKING:
    pass

T = TypeVar("T")


class Services(Managed["ServicesPart"]):
    """A `DIContainer` in a declarative container.

    A call gives what resolves: of the open scope of the container, or outside a scope of the
    container itself. `of(T)` gives a provider of one service, to be injected. The container
    checks the services when it is checked, and ends their objects when it stops.

    Args (of the constructor):
        source: A `DIContainer`, which all containers of the class share; or a function that
            makes one, called once for each container.
        phase: When its end comes; by default before that of everything else of the container.
    """

    __slots__ = ()
    shape = Shape.SINGLETON
    phase = 1

    def __init__(self, source: "DIContainer | Function[[], DIContainer] | None" = None) -> None:
        super().__init__(ServicesPart)
        self.source = source
        self._nodes: dict[tuple[Any, Hashable], tuple[Service[Any], di.Delegate]] = {}
        #: What it is a copy of; services are asked of that later too.
        self.declared: Services | None = None
        self._scope: Scoped[ServiceScope] = Scoped(service_scope, di.Delegate(self))
        self.set_args(di.Delegate(self))
        self._scope_delegate = di.Delegate(self._scope)

    def __deepcopy__(self, memo: dict[Any, Any] | None = None) -> Self:
        memo = {} if memo is None else memo
        copied = cast("Self | None", memo.get(id(self)))
        if copied is None:
            copied = memo[id(self)] = type(self)(self.source)
            copied.phase = self.phase
            copied.declared = self
            for service, key in self._nodes:
                copied.of(service, key)
            for overriding in self.overridden:
                copied.override(di.deepcopy(overriding, memo))
        return copied

    @property
    def container(self) -> DIContainer:
        """The type-keyed container itself."""
        found = self.__dict__.get("_container")
        if found is None:
            source = self.source
            found = source if isinstance(source, DIContainer) else cast("Any", source)()
            found = self.__dict__.setdefault("_container", found)
            found.is_part = True
        return cast("DIContainer", found)

    @property
    def scope_provider(self) -> Scoped[ServiceScope]:
        """What gives the service scope of an open scope."""
        return self._scope

    @overload
    def of(self, service: Function[..., T], key: Hashable = None) -> "di.Provider[T]": ...
    @overload
    def of(self, service: Any, key: Hashable = None) -> "di.Provider[Any]": ...
    def of(self, service: Any, key: Hashable = None) -> Any:
        """The provider of one service, the same one each time.

        It gives the object where it is called: in a scope, the scope's; an awaitable where making
        it must be awaited.
        """
        found = self._nodes.get((service, key))
        if found is None:
            node: Service[Any] = Service(self, service, key)
            found = self._nodes[service, key] = (node, di.Delegate(node))
        return found[0]

    def asker(self) -> ResolvingProvider:
        """What resolves here: the service scope of the innermost scope, or the container."""
        scope = scopes.current_scope()
        while scope is not None:
            if scope.is_open and finding.has(scope.container, self._scope):
                with scope.as_current(self._scope):
                    found: ServiceScope = self._scope()
                    return found
            scope = scope.parent
        return self.container

    @property
    def providers(self) -> Mapping[str, "di.Provider[Any]"]:
        """The services by name, for markers: `Provide["services.Clock"]`."""
        told = [(one.service, one.key) for one in self.container.descriptors]
        keys = dict.fromkeys([*self.asked(), *told])
        return {named(*key): self.of(*key) for key in keys}

    def asked(self) -> tuple[tuple[Any, Hashable], ...]:
        """What `of` was called with, here and on what this is a copy of."""
        return (*self._nodes, *(self.declared.asked() if self.declared else ()))

    @property
    def related(self) -> Any:
        """Its services and their scope, which belong to it, and which it does not call."""
        yield from super().related
        yield self._scope_delegate
        for _, delegate in tuple(self._nodes.values()):
            yield delegate

    def sources(self) -> tuple["di.Provider[Any]", ...]:
        """The providers that give some of the services; they must outlive the others."""
        registered = self.container.compiler().planner.catalog.registrations
        return tuple(one.provider for one in registered if one.provider is not None)

    def problems(self) -> Iterator[Problem]:
        """What is wrong with the services, and with what is asked of them."""
        planner = self.container.compiler().planner
        yield from problems_of(planner)
        for node, _ in tuple(self._nodes.values()):
            yield from node.problems()


class ServicesPart(ServiceProvider):
    """What a `Services` provider gives; each call resolves where it is made.

    In a scope of the declarative container, objects are the scope's; outside, the container's.

    Attributes:
        container: The `DIContainer`.
    """

    def __init__(self, services: Services) -> None:
        self.container = services.container
        self._services = services

    def is_registered(self, service: Any, key: Hashable = None) -> bool:
        """See `ServiceQuery.is_registered`."""
        return self.container.is_registered(service, key)

    def create_scope(self) -> ServiceScope:
        """A scope of the services alone; see `ScopeFactory.create_scope`."""
        return self.container.create_scope()

    def resolve(self, service: Any, key: Hashable = None) -> Any:
        """See `ServiceProvider.resolve`."""
        return self._services.asker().resolve(service, key)

    async def aresolve(self, service: Any, key: Hashable = None) -> Any:
        """See `ServiceProvider.aresolve`."""
        return await self._services.asker().aresolve(service, key)

    def create(self, cls: Function[..., T], /, *extra: Any, **named: Any) -> T:
        """See `ServiceProvider.create`."""
        return self._services.asker().create(cls, *extra, **named)

    async def acreate(self, cls: Function[..., T], /, *extra: Any, **named: Any) -> T:
        """See `ServiceProvider.acreate`."""
        return await self._services.asker().acreate(cls, *extra, **named)

    def start(self) -> None:
        """Nothing is made before it is asked for."""

    def stop(self) -> Any:
        """End what was made for the container, last made first; it can be started again.

        Returns:
            An awaitable, where something must be awaited.
        """
        store = self.container.store
        if store.needs_loop and asyncio._get_running_loop() is not None:  # noqa: SLF001 - the public one raises
            return store.aclose(reopens=True)
        return store.close(reopens=True)


def service_scope(services: Services) -> ServiceScope:
    """The service scope that belongs to the open scope: the one that opened it, or a new one."""
    scope = scopes.scope_of(services.scope_provider)
    known = services.container.inside.get(scope)
    opener = known() if known is not None else None
    return opener or ServiceScope(services.container, scope)
