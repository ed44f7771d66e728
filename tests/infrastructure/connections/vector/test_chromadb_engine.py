"""What a Chroma store runs on: a folder, a server, their errors, and its settings."""

import asyncio
import gc
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import ValidationError

from infrastructure.connections.base import ConnectionState
from infrastructure.connections.vector.base import Metric, Record
from infrastructure.connections.vector.chromadb import ChromadbSettings, ChromadbVectorStore
from infrastructure.connections.vector.chromadb.errors import refusal
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
)
from infrastructure.servers.chroma import ChromaServer
from tests.contracts.connection_contract import ConnectionContract
from tests.contracts.connection_faults import open_files
from tests.infrastructure.connections.vector.chromadb_stores import new_database, store_of

NOTES = "notes"
CYCLES = 5


class TestChromadbInFolder(ConnectionContract):
    @pytest.fixture
    def manager(self, tmp_path: Path) -> ChromadbVectorStore:
        return store_of(path=tmp_path / "chroma")


# the folder


async def test_a_folder_keeps_what_is_stored(tmp_path: Path):
    record = Record("1", [0.5, 0.25], "text", {"tags": ["a", 1], "none": None})
    async with store_of(path=tmp_path) as store:
        await store.ensure_collection(NOTES, 2, Metric.DOT)
        await store.upsert(NOTES, [record])
    async with store_of(path=tmp_path) as store:
        assert await store.get(NOTES, ["1"]) == [record]
        with pytest.raises(ConflictError, match="dot"):
            await store.ensure_collection(NOTES, 2)


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


async def test_other_settings_count_after_an_opening_that_failed(tmp_path: Path):
    (tmp_path / "file").touch()
    store = store_of(path=tmp_path / "file")
    with pytest.raises(ConfigurationError):
        await store.connect()
    await store.rotate(path=tmp_path / "folder")
    async with store:
        assert (tmp_path / "folder" / "chroma.sqlite3").exists()


@pytest.mark.filterwarnings("ignore::ResourceWarning")  # so asyncio tells of what is left
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("place", ["server", "folder"])
def test_it_may_be_closed_when_its_event_loop_is_gone(
    chroma: ChromaServer, tmp_path: Path, place: str
):
    found = {"url": chroma.url} if place == "server" else {"path": tmp_path}
    store = store_of(**found)
    asyncio.run(store.connect())
    asyncio.run(store.disconnect())
    assert store.state is ConnectionState.CLOSED
    del store
    gc.collect()

    async def use_anew() -> bool:
        async with store_of(**found) as store:
            return store.is_healthy()

    assert asyncio.run(use_anew())


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

    for _ in range(2):
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


async def test_an_answer_that_cannot_be_unpacked_is_told():
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 .\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nabcd")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(DataError, match="cannot be read"):
            await store_of(url=f"http://127.0.0.1:{port}").connect()


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


# the server


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
