"""Copies in one process of what another process writes, while the line between is cut."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import pytest

from infrastructure.servers.base import LocalServer
from tests.faults.cache_process import CacheProcess
from tests.faults.proxy import FaultProxy
from tests.redis_address import address

HEARTBEAT = 0.2
#: How soon a reader must agree with a writer whose change it did not hear, on a busy machine too.
BOUND = 3.0
PATIENCE = 10.0


def _settings(valkey: LocalServer, prefix: str, **changed: Any) -> dict[str, Any]:
    """A tiered cache that would serve its copies for minutes."""
    usual = {"key_prefix": prefix, "timeout_seconds": 1, "heartbeat_seconds": HEARTBEAT}
    far = address(valkey.url, kind="redis", breaker={"enabled": False}) | usual | changed
    return {"kind": "tiered", "near_ttl_seconds": 600, "far": far}


@pytest.fixture
async def proxy(valkey: LocalServer) -> AsyncIterator[FaultProxy]:
    at = address(valkey.url)
    async with FaultProxy(at["host"], at["port"]) as proxy:
        yield proxy


@pytest.fixture
async def pair(
    valkey: LocalServer, proxy: FaultProxy
) -> AsyncIterator[tuple[CacheProcess, CacheProcess]]:
    """A writer, and a reader behind the proxy that serves copies."""
    prefix = f"{uuid4().hex}:"
    async with (
        CacheProcess(_settings(valkey, prefix)) as writer,
        CacheProcess(_settings(valkey, prefix, port=proxy.port)) as reader,
    ):
        await asyncio.gather(writer.ready(), reader.ready())
        yield writer, reader


async def _seconds_until(reader: CacheProcess, value: object) -> float:
    started = time.monotonic()
    async with asyncio.timeout(BOUND):
        while await reader.ask("get", "key") != value:
            pass
    return time.monotonic() - started


async def _copies(reader: CacheProcess, value: object) -> None:
    """Wait until the reader answers with a copy of the value."""
    async with asyncio.timeout(PATIENCE):
        before = -1
        while True:
            assert await reader.ask("get", "key") == value
            said = await reader.ask("copies")
            if said["live"] and said["near_hits"] > before >= 0:
                return
            before = said["near_hits"]


async def test_what_is_heard_is_seen_though_copies_answer_in_between(
    pair: tuple[CacheProcess, CacheProcess],
) -> None:
    writer, reader = pair
    for number in range(20):
        await writer.ask("set", "key", number)
        await _seconds_until(reader, number)
        await _copies(reader, number)


async def test_reader_and_writer_agree_though_the_line_is_cut_while_one_writes(
    pair: tuple[CacheProcess, CacheProcess], proxy: FaultProxy
) -> None:
    writer, reader = pair
    for number in range(5):
        await writer.ask("set", "key", number)
        await _seconds_until(reader, number)
        await _copies(reader, number)
        writer.begin("set", "key", "unheard")
        await proxy.drop_connections()
        await writer.answer()
        await _seconds_until(reader, "unheard")
        await _copies(reader, "unheard")


async def test_a_line_that_falls_silent_ends_the_copies_though_nobody_cuts_it(
    pair: tuple[CacheProcess, CacheProcess], proxy: FaultProxy
) -> None:
    writer, reader = pair
    await writer.ask("set", "key", "old")
    await _seconds_until(reader, "old")
    await _copies(reader, "old")
    proxy.black_hole()
    await writer.ask("set", "key", "new")
    assert await _seconds_until(reader, "DeadlineExceededError") < 2 * HEARTBEAT + BOUND / 2
    await proxy.passes()
    await _seconds_until(reader, "new")
