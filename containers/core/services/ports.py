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
    def resolve(self, service: Any, key: Hashable = None) -> Any:
        """The object of a service; `list[Service]` gives those of all its registrations.

        Raises:
            ServiceNotRegisteredError: Nothing serves it, or something it needs.
            ServiceCycleError: It needs itself.
            CaptiveServiceError: It is scoped, or keeps something scoped, and no scope ends it.
            ServiceCreationError: It must be awaited, or its arguments cannot be found.
        """
        return self._resolve(service, key)

    @overload
    async def aresolve(self, service: Callable[..., T], key: Hashable = None) -> T: ...
    @overload
    async def aresolve(self, service: Any, key: Hashable = None) -> Any: ...
    async def aresolve(self, service: Any, key: Hashable = None) -> Any:
        """`resolve`, for services that may have to be awaited."""
        return await self._aresolve(service, key)

    @overload
    def try_resolve(self, service: Callable[..., T], key: Hashable = None) -> T | None: ...
    @overload
    def try_resolve(self, service: Any, key: Hashable = None) -> Any: ...
    def try_resolve(self, service: Any, key: Hashable = None) -> Any:
        """`resolve`, and None when the service itself is not registered."""
        return self._resolve(service, key) if self.is_registered(service, key) else None

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

    @abstractmethod
    def _resolve(self, service: Any, key: Hashable) -> Any:
        """Resolve without awaiting."""

    @abstractmethod
    async def _aresolve(self, service: Any, key: Hashable) -> Any:
        """Resolve, awaiting."""
