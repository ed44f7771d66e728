"""What a cache behind sentinels does when the master changes. Everything here is real."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest

from infrastructure.cache.implementations.redis import RedisCacheProvider, RedisCacheSettings
from infrastructure.connections.redis_address import Endpoint
from infrastructure.connections.redis_pool import Call
from infrastructure.connections.redis_sentinel import SentinelMaster
from infrastructure.errors import InfrastructureError, OutcomeUnknownError, UnavailableError
from infrastructure.servers.process import free_port
from infrastructure.servers.valkey_sentinel import ValkeySentinels
from tests.faults.proxy import FaultProxy
from tests.redis_address import sentinel_address

PATIENCE = 20.0


def _provider(servers: ValkeySentinels, **changed: Any) -> RedisCacheProvider:
    usual = {"timeout_seconds": 0.5, "role_check_seconds": 0.2, "breaker": {"enabled": False}}
    found = sentinel_address(servers, **(usual | changed))
    return RedisCacheProvider(RedisCacheSettings.model_validate(found), name="cache.default")


def _topology(provider: RedisCacheProvider) -> SentinelMaster:
    topology = provider._topology
    assert isinstance(topology, SentinelMaster)
    return topology


async def _until(is_reached: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not is_reached():  # noqa: ASYNC110 - bounded, and nobody else tells
            await asyncio.sleep(0.01)


async def _write_until(provider: RedisCacheProvider, is_reached: Callable[[], bool]) -> list[str]:
    """Write one key after the other; give the kinds of errors that there were."""
    errors, number = set(), 0
    async with asyncio.timeout(PATIENCE):
        while not is_reached():
            number += 1
            try:
                await provider.set(f"before:{number}", number, 60)
            except InfrastructureError as error:
                errors.add(type(error).__name__)
                await asyncio.sleep(0.01)
    return sorted(errors)


async def _write(provider: RedisCacheProvider) -> bool:
    try:
        await provider.set("key", 1, 60)
    except UnavailableError:
        return False
    return True


async def _seconds_until_written(provider: RedisCacheProvider) -> float:
    started = time.monotonic()
    async with asyncio.timeout(PATIENCE):
        while not await _write(provider):  # noqa: ASYNC110 - bounded, and nobody else tells
            await asyncio.sleep(0.01)
    return time.monotonic() - started


@pytest.fixture
def servers() -> Iterator[ValkeySentinels]:
    """Our own, to be ended, frozen and failed over."""
    if reason := ValkeySentinels.reason_missing():
        pytest.skip(reason)
    with ValkeySentinels(down_after_milliseconds=300) as servers:
        yield servers


@pytest.fixture
async def provider(servers: ValkeySentinels) -> AsyncIterator[RedisCacheProvider]:
    async with _provider(servers) as provider:
        yield provider


async def test_a_killed_master_is_an_outage_until_the_replica_is_master(
    servers: ValkeySentinels, provider: RedisCacheProvider
) -> None:
    """Row 17: typed errors, then by itself."""
    await provider.set("key", 1, 60)
    servers.kill(0)
    assert not await _write(provider)
    await _seconds_until_written(provider)
    assert servers.master_at == 1
    assert await provider.get("key") == 1


async def test_after_a_switch_no_write_goes_to_the_old_master(
    servers: ValkeySentinels, provider: RedisCacheProvider
) -> None:
    """Row 18: the old master goes on accepting; what is heard from the sentinel ends it."""
    topology = _topology(provider)
    await _until(lambda: topology._listener.is_live)
    servers.fail_over()
    errors = await _write_until(provider, lambda: topology.switches > 0)
    assert set(errors) <= {"UnavailableError", "DeadlineExceededError"}
    await _seconds_until_written(provider)
    for number in range(50):
        await provider.set(f"after:{number}", number, 60)
    there = servers.ask(1, "EXISTS", *(f"after:{number}" for number in range(50)))
    assert there == b":50\r\n"


async def test_a_switch_that_was_not_heard_is_found_by_asking(servers: ValkeySentinels) -> None:
    """Row 18: the check on a timer."""
    async with _provider(servers, role_check_seconds=0.1) as provider:
        topology = _topology(provider)
        await topology._listener.stop()
        servers.fail_over()
        await _write_until(provider, lambda: topology.switches > 0)
        await _seconds_until_written(provider)
        assert await provider.run(Call("ROLE"))
        assert topology._served_by == _place(servers, 1)


async def test_a_frozen_master_costs_one_timeout_a_call_until_the_switch(
    servers: ValkeySentinels, provider: RedisCacheProvider
) -> None:
    """Row 19."""
    await provider.set("key", 1, 60)
    servers.freeze(0)
    started = time.monotonic()
    assert not await _write(provider)
    assert time.monotonic() - started < 1.5
    await _seconds_until_written(provider)
    assert servers.master_at == 1
    servers.thaw(0)


async def test_a_count_sent_to_a_frozen_master_is_in_doubt_and_never_repeated(
    valkey_sentinels: ValkeySentinels,
) -> None:
    """Row 19."""
    async with _provider(valkey_sentinels, timeout_seconds=0.15) as provider:
        await provider.increment("n", 1, 60)
        valkey_sentinels.freeze(0)  # for less than its sentinel waits before a switch
        try:
            with pytest.raises(OutcomeUnknownError):
                await provider.increment("n", 1, 60)
        finally:
            valkey_sentinels.thaw(0)
        assert await provider.get("n") == 2


async def test_a_write_a_demoted_master_refuses_drops_every_connection_to_it(
    servers: ValkeySentinels,
) -> None:
    """Row 16."""
    async with _provider(servers, role_check_seconds=60) as provider:
        topology = _topology(provider)
        place = _place(servers, 1)
        servers.ask(0, "REPLICAOF", place.host, str(place.port))
        with pytest.raises(UnavailableError, match="READONLY"):
            await provider.set("key", 1, 60)
        assert (topology.switches, provider.pool_stats().size) == (1, 0)


async def test_a_master_nobody_knows_is_unavailable_and_named(
    valkey_sentinels: ValkeySentinels,
) -> None:
    """Row 17."""
    with pytest.raises(UnavailableError, match="no sentinel names a master 'other'"):
        await _provider(valkey_sentinels, master_name="other").get("key")


async def test_a_dead_sentinel_among_living_ones_is_passed_over(
    valkey_sentinels: ValkeySentinels,
) -> None:
    """Row 17."""
    dead = f"127.0.0.1:{free_port()}"
    async with _provider(
        valkey_sentinels, sentinels=[dead, *valkey_sentinels.sentinels]
    ) as provider:
        await provider.set("key", 1, 60)
        assert await provider.get("key") == 1


async def test_silent_sentinels_leave_time_to_ask_a_living_one(
    valkey_sentinels: ValkeySentinels,
) -> None:
    """Row 17: as on a machine that is gone, from where not even a refusal comes."""
    async with FaultProxy("127.0.0.1", 1) as one, FaultProxy("127.0.0.1", 1) as other:
        silent = [one, other]
        for proxy in silent:
            proxy.black_hole()
        places = [f"127.0.0.1:{proxy.port}" for proxy in silent]
        found = {"sentinels": [*places, *valkey_sentinels.sentinels]}
        bounds = {"timeout_seconds": 1, "connect_timeout_seconds": 0.6}
        async with _provider(valkey_sentinels, **found, **bounds) as provider:
            await provider.set("key", 1, 60)


async def test_a_full_pool_does_not_end_the_watch_over_the_master(
    valkey_sentinels: ValkeySentinels,
) -> None:
    """Row 18: the check on a timer."""
    usual = {"max_connections": 1, "timeout_seconds": 0.3, "role_check_seconds": 0.01}
    async with _provider(valkey_sentinels, **usual) as provider:
        pool = _topology(provider)._only
        line = await pool.take()
        await _until(lambda: pool.exhausted > 0)
        pool.give_back(line)
        uses = line.uses
        await _until(lambda: line.uses > uses)


async def test_dead_sentinels_only_are_unavailable(valkey_sentinels: ValkeySentinels) -> None:
    """Row 17."""
    dead = f"127.0.0.1:{free_port()}"
    with pytest.raises(UnavailableError, match=f"{dead} failed"):
        await _provider(valkey_sentinels, sentinels=[dead]).get("key")


async def test_a_replica_that_a_sentinel_names_as_master_is_not_used(
    valkey_sentinels: ValkeySentinels,
) -> None:
    """Row 18."""
    parts = urlsplit(valkey_sentinels.urls[1])
    port = str(parts.port)
    reply = f"*2\r\n$9\r\n127.0.0.1\r\n${len(port)}\r\n{port}\r\n".encode()
    ended: list[asyncio.Task[None] | None] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        ended.append(asyncio.current_task())
        while asked := await reader.read(1000):
            writer.write(reply if b"SENTINEL" in asked else b"+OK\r\n")
        writer.close()

    listener = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with listener:
        liar = f"127.0.0.1:{listener.sockets[0].getsockname()[1]}"
        with pytest.raises(UnavailableError, match="is not a master"):
            await _provider(valkey_sentinels, sentinels=[liar]).get("key")
        await asyncio.gather(*(task for task in ended if task))


def _place(servers: ValkeySentinels, server: int) -> Endpoint:
    parts = urlsplit(servers.urls[server])
    return Endpoint(str(parts.hostname), int(parts.port or 0))
