"""A cache that goes away and comes back, as an application with a container sees it.

Everything is real: a server of the test's own, a proxy before it, and what `Container` makes.
"""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import pytest
from loguru import logger

from containers import Container
from infrastructure.cache import CacheService
from infrastructure.errors import InfrastructureError
from infrastructure.servers.valkey import ValkeyServer
from tests.faults.proxy import FaultProxy
from tests.redis_address import address

CALLS = 200
TIMEOUT = 0.2
LOAD_SECONDS = 0.001
#: What a busy machine may add to a bound.
SLACK = 0.5
PATIENCE = 10.0


class Way:
    """The server and the way to it, and what can go wrong with them."""

    def __init__(self, server: ValkeyServer, proxy: FaultProxy) -> None:
        self.server = server
        self.proxy = proxy

    async def refuse(self) -> None:
        await self.proxy.refuse()

    async def black_hole(self) -> None:
        self.proxy.black_hole()

    async def freeze(self) -> None:
        self.server.freeze()

    async def kill(self) -> None:
        self.server.kill()

    async def pass_(self) -> None:
        await self.proxy.passes()

    async def thaw(self) -> None:
        self.server.thaw()

    async def start(self) -> None:
        await asyncio.to_thread(self.server.start)


Step = Callable[[Way], Awaitable[None]]
OUTAGES: dict[str, tuple[Step, Step]] = {
    "refused": (Way.refuse, Way.pass_),
    "black hole": (Way.black_hole, Way.pass_),
    "frozen server": (Way.freeze, Way.thaw),
    "restarted server": (Way.kill, Way.start),
}


@pytest.fixture
def server() -> Iterator[ValkeyServer]:
    """One of our own, to be ended and frozen."""
    if reason := ValkeyServer.reason_missing():
        pytest.skip(reason)
    with ValkeyServer() as server:
        yield server


@pytest.fixture
async def way(server: ValkeyServer) -> AsyncIterator[Way]:
    at = address(server.url)
    async with FaultProxy(at["host"], at["port"]) as proxy:
        yield Way(server, proxy)


@pytest.fixture
async def cache(way: Way) -> AsyncIterator[CacheService]:
    """The default cache of a container, through the proxy; `key` is 1."""
    block = {"kind": "redis", "timeout_seconds": TIMEOUT}
    found = address(way.server.url, port=way.proxy.port) | block
    overrides = {f"cache.default.{name}": value for name, value in found.items()}
    async with Container(profile="test", overrides=overrides) as container:
        cache: CacheService = container.cache.default()
        await cache.set("key", 1)
        yield cache


@pytest.fixture
def events() -> Iterator[Counter[str]]:
    """How often each line was logged."""
    found: Counter[str] = Counter()

    def take(line: object) -> None:
        found[str(line).strip()] += 1

    sink = logger.add(take, format="{message}", level="INFO")
    yield found
    logger.remove(sink)


async def _loaded(cache: CacheService, value: object) -> tuple[object, float]:
    """What the cache gives for `key` when a loader would give `value`, and how long it took."""

    async def load() -> object:
        await asyncio.sleep(LOAD_SECONDS)
        return value

    started = time.perf_counter()
    return await cache.get_or_set("key", load), time.perf_counter() - started


async def _recovered(cache: CacheService) -> None:
    """Ask until a call needs no fallback."""
    async with asyncio.timeout(PATIENCE):
        before = -1
        while before != cache.fallbacks.total():
            before = cache.fallbacks.total()
            await _loaded(cache, "loaded")
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("outage", OUTAGES)
async def test_an_outage_costs_each_caller_a_deadline_at_most_and_is_told_once(
    cache: CacheService, way: Way, events: Counter[str], outage: str
) -> None:
    begin, end = OUTAGES[outage]
    await begin(way)
    answers = [await _loaded(cache, number) for number in range(CALLS)]
    assert [value for value, _ in answers] == list(range(CALLS))
    assert max(seconds for _, seconds in answers) < TIMEOUT + LOAD_SECONDS + SLACK
    assert cache.fallbacks.total() == CALLS
    assert events == {"cache is down; callers go on without it": 1}
    provider = cache.provider
    await end(way)
    await _recovered(cache)
    assert events == {"cache is down; callers go on without it": 1, "cache answers again": 1}
    await cache.set("key", "new")
    assert (await cache.get("key"), cache.provider) == ("new", provider)


async def test_a_removal_while_it_is_down_is_an_error(cache: CacheService, way: Way) -> None:
    await way.refuse()
    with pytest.raises(InfrastructureError):
        await cache.delete("key")
    with pytest.raises(InfrastructureError):
        await cache.clear()


async def test_a_queued_removal_is_sent_before_anything_is_served_again(
    cache: CacheService, way: Way
) -> None:
    await way.refuse()
    await cache.delete("key", on_failure="queue")
    await way.pass_()
    assert await _first_served(cache) == "gone"
    at = address(way.server.url) | {"kind": "redis"}
    overrides = {f"cache.default.{name}": value for name, value in at.items()}
    async with Container(profile="test", overrides=overrides) as another:
        assert await another.cache.default().get("key", "gone") == "gone"


async def _first_served(cache: CacheService) -> Any:
    async with asyncio.timeout(PATIENCE):
        while True:
            try:
                return await cache.get("key", "gone")
            except InfrastructureError:
                await asyncio.sleep(0.01)
