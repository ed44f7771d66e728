"""Managers that tests share: of MongoDB, each test in a database of its own, and of Redis."""

import secrets
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest
import pytest_asyncio

from infrastructure.connections.database.mongodb import MongodbConnectionManager
from infrastructure.connections.database.redis import RedisConnectionManager, RedisStream
from infrastructure.servers.base import LocalServer
from infrastructure.servers.mongodb import MongodbServer
from infrastructure.servers.valkey_cluster import ValkeyCluster
from infrastructure.servers.valkey_sentinel import ValkeySentinels
from tests.mongodb import DRIVERS, in_a_new_database
from tests.mongodb import made as made_mongo
from tests.redis import made, made_for
from tests.redis_address import cluster_address, sentinel_address


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def mongodb_managers(mongodb: MongodbServer) -> AsyncIterator[list[MongodbConnectionManager]]:
    async with AsyncExitStack() as opened:
        # each connection is a login, which takes the server its time
        managers = [made_mongo(mongodb, driver=driver, max_connections=4) for driver in DRIVERS]
        yield [await opened.enter_async_context(manager) for manager in managers]


@pytest.fixture
def mongo(
    request: pytest.FixtureRequest, mongodb_managers: list[MongodbConnectionManager]
) -> MongodbConnectionManager:
    """Through PyMongo; through both where a test is marked `on_both_drivers`."""
    driver = getattr(request, "param", DRIVERS[0])
    return in_a_new_database(mongodb_managers[DRIVERS.index(driver)])


@pytest.fixture
async def redis(valkey: LocalServer) -> AsyncIterator[RedisConnectionManager]:
    async with made_for(valkey) as manager:
        yield manager


@pytest.fixture
async def redis_cluster(valkey_cluster: ValkeyCluster) -> AsyncIterator[RedisConnectionManager]:
    async with made(cluster_address(valkey_cluster)) as manager:
        yield manager


@pytest.fixture(params=["cluster", "sentinels"])
async def redis_of_many(
    request: pytest.FixtureRequest,
    valkey_cluster: ValkeyCluster,
    valkey_sentinels: ValkeySentinels,
) -> AsyncIterator[RedisConnectionManager]:
    """On each shape of more than one server."""
    found = cluster_address(valkey_cluster)
    if request.param == "sentinels":
        found = sentinel_address(valkey_sentinels)
    async with made(found) as manager:
        yield manager


@pytest.fixture
def stream(redis: RedisConnectionManager) -> RedisStream:
    return redis.stream(f"jobs-{secrets.token_hex(4)}")
