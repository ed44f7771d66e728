"""Connections to databases and vector stores: opened, checked, recovered and closed alike."""

from infrastructure.connections.base import (
    AsyncBaseConnectionManager,
    ConnectionType,
    DatabaseRegistry,
    PoolStats,
)
from infrastructure.connections.factory import ConnectionFactory, ConnectionRegistry

__all__ = [
    "AsyncBaseConnectionManager",
    "ConnectionFactory",
    "ConnectionRegistry",
    "ConnectionType",
    "DatabaseRegistry",
    "PoolStats",
]
