"""Which connection manager for threads stands beside an asynchronous one."""

from infrastructure.config.models.db import ConnectionSettings
from infrastructure.connections.sync_base import BaseConnectionManager
from infrastructure.errors import UnsupportedError
from infrastructure.registry import Registry

SyncDatabaseRegistry: Registry[BaseConnectionManager] = Registry(
    "db_sync",
    port=BaseConnectionManager,
    package="infrastructure.connections.database",
    kinds=("postgres.sync", "sqlite.sync"),
)


def sync_twin(settings: ConnectionSettings, *, name: str = "") -> BaseConnectionManager:
    """The manager for code without an event loop, of the block of an asynchronous one; no I/O.

    Raises:
        UnsupportedError: The kind has no twin.
        MissingExtraError: A package it needs is not installed.
    """
    kind = f"{settings.kind}.sync"
    if kind not in SyncDatabaseRegistry.kinds():
        twins = ", ".join(known.removesuffix(".sync") for known in SyncDatabaseRegistry.kinds())
        raise UnsupportedError(
            f"kind '{settings.kind}' has no sync twin",
            where=name,
            hint=f"There is one of: {twins}.",
        )
    return SyncDatabaseRegistry.resolve(kind)(settings, name=name)
