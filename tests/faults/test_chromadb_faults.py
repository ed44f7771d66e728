"""A Chroma server behind a network that misbehaves and a gate that asks for a key."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from itertools import count as count_from
from pathlib import Path
from typing import Any

import pytest

from infrastructure.connections.vector.base import Record
from infrastructure.connections.vector.chromadb import ChromadbSettings, ChromadbVectorStore
from infrastructure.errors import DeadlineExceededError, InfrastructureError, UnavailableError
from infrastructure.servers.chroma import ChromaServer
from tests.cancellation import cancelled_at
from tests.contracts.connection_faults import DEADLINE_SECONDS, ConnectionFaults
from tests.faults.proxy import FaultProxy

BOUNDS = {"timeout_seconds": DEADLINE_SECONDS, "connect_timeout_seconds": DEADLINE_SECONDS}
KEY = "the-right-key"
NOTES = "fault-notes"


@pytest.fixture(scope="module")
def gate_port(chroma: ChromaServer) -> Iterator[int]:
    """Where a key is asked for, before a server with a collection of one record.

    It is a process of its own, so that its files are not counted as ours.
    """

    async def fill() -> None:
        async with store_at(chroma.url) as direct:
            await direct.ensure_collection(NOTES, 2)
            await direct.upsert(NOTES, [Record("1", [1.0, 0.0])])

    asyncio.run(fill())
    program = [sys.executable, str(Path(__file__).with_name("chroma_gate.py"))]
    with subprocess.Popen([*program, str(chroma.port), KEY], stdout=subprocess.PIPE) as gate:
        assert gate.stdout is not None
        yield int(gate.stdout.readline())
        gate.terminate()


def store_at(url: str, **changed: object) -> ChromadbVectorStore:
    settings = ChromadbSettings.model_validate({"url": url, **changed})
    return ChromadbVectorStore(settings, name="vector.default")


@pytest.fixture
async def proxy(gate_port: int) -> AsyncIterator[FaultProxy]:
    async with FaultProxy("127.0.0.1", gate_port) as proxy:
        yield proxy


@pytest.fixture
async def manager(proxy: FaultProxy) -> AsyncIterator[ChromadbVectorStore]:
    manager = store_at(f"http://127.0.0.1:{proxy.port}", api_key=KEY, **BOUNDS)
    yield manager
    await proxy.passes()
    await manager.disconnect()


class TestChromadb(ConnectionFaults):
    async def ask(self, manager: ChromadbVectorStore) -> Any:
        return await manager.get(NOTES, ["1"])

    def wrong_credentials(self) -> Mapping[str, Any]:
        return {"api_key": "not-this-one"}


async def test_a_write_whose_answer_is_lost_may_be_made_again(
    manager: ChromadbVectorStore, proxy: FaultProxy
):
    records = [Record("1", [0.0, 1.0], "again", {"n": 1})]
    await manager.connect()
    proxy.half_reply(10)
    with pytest.raises(UnavailableError):
        await manager.upsert(NOTES, records)
    await proxy.passes()
    await manager.upsert(NOTES, records)
    assert await manager.get(NOTES, ["1"]) == records


async def test_a_call_given_up_leaves_no_connection_behind(manager: ChromadbVectorStore):
    calls = [asyncio.create_task(manager.get(NOTES, ["1"])) for _ in range(20)]
    await manager.count(NOTES)
    for call in calls[::2]:
        call.cancel()
    await asyncio.gather(*calls, return_exceptions=True)
    assert manager.pool_stats().in_use == 0


async def test_cancelled_at_whichever_moment_a_call_leaves_its_connection_to_the_next(
    manager: ChromadbVectorStore,
):
    await manager.rotate(pool_size=1)
    place = await manager._place(NOTES, "")
    for wait in count_from(1):
        for is_open in (False, True):
            await manager._close()
            await manager._open()
            if is_open:
                await manager.count(NOTES)
            call = cancelled_at(wait, manager._count(place, None))
            task = asyncio.create_task(call)
            await asyncio.wait((task,))
            assert await manager.count(NOTES) == 1
        if not task.cancelled():
            break
    assert wait > 1


@pytest.fixture(scope="module")
def own_server() -> Iterator[ChromaServer]:
    if reason := ChromaServer.reason_missing():
        pytest.skip(reason)
    with ChromaServer() as server:
        yield server


async def test_a_server_that_is_frozen_ends_calls_at_the_deadline(own_server: ChromaServer):
    async with store_at(own_server.url, **BOUNDS) as store:
        await store.ensure_collection(NOTES, 2)
        own_server.freeze()
        with pytest.raises(DeadlineExceededError):
            await store.count(NOTES)
        own_server.thaw()
        assert await store.count(NOTES) == 0


async def test_a_server_killed_under_load_loses_nothing_it_confirmed(own_server: ChromaServer):
    confirmed: list[str] = []

    async def write(store: ChromadbVectorStore, number: int) -> None:
        await store.upsert("load", [Record(str(number), [1.0, 0.0])])
        confirmed.append(str(number))

    async with store_at(own_server.url) as store:
        await store.ensure_collection("load", 2)
        outcomes: list[Any] = []
        for start in range(0, 30, 10):
            writes = [asyncio.create_task(write(store, i)) for i in range(start, start + 10)]
            if start == 10:
                await asyncio.wait(writes, return_when=asyncio.FIRST_COMPLETED)
                own_server.kill()
                own_server.start()
            outcomes += await asyncio.gather(*writes, return_exceptions=True)
        failed = [one for one in outcomes if one is not None]
        assert all(isinstance(one, InfrastructureError) for one in failed), failed
        found = {record.id for record in await store.get("load", [str(i) for i in range(30)])}
        assert set(confirmed) <= found
