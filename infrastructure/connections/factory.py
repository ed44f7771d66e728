"""The doors over all connections: databases, vector stores and external services."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal, TypeVar, overload

from infrastructure.ambient import block_of_kind
from infrastructure.connections.base import (
    AsyncBaseConnectionManager,
    ConnectionType,
    DatabaseRegistry,
)
from infrastructure.errors import UnknownKindError
from infrastructure.registry import Registry, registry_of

if TYPE_CHECKING:  # only the types: importing them at run time would import their drivers
    from infrastructure.connections.database.base import SqlConnectionManager
    from infrastructure.connections.vector.base import VectorStore

ManagerT = TypeVar("ManagerT", bound=AsyncBaseConnectionManager)
_PARTS = ("db", "vector", "external")


class ConnectionRegistry:
    """One door to the registries of databases, of vector stores and of external services."""

    @staticmethod
    def register(kind: str) -> Callable[[type[ManagerT]], type[ManagerT]]:
        """Serve `kind` with the decorated class, among those of its port.

        Raises:
            TypeError: The class derives from no port, names no `Settings`, or the kind is taken.
        """

        def add(cls: type[ManagerT]) -> type[ManagerT]:
            registries = (registry_of(part) for part in _PARTS if part != "db")
            fitting = (each for each in registries if issubclass(cls, each.port))
            return next(fitting, DatabaseRegistry).register(kind)(cls)

        return add

    @staticmethod
    def kinds() -> tuple[str, ...]:
        """Every kind that can be resolved now, sorted."""
        return tuple(sorted({kind for part in _PARTS for kind in registry_of(part).kinds()}))

    @staticmethod
    def resolve(kind: str) -> type[AsyncBaseConnectionManager]:
        """The class that serves `kind`.

        Raises:
            UnknownKindError: No backend answers to that word.
            MissingExtraError: The backend's vendor package is not installed.
        """
        found: type[AsyncBaseConnectionManager] = _registry_with(kind).resolve(kind)
        return found


class ConnectionFactory:
    """Makes connection managers from the settings of the process."""

    @overload
    @staticmethod
    def get_connection_manager(
        kind: Literal[ConnectionType.POSTGRES, ConnectionType.SQLITE], *, name: str = ""
    ) -> "SqlConnectionManager": ...

    @overload
    @staticmethod
    def get_connection_manager(
        kind: Literal[ConnectionType.MEMORY, ConnectionType.QDRANT], *, name: str = ""
    ) -> "VectorStore": ...

    @overload
    @staticmethod
    def get_connection_manager(kind: str, *, name: str = "") -> Any: ...

    @staticmethod
    def get_connection_manager(kind: str, *, name: str = "") -> Any:
        """A new manager of that kind, not connected; the caller closes it.

        It has the settings of the part's `default` if that is of this kind, else of the first
        instance that is, else the defaults of the kind's own model.

        Args:
            kind: Such as `ConnectionType.POSTGRES` or "postgres".
            name: What errors call it; the kind when empty.

        Raises:
            UnknownKindError: No database, vector store or service answers to that word.
            MissingExtraError: The backend's vendor package is not installed.
        """
        registry = _registry_with(kind)
        return registry.create(block_of_kind(registry.part, str(kind)), name=name)


def _registry_with(kind: str) -> Registry[Any]:
    for part in _PARTS:
        if str(kind) in (registry := registry_of(part)).kinds():
            return registry
    raise UnknownKindError(str(kind), ConnectionRegistry.kinds())
