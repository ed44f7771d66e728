"""The two that give objects: what container and scope share, and the scope."""

from collections.abc import Callable, Hashable
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar

from containers.core.services import creation
from containers.core.services.keeping import Store
from containers.core.services.plans import Dependency
from containers.core.services.ports import ServiceProvider
from containers.core.services.resolution import Resolution, driven

if TYPE_CHECKING:
    from containers.core.services.container import DIContainer
    from containers.core.services.planning import Planner

T = TypeVar("T")


class ResolvingProvider(ServiceProvider):
    """Resolves with the registrations of a container, and keeps what it makes in a store."""

    store: Store
    root: "DIContainer"

    def is_registered(self, service: Any, key: Hashable = None) -> bool:
        """See `ServiceQuery.is_registered`."""
        return self._planner().catalog.has(service, key)

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
            planner = self._planner()
            given = creation.matched(constructor, extra, {})
            if given is None:
                raise creation.surplus(cls, extra, {}, [constructor])
            plan = creation.planned(planner, constructor, cls, given)
            made: T = driven(Resolution(self.root, planner, awaits=False).called(plan, self))
            return made

        return create

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

    def _resolve(self, service: Any, key: Hashable) -> Any:
        planner = self._planner()
        return driven(self._value(planner, self._found(planner, service, key), awaits=False))

    async def _aresolve(self, service: Any, key: Hashable) -> Any:
        planner = self._planner()
        return await self._value(planner, self._found(planner, service, key), awaits=True)

    def _planner(self) -> "Planner":
        return self.root._planner()  # noqa: SLF001 - the container's own scopes

    def _found(self, planner: "Planner", service: Any, key: Hashable) -> Dependency:
        self.store.check_open()
        return planner.catalog.asked(service, key)

    async def _value(self, planner: "Planner", found: Dependency, *, awaits: bool) -> Any:
        return await Resolution(self.root, planner, awaits).value(found, self)

    async def _created(
        self, cls: Any, extra: tuple[Any, ...], named: dict[str, Any], *, awaits: bool
    ) -> Any:
        self.store.check_open()
        planner = self._planner()
        plan = creation.first_plan(planner, cls, extra, named)
        return await Resolution(self.root, planner, awaits).called(plan, self)


class ServiceScope(ResolvingProvider):
    """A unit of work: one object of each scoped service, ended with it.

    It is open from its making; `with`, `async with`, `close()` and `aclose()` end it. A scope
    made by a scope has objects of its own and ends by itself.
    """

    def __init__(self, root: "DIContainer") -> None:
        self.root = root
        self.store = Store("scope")
        self.store.know(self)
