"""The doors over all connections: databases, vector stores and external services."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal, TypeVar, overload

from infrastructure.ambient import block_of_kind
from infrastructure.connections.base import (
    AsyncBaseConnectionManager,
    ConnectionType,
    DatabaseRegistry,
    sync_twin,
)
from infrastructure.errors import UnknownKindError
from infrastructure.registry import Registry, registry_of

if TYPE_CHECKING:  # only the types: importing them at run time would import their drivers
    from infrastructure.connections.database.mongodb import MongodbConnectionManager
    from infrastructure.connections.database.postgres import PostgresConnectionManager
    from infrastructure.connections.database.redis import RedisConnectionManager
    from infrastructure.connections.database.sql.base import SqlConnectionManager
    from infrastructure.connections.database.sql.sync_base import SyncSqlConnectionManager
    from infrastructure.connections.external.confluence import ConfluenceConnectionManager
    from infrastructure.connections.external.dynamodb import DynamoConnectionManager
    from infrastructure.connections.external.http import HttpConnectionManager
    from infrastructure.connections.external.jira import JiraConnectionManager
    from infrastructure.connections.external.s3 import S3ConnectionManager
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
        kind: Literal[ConnectionType.POSTGRES], *, name: str = ""
    ) -> "PostgresConnectionManager": ...

    @overload
    @staticmethod
    def get_connection_manager(
        kind: Literal[ConnectionType.SQLITE], *, name: str = ""
    ) -> "SqlConnectionManager": ...

    @overload
    @staticmethod
    def get_connection_manager(
        kind: Literal[
            ConnectionType.MEMORY,
            ConnectionType.QDRANT,
            ConnectionType.PGVECTOR,
            ConnectionType.CHROMADB,
        ],
        *,
        name: str = "",
    ) -> "VectorStore": ...

    @overload
    @staticmethod
    def get_connection_manager(
        kind: Literal[ConnectionType.REDIS], *, name: str = ""
    ) -> "RedisConnectionManager": ...

    @overload
    @staticmethod
    def get_connection_manager(
        kind: Literal[ConnectionType.MONGODB], *, name: str = ""
    ) -> "MongodbConnectionManager": ...

    @overload
    @staticmethod
    def get_connection_manager(
        kind: Literal[ConnectionType.S3], *, name: str = ""
    ) -> "S3ConnectionManager": ...

    @overload
    @staticmethod
    def get_connection_manager(
        kind: Literal[ConnectionType.DYNAMODB], *, name: str = ""
    ) -> "DynamoConnectionManager": ...

    @overload
    @staticmethod
    def get_connection_manager(
        kind: Literal[ConnectionType.HTTP], *, name: str = ""
    ) -> "HttpConnectionManager": ...

    @overload
    @staticmethod
    def get_connection_manager(
        kind: Literal[ConnectionType.JIRA], *, name: str = ""
    ) -> "JiraConnectionManager": ...

    @overload
    @staticmethod
    def get_connection_manager(
        kind: Literal[ConnectionType.CONFLUENCE], *, name: str = ""
    ) -> "ConfluenceConnectionManager": ...

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

    @staticmethod
    def get_sync_connection_manager(kind: str, *, name: str = "") -> "SyncSqlConnectionManager":
        """The same of a database for code without an event loop.

        Raises:
            UnknownKindError: No database answers to that word.
            UnsupportedError: It has no twin for threads.
            MissingExtraError: The backend's vendor package is not installed.
        """
        twin: Any = sync_twin(block_of_kind(DatabaseRegistry.part, str(kind)), name=name)
        return twin  # type: ignore[no-any-return] # those that have one speak SQL


def _registry_with(kind: str) -> Registry[Any]:
    for part in _PARTS:
        if str(kind) in (registry := registry_of(part)).kinds():
            return registry
    raise UnknownKindError(str(kind), ConnectionRegistry.kinds())
