"""More callers at once than a cache has connections for."""

import asyncio
from collections.abc import Iterator

import pytest

from containers import Container
from infrastructure.cache import CacheService
from infrastructure.errors import Category, OverloadedError
from infrastructure.servers.valkey import ValkeyServer, ask
from tests.redis_address import address

CALLERS = 10_000
CONNECTIONS = 20


@pytest.fixture
def server() -> Iterator[ValkeyServer]:
    """One of our own, whose connections are counted."""
    if reason := ValkeyServer.reason_missing():
        pytest.skip(reason)
    with ValkeyServer() as server:
        yield server


def _accepted(server: ValkeyServer) -> int:
    """How many connections the server has accepted so far."""
    lines = ask(server.url, "INFO", "stats").split(b"\r\n")
    (found,) = [line for line in lines if line.startswith(b"total_connections_received:")]
    return int(found.partition(b":")[2])


async def _loaded(cache: CacheService, number: int) -> int | None:
    """What the cache gives, or None when it has no room for the caller."""

    async def load() -> int:
        await asyncio.sleep(0)
        return number

    try:
        return await cache.get_or_set(f"k{number}", load)
    except OverloadedError:
        return None


@pytest.mark.timeout(180)
async def test_ten_thousand_callers_share_the_pool_and_leave_nothing_behind(
    server: ValkeyServer,
) -> None:
    block = {"kind": "redis", "max_connections": CONNECTIONS, "timeout_seconds": 30}
    found = address(server.url) | block
    overrides = {f"cache.default.{name}": value for name, value in found.items()}
    async with Container(profile="test", overrides=overrides) as container:
        cache: CacheService = container.cache.default()
        await cache.get("nothing")
        tasks, accepted = asyncio.all_tasks(), _accepted(server)
        answers = await asyncio.gather(*(_loaded(cache, number) for number in range(CALLERS)))
        assert all(answer in {number, None} for number, answer in enumerate(answers))
        assert {category for _, category in cache.fallbacks} <= {Category.OVERLOAD}
        assert _accepted(server) - accepted <= CONNECTIONS
        assert asyncio.all_tasks() == tasks
        space = cache.desk().space
        assert (space.flights, len(space.pending)) == ({}, 0)
        assert await cache.get("k7") in {7, None}
