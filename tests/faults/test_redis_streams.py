"""Streams behind a network that misbehaves: nothing that was published is left undone."""

import asyncio
import json
import os
import secrets
import signal
import sys

import pytest

from infrastructure.connections.database.redis import RedisConnectionManager
from infrastructure.connections.database.redis.consumers import StreamConsumer
from infrastructure.connections.database.redis.lease import LeaseLostError
from infrastructure.errors import InfrastructureError
from infrastructure.servers.base import LocalServer
from infrastructure.servers.valkey import ValkeyServer
from tests.faults.proxy import FaultProxy
from tests.redis import made_for
from tests.redis_address import address

LEASE_SECONDS = 0.3


async def _done(consumer: StreamConsumer) -> dict[str, bytes]:
    async with asyncio.timeout(10), await anext(consumer) as message:
        return message.fields


async def test_a_reader_outlives_an_outage(
    far: RedisConnectionManager, near: RedisConnectionManager, valkey_proxy: FaultProxy
) -> None:
    name = f"jobs-{secrets.token_hex(4)}"
    async with far.stream(name).consumer("workers") as consumer:
        reading = asyncio.create_task(_done(consumer))
        await asyncio.sleep(0)
        await valkey_proxy.refuse()
        await near.stream(name).publish({"n": 1})
        await valkey_proxy.passes()
        assert await reading == {"n": b"1"}


async def test_entries_whose_way_here_was_cut_are_read_all_the_same(
    far: RedisConnectionManager, near: RedisConnectionManager, valkey_proxy: FaultProxy
) -> None:
    stream = near.stream(f"jobs-{secrets.token_hex(4)}")
    for number in range(5):
        await stream.publish({"n": number})
    consumer = far.stream(stream.name).consumer("workers", lease_seconds=LEASE_SECONDS)
    async with consumer:
        found = [await _done(consumer)]
        valkey_proxy.reset_after(20)
        reading = asyncio.create_task(_done(consumer))
        async with asyncio.timeout(10):
            while not consumer._failures:  # noqa: ASYNC110 - bounded, and nobody else tells
                await asyncio.sleep(0)
        await valkey_proxy.passes()
        found += [await reading, *[await _done(consumer) for _ in range(3)]]
    assert sorted(each["n"] for each in found) == [b"0", b"1", b"2", b"3", b"4"]


async def test_work_nothing_can_be_said_of_is_cut_before_another_begins_it(
    far: RedisConnectionManager, near: RedisConnectionManager, valkey_proxy: FaultProxy
) -> None:
    stream = near.stream(f"jobs-{secrets.token_hex(4)}")
    await stream.publish({"n": 1})
    loop, options = asyncio.get_running_loop(), {"lease_seconds": LEASE_SECONDS}

    async def work() -> float:
        try:
            consumer = far.stream(stream.name).consumer("workers", **options)
            async with consumer, await anext(consumer):
                valkey_proxy.black_hole()
                await asyncio.Event().wait()
        except LeaseLostError:
            return loop.time()
        raise AssertionError

    working = asyncio.create_task(work())
    async with asyncio.timeout(10):
        while not await _read(near, stream.name):
            pass
    other = stream.consumer("workers", **options)
    async with other, asyncio.timeout(10), await anext(other):
        taken_at = loop.time()
    assert await working <= taken_at


async def _read(manager: RedisConnectionManager, name: str) -> bool:
    groups = await manager.execute("XINFO GROUPS", name)
    return any(each["pending"] for each in groups)


_WORKER = """\
import asyncio, sys
from infrastructure.connections.database.redis import *

async def main():
    settings = RedisConnectionSettings.model_validate_json(sys.argv[1])
    async with RedisConnectionManager(settings, name="db.worker") as manager:
        async with manager.stream(sys.argv[2]).consumer("workers") as consumer:
            async with await anext(consumer):
                print("begun", flush=True)
                await asyncio.Event().wait()

asyncio.run(main())
"""


async def test_the_last_entry_of_a_worker_that_was_killed_is_done_by_another(
    valkey: LocalServer, near: RedisConnectionManager
) -> None:
    stream = near.stream(f"jobs-{secrets.token_hex(4)}")
    await stream.publish({"n": 1})
    worker = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", _WORKER, json.dumps(address(valkey.url)), stream.name),
        stdout=asyncio.subprocess.PIPE,
    )
    assert worker.stdout
    assert await worker.stdout.readline() == b"begun\n"
    os.kill(worker.pid, signal.SIGKILL)
    await worker.wait()
    async with stream.consumer("workers", lease_seconds=LEASE_SECONDS) as consumer:
        assert await _done(consumer) == {"n": b"1"}
        assert consumer.reclaimed == 1


async def test_a_server_that_lost_its_data_is_read_again() -> None:
    with ValkeyServer() as server:
        async with made_for(server) as manager:
            stream = manager.stream("jobs")
            async with stream.consumer("workers") as consumer:
                await stream.publish({"n": 1})
                await _done(consumer)
                server.restart()
                await manager.ping()
                await stream.publish({"n": 2})
                assert await _done(consumer) == {"n": b"2"}


async def test_a_frozen_server_is_read_again_once_it_thaws() -> None:
    with ValkeyServer() as server:
        async with made_for(server, timeout_seconds=0.2, connect_timeout_seconds=0.2) as manager:
            stream = manager.stream("jobs")
            async with stream.consumer("workers", lease_seconds=LEASE_SECONDS) as consumer:
                reading = asyncio.create_task(_done(consumer))
                server.freeze()
                try:
                    with pytest.raises(InfrastructureError):
                        await stream.publish({"n": 1})
                finally:
                    server.thaw()
                await stream.publish({"n": 1})
                assert await reading == {"n": b"1"}
