"""The two that give objects: what container and scope share, and the scope."""

from collections.abc import Callable, Hashable
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar

from containers.core import layers
from containers.core.services import creation, foreign
from containers.core.services.keeping import Store
from containers.core.services.making import outside
from containers.core.services.overriding import isolated
from containers.core.services.plans import Candidate, Facts
from containers.core.services.ports import ServiceProvider
from containers.core.services.resolution import Resolution, driven

if TYPE_CHECKING:
    from containers.core.scopes import Scope
    from containers.core.services.compiling import Compiler
    from containers.core.services.container import DIContainer

T = TypeVar("T")


class ResolvingProvider(ServiceProvider):
    """Resolves with the registrations of a container, and keeps what it makes in a store."""

    store: Store
    root: "DIContainer"

    def is_registered(self, service: Any, key: Hashable = None) -> bool:
        """See `ServiceQuery.is_registered`."""
        return self.root.compiler().planner.catalog.has(service, key)

    def resolve(self, service: Any, key: Hashable = None) -> Any:
        """See `ServiceProvider.resolve`."""
        root = self.root
        try:
            get = root.getters[service if key is None else (service, key)]
        except (KeyError, TypeError):  # not asked before; or it cannot be hashed
            return self._slowly(service, key)
        if self.store.is_open and not isolated.get() and not (root.is_part and layers.active()):
            return get(self)
        return self._slowly(service, key)

    async def aresolve(self, service: Any, key: Hashable = None) -> Any:
        """See `ServiceProvider.aresolve`."""
        self.store.check_open()
        compiler = self.root.compiler()
        get = compiler.getter(service, key)
        return get(self) if get else await self._value(compiler, service, key, awaits=True)

    def _slowly(self, service: Any, key: Hashable) -> Any:
        """For the first time, or under an override that only some see."""
        self.store.check_open()
        compiler = self.root.compiler()
        get = compiler.getter(service, key)
        return get(self) if get else driven(self._value(compiler, service, key, awaits=False))

    def create_scope(self) -> "ServiceScope":
        """See `ScopeFactory.create_scope`."""
        self.store.check_open()
        return ServiceScope(self.root)

    def create(self, cls: Callable[..., T], /, *extra: Any, **named: Any) -> T:
        """See `ServiceProvider.create`."""
        made: T = driven(self._created(cls, extra, named, awaits=False))
        return made

    async def acreate(self, cls: Callable[..., T], /, *extra: Any, **named: Any) -> T:
        """See `ServiceProvider.acreate`."""
        made: T = await self._created(cls, extra, named, awaits=True)
        return made

    def creator(self, cls: Callable[..., T], *types: Any) -> Callable[..., T]:
        """A function that creates objects from extra arguments of these types, chosen once.

        Raises:
            ServiceCreationError: No constructor takes them, or more than one does.
        """
        constructor = creation.chosen(cls, types)

        def create(*extra: Any) -> T:
            compiler = self.root.compiler()
            given = creation.matched(constructor, extra, {})
            if given is None:
                raise creation.surplus(cls, extra, {}, [constructor])
            plan = creation.planned(compiler.planner, constructor, cls, given)
            made: T = driven(Resolution(self.root, compiler, awaits=False).called(plan, self))
            return made

        return create

    def from_provider(self, candidate: Candidate, facts: Facts) -> Any:
        """The object of a declarative container's provider, in the scope that matches."""
        if facts.scoped:
            raise outside(facts)
        return candidate.registration.provider()

    async def afrom_provider(self, candidate: Candidate, facts: Facts) -> Any:
        """The same for a provider whose object must be awaited."""
        if facts.scoped:
            raise outside(facts)
        return await candidate.registration.provider()

    def close(self) -> None:
        """End what was made here, last made first.

        Raises:
            BaseExceptionGroup: What failed to end; everything has had its turn.
        """
        self.store.close()

    async def aclose(self) -> None:
        """The same, awaiting what must be awaited."""
        await self.store.aclose()

    def __enter__(self) -> Self:
        self.store.check_open()
        self.store.is_plain = True
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: object
    ) -> None:
        self.store.close(error)

    async def __aenter__(self) -> Self:
        self.store.check_open()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.store.aclose(error)

    async def _value(
        self, compiler: "Compiler", service: Any, key: Hashable, *, awaits: bool
    ) -> Any:
        found = compiler.planner.catalog.asked(service, key)
        return await Resolution(self.root, compiler, awaits).value(found, self)

    async def _created(
        self, cls: Any, extra: tuple[Any, ...], named: dict[str, Any], *, awaits: bool
    ) -> Any:
        self.store.check_open()
        compiler = self.root.compiler()
        plan = creation.first_plan(compiler.planner, cls, extra, named)
        return await Resolution(self.root, compiler, awaits).called(plan, self)


class ServiceScope(ResolvingProvider):
    """A unit of work: one object of each scoped service, ended with it.

    It is open from its making; `with`, `async with`, `close()` and `aclose()` end it. A scope
    made by a scope has objects of its own and ends by itself.

    Attributes:
        outer: The scope of a declarative container that it belongs to and ends with.
        opened: The scopes of declarative containers that it opened, by container.
    """

    def __init__(self, root: "DIContainer", outer: "Scope | None" = None) -> None:
        self.root = root
        self.store = Store("scope")
        self.outer = outer
        self.opened: dict[Any, Scope] | None = None
        if outer is not None:
            self.store.belong(outer)

    def from_provider(self, candidate: Candidate, facts: Facts) -> Any:
        """See `ResolvingProvider.from_provider`."""
        if not facts.scoped:
            return candidate.registration.provider()
        return foreign.scope_for(self, candidate).get(candidate.registration.provider)

    async def afrom_provider(self, candidate: Candidate, facts: Facts) -> Any:
        """The same for a provider whose object must be awaited."""
        if not facts.scoped:
            return await candidate.registration.provider()
        return await foreign.scope_for(self, candidate).aget(candidate.registration.provider)
