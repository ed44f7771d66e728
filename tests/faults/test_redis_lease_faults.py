"""Rights to fill that are asked for, or given back, while something fails.

"Row 20" and so on name a row of the table of faults; see `test_redis_rows.py`.
"""

import asyncio
from collections.abc import AsyncIterator

import pytest

from infrastructure.cache.implementations.redis import RedisCacheProvider, RedisCacheSettings
from infrastructure.errors import DeadlineExceededError
from infrastructure.servers.base import LocalServer
from tests.faults.cache_fault_contract import TIMEOUT, port_of
from tests.faults.proxy import FaultProxy
from tests.redis_address import address


@pytest.fixture
async def proxy(valkey: LocalServer) -> AsyncIterator[FaultProxy]:
    async with FaultProxy("127.0.0.1", port_of(valkey.url)) as proxy:
        yield proxy


@pytest.fixture
async def provider(valkey: LocalServer, proxy: FaultProxy) -> AsyncIterator[RedisCacheProvider]:
    found = address(valkey.url, port=proxy.port, timeout_seconds=TIMEOUT, key_prefix="leases:")
    async with RedisCacheProvider(RedisCacheSettings.model_validate(found)) as provider:
        yield provider


async def test_a_cancelled_lease_leaves_nothing_behind(
    provider: RedisCacheProvider, proxy: FaultProxy
) -> None:
    """Row 20: it was granted, and nobody heard."""
    before = proxy.commands
    proxy.delay(0.05)
    asking = asyncio.create_task(provider.lease("leased", 60))
    async with asyncio.timeout(5):
        while proxy.commands == before:  # noqa: ASYNC110 - bounded, and nobody else tells
            await asyncio.sleep(0.005)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    proxy.delay(0)
    await provider.disconnect()  # waits for what was sent behind
    lease = await provider.lease("leased", 60)
    assert lease
    await provider.release("leased", lease)


async def test_a_lease_whose_answer_was_late_is_given_up(
    provider: RedisCacheProvider, proxy: FaultProxy
) -> None:
    """Row 20."""
    proxy.delay(TIMEOUT * 1.2)
    with pytest.raises(DeadlineExceededError):
        await provider.lease("late", 60)
    proxy.delay(0)
    await provider.disconnect()
    lease = await provider.lease("late", 60)
    assert lease
    await provider.release("late", lease)


async def test_a_release_that_is_cancelled_happens_all_the_same(
    provider: RedisCacheProvider, proxy: FaultProxy
) -> None:
    """Row 20."""
    lease = await provider.lease("given", 60)
    proxy.delay(0.05)
    releasing = asyncio.create_task(provider.release("given", lease))
    await asyncio.sleep(0)
    releasing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await releasing
    proxy.delay(0)
    await provider.disconnect()
    lease = await provider.lease("given", 60)
    assert lease
    await provider.release("given", lease)


async def test_releasing_what_has_ended_raises_nothing_and_takes_nothing(
    provider: RedisCacheProvider,
) -> None:
    """Row 21: it would mask the error of whoever held it."""
    ended = await provider.lease("short", 60)
    await provider.delete_many(["short"])
    held = await provider.lease("short", 60)
    await provider.release("short", ended)
    assert await provider.fill("short", 1, 60, held)


async def test_a_release_that_cannot_be_sent_raises_nothing(
    provider: RedisCacheProvider, proxy: FaultProxy
) -> None:
    """Row 21."""
    lease = await provider.lease("lost", 0.05)
    await proxy.refuse()
    await provider.release("lost", lease)
