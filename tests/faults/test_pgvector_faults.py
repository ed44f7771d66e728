"""pgvector behind a network that misbehaves, and on a server that is restarted."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from itertools import count as count_from
from typing import Any
from urllib.parse import urlsplit

import pytest

from infrastructure.connections.vector.base import Record
from infrastructure.connections.vector.pgvector import PgvectorSettings, PgvectorVectorStore
from infrastructure.errors import (
    InfrastructureError,
    OverloadedError,
    RejectedError,
    UnavailableError,
)
from infrastructure.servers.postgres import PostgresServer
from tests.cancellation import cancelled_at
from tests.contracts.connection_faults import DEADLINE_SECONDS, ConnectionFaults
from tests.faults.proxy import FaultProxy

BOUNDS = {"timeout_seconds": DEADLINE_SECONDS, "connect_timeout_seconds": DEADLINE_SECONDS}
NOTES = "notes"
#: And waits until they have ended.
END_ALL = (
    "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
)


def store_at(url: str, **changed: object) -> PgvectorVectorStore:
    settings = PgvectorSettings.model_validate({"url": url, **changed})
    return PgvectorVectorStore(settings, name="vector.default")


@pytest.fixture(scope="module")
def server_url(postgres: PostgresServer) -> str:
    """With the extension, and a collection of one record, which tests leave as it is."""
    url = postgres.create_database()

    async def fill() -> None:
        async with store_at(url) as direct:
            await direct.ensure_collection(NOTES, 2)
            await direct.upsert(NOTES, [Record("1", [1.0, 0.0])])

    asyncio.run(fill())
    return url


@pytest.fixture
async def proxy(server_url: str) -> AsyncIterator[FaultProxy]:
    parts = urlsplit(server_url)
    assert parts.hostname
    assert parts.port
    async with FaultProxy(parts.hostname, parts.port) as proxy:
        yield proxy


@pytest.fixture
async def manager(server_url: str, proxy: FaultProxy) -> AsyncIterator[PgvectorVectorStore]:
    parts = urlsplit(server_url)
    place = {"host": parts.hostname, "port": proxy.port, "name": parts.path.strip("/")}
    who = {"user": parts.username, "password": parts.password, "ssl": "disable"}
    settings = PgvectorSettings.model_validate({**place, **who, **BOUNDS})
    manager = PgvectorVectorStore(settings, name="vector.default")
    yield manager
    await proxy.passes()
    await manager.disconnect()


class TestPgvector(ConnectionFaults):
    async def ask(self, manager: PgvectorVectorStore) -> Any:
        return await manager.get(NOTES, ["1"])

    def wrong_credentials(self) -> Mapping[str, Any]:
        return {"password": "not-this-one"}


async def test_a_big_batch_cut_in_the_middle_is_stored_whole_or_not_at_all(
    manager: PgvectorVectorStore, proxy: FaultProxy
):
    await manager.ensure_collection("cut", 64)
    many = [Record(str(i), [1.0, i / 100] + [0.0] * 62) for i in range(250)]
    for reply_bytes in (0, 40, 80, 120, 160):
        proxy.reset_after(reply_bytes)
        with suppress(UnavailableError):  # as often as not it is done on the second connection
            await manager.upsert("cut", many)
        await proxy.passes()
        assert await manager.count("cut") in {0, len(many)}
    await manager.upsert("cut", many)
    assert await manager.count("cut") == len(many)
    assert manager.pool_stats().in_use == 0
    await manager.drop_collection("cut")


async def test_connections_that_vector_calls_opened_are_tested_before_a_statement_takes_them(
    server_url: str,
):
    async with (
        store_at(server_url, pool_size=3, pre_ping=True) as store,
        store_at(server_url, pool_size=1, max_overflow=0) as killer,
    ):
        await asyncio.gather(*(store.count(NOTES) for _ in range(3)))
        assert len(await killer.execute_query(END_ALL)) == store.pool_stats().size == 3
        statements = (store.execute_query("SELECT 1 AS one") for _ in range(3))
        assert await asyncio.gather(*statements) == [[{"one": 1}]] * 3


async def test_a_pool_in_use_for_too_long_is_an_overload_and_no_outage(server_url: str):
    settings = {"pool_size": 1, "max_overflow": 0, "timeout_seconds": 1.0}
    async with store_at(server_url, **settings, pool_timeout_seconds=0.1) as store:
        async with store.session() as session:
            await session.connection()
            with pytest.raises(OverloadedError, match="max_overflow"):
                await store.list_collections()
        assert NOTES in await store.list_collections()


async def test_a_call_given_up_leaves_no_connection_behind(manager: PgvectorVectorStore):
    calls = [asyncio.create_task(manager.get(NOTES, ["1"])) for _ in range(20)]
    await manager.count(NOTES)
    for call in calls[::2]:
        call.cancel()
    await asyncio.gather(*calls, return_exceptions=True)
    assert manager.pool_stats().in_use == 0
    assert [record.id for record in await manager.get(NOTES, ["1"])] == ["1"]


async def test_cancelled_at_whichever_moment_a_write_leaves_no_transaction_behind(
    server_url: str,
):
    async with store_at(server_url, pool_size=1, max_overflow=0) as store:
        await store.ensure_collection("given-up", 2)
        refused = Record("".join(map(chr, range(0x4E00, 0x5A00))), [1.0, 0.0])  # too long an id
        records = [*(Record(str(i), [1.0, 0.0]) for i in range(100)), refused]
        place = await store._place("given-up", "")
        for wait in count_from(1):
            write = store._call(store._write, place, records)
            task = asyncio.create_task(cancelled_at(wait, write))
            await asyncio.wait((task,))
            assert store.pool_stats().in_use == 0
            assert await store.count("given-up") == 0
            if not task.cancelled():
                break
        assert isinstance(task.exception(), RejectedError)
        assert wait > 5


async def test_connections_ended_by_the_server_under_load_lose_nothing_it_confirmed(
    server_url: str,
):
    confirmed: list[str] = []

    async def write(store: PgvectorVectorStore, number: int) -> None:
        await store.upsert("load", [Record(str(number), [1.0, 0.0])])
        confirmed.append(str(number))

    async with (
        store_at(server_url, pool_size=5, max_overflow=0) as store,
        store_at(server_url, pool_size=1, max_overflow=0) as killer,
    ):
        await store.ensure_collection("load", 2)
        outcomes: list[Any] = []
        for start in range(0, 100, 20):
            writes = [asyncio.create_task(write(store, i)) for i in range(start, start + 20)]
            await asyncio.wait(writes, return_when=asyncio.FIRST_COMPLETED)
            assert len(await killer.execute_query(END_ALL)) >= 1
            outcomes += await asyncio.gather(*writes, return_exceptions=True)
        failed = [one for one in outcomes if one is not None]
        assert all(isinstance(one, InfrastructureError) for one in failed), failed
        found = {record.id for record in await store.get("load", [str(i) for i in range(100)])}
        assert set(confirmed) <= found
        assert store.pool_stats().in_use == 0
