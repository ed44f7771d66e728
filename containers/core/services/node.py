"""The provider of one service, for a declarative container that has services as a part."""

from collections.abc import Callable as Function
from collections.abc import Hashable, Iterator
from typing import TYPE_CHECKING, Any, Self, TypeVar, cast

from dependency_injector import providers as di

from containers.core.providers import Callable
from containers.core.services.plans import Candidate, candidates_of, named
from containers.core.services.providers import ResolvingProvider
from containers.core.services.registrations import ServiceLifetime
from containers.core.validation import Problem
from containers.errors import ContainerError, NoActiveScopeError, ServiceNotRegisteredError

if TYPE_CHECKING:
    from containers.core.services.part import Services
    from containers.core.services.planning import Planner

T = TypeVar("T")


class Service(Callable[T]):
    """Gives the object of one service; made by `Services.of`."""

    __slots__ = ()

    def __init__(self, services: "Services", service: Any, key: Hashable) -> None:
        super().__init__()
        self.services, self.wanted = services, (service, key)
        self.port = service if isinstance(service, type) else None

    def __deepcopy__(self, memo: dict[Any, Any] | None = None) -> Self:
        memo = {} if memo is None else memo
        copied = cast("Self | None", memo.get(id(self)))
        if copied is None:
            services = di.deepcopy(self.services, memo)
            copied = memo[id(self)] = cast("Self", services.of(*self.wanted))
            for overriding in self.overridden:
                copied.override(di.deepcopy(overriding, memo))
        return copied

    @property
    def provides(self) -> Any:
        """A function of no arguments, `async` where the service is, and named as it is."""
        name = named(*self.wanted)
        return _awaiting(self, name) if self.must_be_awaited() else _plain(self, name)

    @property
    def related(self) -> Any:
        """The services it needs, and the providers that serve some of them."""
        yield from super().related
        yield self.services
        planner = self.services.container.compiler().planner
        for candidate in self.candidates_in(planner) or ():
            yield from self._behind(planner, candidate)

    def candidates_in(self, planner: "Planner") -> tuple[Candidate, ...] | None:
        """What serves it; None in another container, nothing where it is not registered."""
        if planner.root is not self.services.container:
            return None
        try:
            return candidates_of(planner.catalog.asked(*self.wanted))
        except ContainerError:
            return ()

    def must_be_awaited(self) -> bool:
        """Whether a call gives an awaitable; what is wrong otherwise is told by the call."""
        planner = self.services.container.compiler().planner
        try:
            return any(planner.facts(one).is_async for one in self.candidates_in(planner) or ())
        except ContainerError:
            return False

    def problems(self) -> Iterator[Problem]:
        """That it is not registered."""
        try:
            self.services.container.compiler().planner.catalog.asked(*self.wanted)
        except ServiceNotRegisteredError as error:
            told = str(error).removeprefix(f"{error.where}: ")
            yield Problem("unset-dependency", (named(*self.wanted),), told)

    def _behind(self, planner: "Planner", candidate: Candidate) -> Iterator[Any]:
        registration = candidate.registration
        if registration.provider is not None:
            yield registration.provider
            return
        if registration.is_ready or registration.is_builtin:
            return
        if registration.lifetime is ServiceLifetime.SCOPED:
            yield self.services.scope_provider
        try:
            needed = tuple(planner.plan(candidate).candidates)
        except ContainerError:
            return
        for other in needed:
            if other.registration.is_builtin:
                continue
            if planner.catalog.find(other.service, other.key) == other:
                yield self.services.of(other.service, other.key)
            else:  # one of a collection, or what a decorator wraps
                yield from self._behind(planner, other)

    def found_in(self, find: Function[[Any], Any]) -> "di.Provider[Any] | None":
        """The same service of another container.

        Args:
            find: Gives that container's provider for one of its class, or None.
        """
        services = find(self.services)
        return None if services is None else services.of(*self.wanted)

    def _resolve(self, _args: tuple[Any, ...], _kwargs: dict[str, Any]) -> Any:
        asker = self.asker()
        resolve = asker.aresolve if self.is_async() else asker.resolve
        return resolve(*self.wanted)

    def asker(self) -> ResolvingProvider:
        """What resolves it here.

        Raises:
            NoActiveScopeError: It is scoped, and there is no open scope.
        """
        asker = self.services.asker()
        container = self.services.container
        if asker is container:
            planner = container.compiler().planner
            if any(planner.facts(one).scoped for one in self.candidates_in(planner) or ()):
                raise NoActiveScopeError(named(*self.wanted))
        return asker


def _plain(provider: Service[Any], name: str) -> Function[[], Any]:
    def call() -> Any:
        return provider()

    call.__name__ = call.__qualname__ = name
    call.__annotations__.clear()  # its port tells more than `Any`
    return call


def _awaiting(provider: Service[Any], name: str) -> Function[[], Any]:
    async def call() -> Any:
        return await provider()

    call.__name__ = call.__qualname__ = name
    call.__annotations__.clear()  # its port tells more than `Any`
    return call
