"""Chroma embedded, in a folder and as a real server: every promise of the port, and its own."""

import asyncio
import contextlib
import http.client
import itertools
import json
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from infrastructure.connections.vector.base import Metric, Record, SparseVector
from infrastructure.connections.vector.chromadb import ChromadbSettings, ChromadbVectorStore
from infrastructure.connections.vector.chromadb.errors import refusal
from infrastructure.connections.vector.filters import (
    AllOf,
    Filter,
    Operator,
    matches,
    operators,
    where,
)
from infrastructure.errors import (
    AuthenticationError,
    ConfigurationError,
    ConflictError,
    DataError,
    InfrastructureError,
    NotFoundError,
    OverloadedError,
    RejectedError,
    UnavailableError,
    UnsupportedError,
)
from infrastructure.servers.chroma import ChromaServer
from tests.contracts.connection_contract import ConnectionContract
from tests.contracts.connection_faults import open_files
from tests.contracts.vector_contract import VectorContract
from tests.infrastructure.connections.vector.filter_strategies import fields, filters

NOTES = "notes"
CYCLES = 10
without_text = filters.filter(lambda one: Operator.TEXT not in operators(one))
_numbers = itertools.count()


def store_of(**found: object) -> ChromadbVectorStore:
    return ChromadbVectorStore(ChromadbSettings.model_validate(found), name="vector.default")


def new_database(chroma: ChromaServer) -> dict[str, str]:
    """An empty one on the server, as settings."""
    name = f"database_{next(_numbers)}"
    line = http.client.HTTPConnection("127.0.0.1", chroma.port)
    with contextlib.closing(line):
        path = "/api/v2/tenants/default_tenant/databases"
        line.request("POST", path, json.dumps({"name": name}), {"Content-Type": "application/json"})
        assert line.getresponse().status == http.HTTPStatus.OK
    return {"url": chroma.url, "database": name}


class TestChromadbServer(VectorContract):
    @pytest.fixture
    def manager(self, chroma: ChromaServer) -> ChromadbVectorStore:
        return store_of(**new_database(chroma))


class TestChromadbInFolder(ConnectionContract):
    @pytest.fixture
    def manager(self, tmp_path: Path) -> ChromadbVectorStore:
        return store_of(path=tmp_path / "chroma")


@pytest.fixture
async def store():
    async with store_of() as store:
        yield store


# what is kept


async def test_a_folder_keeps_what_is_stored(tmp_path: Path):
    record = Record("1", [0.5, 0.25], "text", {"tags": ["a", 1], "none": None})
    async with store_of(path=tmp_path) as store:
        await store.ensure_collection(NOTES, 2, Metric.DOT)
        await store.upsert(NOTES, [record])
    async with store_of(path=tmp_path) as store:
        assert await store.get(NOTES, ["1"]) == [record]
        with pytest.raises(ConflictError, match="dot"):
            await store.ensure_collection(NOTES, 2)


@pytest.mark.parametrize(
    "name",
    ["a", "ab", "_x", "x-", "-", "sg.a.sg", "x" * 128, "a..b", "a._b", "_..", "1.2.3.4", "_" * 128],
)
async def test_every_name_of_the_port_is_one_here(store: ChromadbVectorStore, name: str):
    assert await store.ensure_collection(name, 2)
    await store.ensure_collection("other", 2)
    await store.upsert(name, [Record("1", [1.0, 0.0])])
    assert await store.list_collections() == sorted([name, "other"])
    assert (await store.count(name), await store.count("other")) == (1, 0)
    assert await store.drop_collection(name)


async def test_a_field_that_was_replaced_is_gone_from_filters_too(store: ChromadbVectorStore):
    await store.ensure_collection(NOTES, 2)
    old = {"n": 1, "tags": ["a", 2], "day": "2026-01-01", "none": None}
    await store.upsert(NOTES, [Record("1", [1.0, 0.0], fields=old)])
    await store.upsert(NOTES, [Record("1", [1.0, 0.0], fields={"n": "text"})])
    assert (await store.get(NOTES, ["1"]))[0].fields == {"n": "text"}
    asked = [where("n") >= 0, where("tags") == "a", where("tags") > 0, where("day") > "2025-01-01"]
    assert [await store.count(NOTES, one) for one in asked] == [0, 0, 0, 0]


async def test_more_than_chroma_takes_at_once_goes_in_pieces():
    async with store_of(batch_size=100_000) as big:
        assert 0 < big.batch_size < 100_000
        await big.ensure_collection(NOTES, 1)
        count = big.batch_size + 1
        await big.upsert(NOTES, [Record(str(i), [1.0]) for i in range(count)])
        assert await big.count(NOTES) == count


async def test_changes_at_once_are_all_kept(store: ChromadbVectorStore):
    await store.ensure_collection(NOTES, 1)
    await store.upsert(NOTES, [Record("1", [1.0])])
    await asyncio.gather(*(store.update(NOTES, ["1"], {f"f{i}": i}) for i in range(20)))
    assert (await store.get(NOTES, ["1"]))[0].fields == {f"f{i}": i for i in range(20)}


async def test_a_collection_of_somebody_else_is_told_apart(store: ChromadbVectorStore):
    await store._do("create_collection", name="theirs", **store._database)
    assert await store.list_collections() == []
    with pytest.raises(ConflictError, match="was not created here"):
        await store.count("theirs")


async def test_a_collection_made_anew_elsewhere_is_used_from_the_next_call_on(
    chroma: ChromaServer,
):
    place = new_database(chroma)
    async with store_of(**place) as one, store_of(**place) as other:
        await one.ensure_collection(NOTES, 2)
        await one.upsert(NOTES, [Record("old", [1.0, 0.0])])
        await other.drop_collection(NOTES)
        await other.ensure_collection(NOTES, 2)
        assert await one.count(NOTES) == 0
        await other.drop_collection(NOTES)
        with pytest.raises(NotFoundError):
            await one.count(NOTES)


async def test_what_chroma_cannot_do_is_refused_before_it_is_asked(store: ChromadbVectorStore):
    with pytest.raises(UnsupportedError, match="chromadb has no sparse vectors"):
        await store.ensure_collection(NOTES, 2, sparse=True)
    await store.ensure_collection(NOTES, 2)
    with pytest.raises(UnsupportedError, match="chromadb cannot filter by text"):
        await store.count(NOTES, where("a").has_text("b"))
    with pytest.raises(RejectedError, match="made without"):
        await store.search(NOTES, sparse=SparseVector([1], [1.0]))


@pytest.mark.parametrize("limit", [2**32, 10**30])
async def test_a_limit_above_what_chroma_counts_to_is_all(store: ChromadbVectorStore, limit: int):
    await store.ensure_collection(NOTES, 1)
    await store.upsert(NOTES, [Record("1", [1.0])])
    assert len(await store.search(NOTES, [1.0], limit=limit)) == 1
    assert await store.search(NOTES, [1.0], offset=limit) == []


@pytest.mark.parametrize("wrong", [{"database": "absent"}, {"account": "absent"}])
async def test_a_database_that_is_not_there_is_told_at_once(
    chroma: ChromaServer, wrong: dict[str, str]
):
    store = store_of(url=chroma.url, **wrong)
    with pytest.raises(ConfigurationError, match=r"no database '.*' of '.*'"):
        await store.connect()
    assert not (await store.health_check()).is_up


async def test_a_creation_whose_answer_is_lost_is_not_said_to_be_anothers(
    chroma: ChromaServer, monkeypatch: pytest.MonkeyPatch
):
    whole = httpx.AsyncClient.request

    async def request(http: httpx.AsyncClient, method: str, url: str, **given: Any) -> Any:
        answer = await whole(http, method, url, **given)
        if method == "post" and url.endswith("/collections"):
            raise httpx.ReadError("cut")
        return answer

    async with store_of(**new_database(chroma)) as store:
        monkeypatch.setattr(httpx.AsyncClient, "request", request)
        with pytest.raises(UnavailableError):
            await store.ensure_collection(NOTES, 2)
        assert await store.ensure_collection(NOTES, 2) is False


# the folder


async def test_a_folder_serves_one_store_at_a_time(tmp_path: Path):
    async with store_of(path=tmp_path):
        with pytest.raises(ConflictError, match="in use by another store"):
            await store_of(path=tmp_path).connect()
    async with store_of(path=tmp_path) as again:
        assert again.is_healthy()


async def test_a_folder_that_cannot_be_used_is_told(tmp_path: Path):
    (tmp_path / "file").touch()
    with pytest.raises(ConfigurationError, match="cannot be used"):
        await store_of(path=tmp_path / "file").connect()
    (tmp_path / "chroma.sqlite3").write_text("no database" * 100)
    with pytest.raises(DataError, match="cannot be read"):
        await store_of(path=tmp_path).connect()


async def test_opened_and_closed_many_times_no_file_and_no_thread_is_left(tmp_path: Path):
    async def use() -> None:
        async with store_of(path=tmp_path) as store:
            await store.ensure_collection(NOTES, 1)
            await store.upsert(NOTES, [Record("1", [1.0])])
            await store.search(NOTES, [1.0])

    there = set(threading.enumerate())

    def settled() -> tuple[int, int]:
        for thread in set(threading.enumerate()) - there:
            thread.join()  # it ends a moment after it has let go of everything
        return open_files(), len(list(Path("/proc/self/task").iterdir()))

    for _ in range(3):
        await use()
    files, threads = settled()
    for _ in range(CYCLES):
        await use()
    after_files, after_threads = settled()
    # what ends in the vendor's own threads may be a moment late, and is not one more each time
    assert after_files - files < CYCLES
    assert after_threads - threads < CYCLES


async def test_neither_the_environment_nor_a_file_has_a_say(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_text("PERSIST_DIRECTORY=elsewhere\nIS_PERSISTENT=true\n")
    monkeypatch.setenv("IS_PERSISTENT", "true")
    async with store_of() as store:
        await store.ensure_collection(NOTES, 1)
    assert [path.name for path in tmp_path.iterdir()] == [".env"]  # noqa: ASYNC240 - one look


# errors and settings


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, RejectedError),
        (401, AuthenticationError),
        (403, AuthenticationError),
        (404, NotFoundError),
        (409, ConflictError),
        (413, RejectedError),
        (429, OverloadedError),
        (500, UnavailableError),
        (503, UnavailableError),
    ],
)
def test_a_refusal_is_typed_by_its_status(status: int, error: type[InfrastructureError]):
    found = refusal(status, "because of my-key", "vector.default", secret="my-key")
    assert type(found) is error
    assert f"vector.default: Chroma answered {status}: because of ***" in str(found)


async def test_a_vector_of_another_length_is_refused_by_the_server_itself(chroma: ChromaServer):
    async with store_of(**new_database(chroma)) as store:
        await store.ensure_collection(NOTES, 2)
        await store.upsert(NOTES, [Record("1", [1.0, 0.0])])
        place = await store._place(NOTES, "")
        with pytest.raises(RejectedError, match="Chroma answered 400"):
            await store._nearest(place, [1.0], limit=1, offset=0, filter=None, min_score=None)


@pytest.mark.parametrize(
    "wrong",
    [
        {"url": "localhost:8000"},
        {"url": "http://user:pass@x"},
        {"url": "http://x?api_key=1"},
        {"url": "http://x", "path": "/tmp/x"},
        {"url": "http://x", "database": "../other"},
        {"url": "http://x", "account": ".."},
        {"api_key": "my-key"},
        {"api_key": "my-key", "url": "http://x", "api_key_header": "a\r\nb"},
    ],
)
def test_settings_that_cannot_be_are_refused(wrong: Mapping[str, Any]):
    with pytest.raises(ValidationError) as caught:
        ChromadbSettings.model_validate(wrong)
    assert "my-key" not in str(caught.value)


# filters


@settings(deadline=None, max_examples=30)
@given(
    st.lists(fields, min_size=1, max_size=8),
    st.lists(without_text, min_size=1, max_size=5),
)
def test_it_finds_what_the_reference_finds(
    shared: tuple[asyncio.Runner, ChromadbVectorStore],
    all_fields: list[dict[str, Any]],
    asked: list[Filter],
):
    runner, store = shared
    records = [Record(str(i), [1.0], fields=one) for i, one in enumerate(all_fields)]

    async def found() -> None:
        await store.delete(NOTES, AllOf())
        await store.upsert(NOTES, records)
        assert [one.fields async for one in store.scroll(NOTES)] == all_fields
        for one in asked:
            expected = {record.id for record in records if matches(one, record.fields)}
            assert {match.id for match in await store.search(NOTES, [1.0], filter=one)} == expected

    runner.run(found())


@pytest.fixture(scope="module")
def shared() -> Iterator[tuple[asyncio.Runner, ChromadbVectorStore]]:
    """A loop, and a store with one collection that is open in it."""
    store = store_of()
    with asyncio.Runner() as runner:
        runner.run(store.ensure_collection(NOTES, 1))
        yield runner, store
        runner.run(store.disconnect())
