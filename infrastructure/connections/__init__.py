"""Connections to databases and vector stores: opened, checked, recovered and closed alike."""

from infrastructure.connections.base import (
    AsyncBaseConnectionManager,
    ConnectionState,
    ConnectionType,
    DatabaseRegistry,
    PoolStats,
)
from infrastructure.connections.factory import ConnectionFactory, ConnectionRegistry

__all__ = [
    "AsyncBaseConnectionManager",
    "ConnectionFactory",
    "ConnectionRegistry",
    "ConnectionState",
    "ConnectionType",
    "DatabaseRegistry",
    "PoolStats",
]
