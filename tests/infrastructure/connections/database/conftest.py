"""Connected managers that the tests of a module share, each test in a database of its own."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest
import pytest_asyncio

from infrastructure.connections.database.mongodb import MongodbConnectionManager
from infrastructure.servers.mongodb import MongodbServer
from tests.mongodb import DRIVERS, in_a_new_database, made


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def mongodb_managers(mongodb: MongodbServer) -> AsyncIterator[list[MongodbConnectionManager]]:
    async with AsyncExitStack() as opened:
        managers = [made(mongodb, driver=driver) for driver in DRIVERS]
        yield [await opened.enter_async_context(manager) for manager in managers]


@pytest.fixture
def mongo(
    request: pytest.FixtureRequest, mongodb_managers: list[MongodbConnectionManager]
) -> MongodbConnectionManager:
    """Through PyMongo; through both where a test is marked `on_both_drivers`."""
    driver = getattr(request, "param", DRIVERS[0])
    return in_a_new_database(mongodb_managers[DRIVERS.index(driver)])
