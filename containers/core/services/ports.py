"""What a service may ask for to resolve others later; always registered."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable
from typing import Any, TypeVar, overload

T = TypeVar("T")


class ServiceQuery(ABC):
    """Tells what is registered."""

    @abstractmethod
    def is_registered(self, service: Any, key: Hashable = None) -> bool:
        """Whether asking for `service` would find a registration; a collection always does.

        An implementation is not registered by being one, nor an open generic without arguments.
        """


class ScopeFactory(ABC):
    """Opens scopes; a singleton may keep it."""

    @abstractmethod
    def create_scope(self) -> Any:
        """A new `ServiceScope`, open from now on; end it by `with` or `async with`."""


class ServiceProvider(ServiceQuery, ScopeFactory):
    """Gives objects: the container itself, or the scope on whose behalf an object is made."""

    @overload
    def resolve(self, service: Callable[..., T], key: Hashable = None) -> T: ...
    @overload
    def resolve(self, service: Any, key: Hashable = None) -> Any: ...
    @abstractmethod
    def resolve(self, service: Any, key: Hashable = None) -> Any:
        """The object of a service; `list[Service]` gives those of all its registrations.

        Raises:
            ServiceNotRegisteredError: Nothing serves it, or something it needs.
            CircularDependencyError: It needs itself.
            CaptiveServiceError: It is scoped, or keeps something scoped, and no scope ends it.
            ServiceCreationError: It must be awaited, or its arguments cannot be found.
        """

    @overload
    async def aresolve(self, service: Callable[..., T], key: Hashable = None) -> T: ...
    @overload
    async def aresolve(self, service: Any, key: Hashable = None) -> Any: ...
    @abstractmethod
    async def aresolve(self, service: Any, key: Hashable = None) -> Any:
        """`resolve`, for services that may have to be awaited."""

    @overload
    def resolve_optional(self, service: Callable[..., T], key: Hashable = None) -> T | None: ...
    @overload
    def resolve_optional(self, service: Any, key: Hashable = None) -> Any: ...
    def resolve_optional(self, service: Any, key: Hashable = None) -> Any:
        """`resolve`, and None when the service itself is not registered."""
        return self.resolve(service, key) if self.is_registered(service, key) else None

    @overload
    async def aresolve_optional(
        self, service: Callable[..., T], key: Hashable = None
    ) -> T | None: ...
    @overload
    async def aresolve_optional(self, service: Any, key: Hashable = None) -> Any: ...
    async def aresolve_optional(self, service: Any, key: Hashable = None) -> Any:
        """The same for services that may have to be awaited."""
        return await self.aresolve(service, key) if self.is_registered(service, key) else None

    @overload
    def resolve_all(self, service: Callable[..., T], key: Hashable = None) -> list[T]: ...
    @overload
    def resolve_all(self, service: Any, key: Hashable = None) -> list[Any]: ...
    def resolve_all(self, service: Any, key: Hashable = None) -> list[Any]:
        """The objects of all registrations of a service, in their order; none is an empty list."""
        found: list[Any] = self.resolve(list[service], key)
        return found

    @overload
    async def aresolve_all(self, service: Callable[..., T], key: Hashable = None) -> list[T]: ...
    @overload
    async def aresolve_all(self, service: Any, key: Hashable = None) -> list[Any]: ...
    async def aresolve_all(self, service: Any, key: Hashable = None) -> list[Any]:
        """The same for services that may have to be awaited."""
        found: list[Any] = await self.aresolve(list[service], key)
        return found

    @abstractmethod
    def create(self, cls: Callable[..., T], /, *extra: Any, **named: Any) -> T:
        """An object of a class that need not be registered; it is the caller's to end.

        Args:
            cls: The class.
            extra: Each goes to the first free parameter whose type it fits.
            named: Arguments by name.

        Raises:
            ServiceCreationError: The class is abstract, or no constructor takes the arguments.
            ServiceNotRegisteredError: Another parameter has no service.
        """

    @abstractmethod
    async def acreate(self, cls: Callable[..., T], /, *extra: Any, **named: Any) -> T:
        """`create`, for classes whose services may have to be awaited."""

    def get_or_create(self, cls: Callable[..., T]) -> T:
        """The registered object, or a new one of a class that is not registered."""
        return self.resolve(cls) if self.is_registered(cls) else self.create(cls)
