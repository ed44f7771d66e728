"""Connections to databases and vector stores: opened, checked, recovered and closed alike."""

from infrastructure.connections.base import (
    AsyncBaseConnectionManager,
    BaseConnectionManager,
    ConnectionState,
    ConnectionType,
    DatabaseRegistry,
    PoolStats,
)
from infrastructure.connections.factory import ConnectionFactory, ConnectionRegistry

__all__ = [
    "AsyncBaseConnectionManager",
    "BaseConnectionManager",
    "ConnectionFactory",
    "ConnectionRegistry",
    "ConnectionState",
    "ConnectionType",
    "DatabaseRegistry",
    "PoolStats",
]
