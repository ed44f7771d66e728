"""Managers of Redis on both sides of a proxy that misbehaves."""

from collections.abc import AsyncIterator

import pytest

from infrastructure.connections.database.redis import RedisConnectionManager
from infrastructure.servers.base import LocalServer
from tests.faults.proxy import FaultProxy
from tests.redis import made_for
from tests.redis_address import address

SECONDS = 0.3


@pytest.fixture
async def valkey_proxy(valkey: LocalServer) -> AsyncIterator[FaultProxy]:
    server = address(valkey.url)
    async with FaultProxy(server["host"], server["port"]) as proxy:
        yield proxy


@pytest.fixture
async def near(valkey: LocalServer) -> AsyncIterator[RedisConnectionManager]:
    """Beside the proxy."""
    async with made_for(valkey) as near:
        yield near


@pytest.fixture
async def far(
    valkey: LocalServer, valkey_proxy: FaultProxy
) -> AsyncIterator[RedisConnectionManager]:
    """Behind the proxy."""
    bounds = {"connect_timeout_seconds": SECONDS, "timeout_seconds": SECONDS}
    async with made_for(valkey, port=valkey_proxy.port, **bounds) as far:
        yield far
        await valkey_proxy.passes()
