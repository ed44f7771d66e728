import asyncio
import contextlib
import multiprocessing
import os
import signal
import threading
from pathlib import Path

import pytest
import pytest_asyncio
from qdrant_client.local.local_collection import LocalCollection
from qdrant_client.local.qdrant_local import QdrantLocal

from infrastructure.connections.vector.base import (
    Metric,
    Record,
    Shape,
    SparseVector,
    VectorRegistry,
)
from infrastructure.connections.vector.filters import where
from infrastructure.connections.vector.qdrant import QdrantSettings, QdrantVectorStore
from infrastructure.errors import (
    ConfigurationError,
    ConflictError,
    DataError,
    DeadlineExceededError,
)
from tests.contracts.connection_contract import ConnectionContract
from tests.contracts.vector_fixtures import COLORS, NOTES
from tests.contracts.vector_one_store import VectorOneStoreContract


class TestQdrantInMemory(ConnectionContract):
    """The engine is that of a folder, which runs the whole suite; the way in and out is not."""

    @pytest.fixture
    def manager(self):
        return QdrantVectorStore(QdrantSettings(), name="vector.default")


class TestQdrantInAFolder(VectorOneStoreContract):
    @pytest.fixture
    def manager(self, tmp_path):
        return in_folder(tmp_path / "new" / "vectors")

    @pytest_asyncio.fixture(scope="class", loop_scope="class")
    @classmethod
    async def opened(cls, tmp_path_factory):
        async with in_folder(tmp_path_factory.mktemp("qdrant"), batch_size=300) as store:
            yield store


def in_folder(path: Path, **settings) -> QdrantVectorStore:
    return QdrantVectorStore(QdrantSettings(path=path, **settings), name="vector.default")


def test_the_registry_serves_it():
    assert VectorRegistry.resolve("qdrant") is QdrantVectorStore


@pytest.mark.parametrize("metric", Metric)
async def test_a_reopened_folder_has_everything(tmp_path, metric):
    async with in_folder(tmp_path) as store:
        await store.ensure_collection(NOTES, 3, metric)
        await store.upsert(NOTES, COLORS)
        await store.delete(NOTES, ["2"])
        before = [record async for record in store.scroll(NOTES)]
        found = await store.search(NOTES, [3.0, 1.0, 0.5])
    async with in_folder(tmp_path) as store:
        after = [record async for record in store.scroll(NOTES)]
        again = await store.search(NOTES, [3.0, 1.0, 0.5])
        assert await store.ensure_collection(NOTES, 3, metric) is False
    assert [(one.id, one.text, one.fields) for one in after] == [
        (one.id, one.text, one.fields) for one in before
    ]
    for one, other in zip(after, before, strict=True):
        assert one.vector == pytest.approx(other.vector, abs=1e-6)
    assert [match.id for match in again] == [match.id for match in found]
    assert [match.score for match in again] == pytest.approx([match.score for match in found])


async def test_a_reopened_folder_has_its_tenants_and_sparse_vectors(tmp_path):
    record = Record("1", [3.0, 4.0], sparse=SparseVector([3], [1.0]))
    async with in_folder(tmp_path) as store:
        await store.ensure_collection(NOTES, 2, sparse=True, tenants=True)
        await store.upsert(NOTES, [record], tenant="acme")
    async with in_folder(tmp_path) as store:
        assert await store.shape(NOTES) == Shape(2, Metric.COSINE, sparse=True, tenants=True)
        assert await store.tenant("other").count(NOTES) == 0
        (found,) = await store.tenant("acme").get(NOTES, ["1"])
    assert found.sparse == record.sparse
    assert found.vector == pytest.approx([0.6, 0.8])


async def test_a_dropped_collection_stays_dropped(tmp_path):
    async with in_folder(tmp_path) as store:
        await store.ensure_collection(NOTES, 3)
        await store.upsert(NOTES, COLORS)
        await store.drop_collection(NOTES)
    async with in_folder(tmp_path) as store:
        assert await store.list_collections() == []
        await store.ensure_collection(NOTES, 3)
        assert await store.count(NOTES) == 0


async def test_a_folder_in_use_is_a_conflict_that_says_what_to_do(tmp_path):
    async with in_folder(tmp_path) as first:
        await first.ensure_collection(NOTES, 3)
        second = in_folder(tmp_path)
        with pytest.raises(ConflictError, match=r"in use.*set url instead of path"):
            await second.connect()
        await first.upsert(NOTES, COLORS)
    async with second:
        assert await second.count(NOTES) == len(COLORS)


async def test_one_whose_folder_is_in_use_may_be_sent_to_another(tmp_path):
    async with in_folder(tmp_path / "a") as first:
        await first.ensure_collection(NOTES, 3)
        second = in_folder(tmp_path / "a")
        with pytest.raises(ConflictError):
            await second.connect()
        await second.rotate(path=tmp_path / "b")
        assert await second.list_collections() == []
        await second.disconnect()


async def test_a_folder_is_free_after_closing(tmp_path):
    for _ in range(3):
        async with in_folder(tmp_path) as store:
            await store.ensure_collection(NOTES, 3)


async def test_a_cancelled_opening_frees_the_folder(tmp_path):
    opening = asyncio.create_task(in_folder(tmp_path).connect())
    await asyncio.sleep(0)
    opening.cancel()
    await asyncio.wait((opening,))
    async with asyncio.timeout(5):
        other = await when_free(tmp_path)
    async with other:
        assert await other.list_collections() == []


async def when_free(path: Path) -> QdrantVectorStore:
    while True:
        with contextlib.suppress(ConflictError):
            store = in_folder(path)
            await store.connect()
            return store


def test_a_killed_process_loses_nothing_and_frees_the_folder(tmp_path):
    child = multiprocessing.get_context("fork").Process(target=_fill_and_die, args=(tmp_path,))
    child.start()
    child.join(30)
    assert child.exitcode == -signal.SIGKILL

    async def count() -> int:
        async with in_folder(tmp_path) as store:
            return await store.count("c")

    assert asyncio.run(count()) == 300


def _fill_and_die(path: Path) -> None:
    async def fill() -> None:
        store = in_folder(path)
        await store.ensure_collection("c", 2)
        await store.upsert("c", [Record(str(i), [1.0, i]) for i in range(300)])
        os.kill(os.getpid(), signal.SIGKILL)

    asyncio.run(fill())


async def test_a_path_that_is_a_file_is_a_configuration_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigurationError, match="names a folder"):
        await in_folder(tmp_path / "file").connect()


async def test_a_folder_that_cannot_be_read_is_a_data_error(tmp_path):
    (tmp_path / "meta.json").write_text("{")
    with pytest.raises(DataError, match="cannot be read"):
        await in_folder(tmp_path).connect()


async def test_a_file_spoiled_while_it_is_open_is_a_data_error(tmp_path):
    async with in_folder(tmp_path) as store:
        await store.ensure_collection(NOTES, 3)
        await store.upsert(NOTES, COLORS)
        for file in (tmp_path / "collection" / NOTES).iterdir():
            file.write_bytes(bytes(file.stat().st_size))
        with pytest.raises(DataError, match="cannot be read"):
            await store.delete(NOTES, ["1"])


async def test_the_loop_turns_while_the_engine_works(tmp_path):
    async with in_folder(tmp_path) as store:
        await store.ensure_collection("c", 64)
        records = [Record(str(i), [1.0, i] * 32) for i in range(600)]
        writing = asyncio.create_task(store.upsert("c", records))
        turns = 0
        while not writing.done():
            await asyncio.sleep(0)
            turns += 1
        assert turns > 20
        await writing


async def test_a_deadline_holds_and_the_folder_stays_usable(tmp_path, monkeypatch):
    is_late, delete = threading.Event(), QdrantLocal.delete

    def slow(*args, **named):
        assert is_late.wait(10)
        return delete(*args, **named)

    monkeypatch.setattr(QdrantLocal, "delete", slow)
    async with in_folder(tmp_path) as store:
        await store.ensure_collection(NOTES, 3)
        await store.upsert(NOTES, COLORS)
        store.settings = store.settings.model_copy(update={"timeout_seconds": 0.2})
        with pytest.raises(DeadlineExceededError):
            await store.delete(NOTES, where("x") != 1)
        is_late.set()
    async with in_folder(tmp_path) as store:
        assert await store.count(NOTES) == 0


async def test_more_records_than_the_vendor_likes_escape_no_warning(monkeypatch, tmp_path):
    for vendors in (LocalCollection, QdrantLocal):
        monkeypatch.setattr(vendors, "LARGE_DATA_THRESHOLD", 20)
    memory = QdrantVectorStore(QdrantSettings())
    for store, start in ((memory, 0), (in_folder(tmp_path), 0), (in_folder(tmp_path), 21)):
        async with store:
            await store.ensure_collection("c", 1)
            for first in (start, start + 21):
                records = [Record(str(first + i), [1.0]) for i in range(21)]
                await store.upsert("c", records)
            assert await store.count("c") == start + 42


async def test_points_of_others_cannot_be_read(tmp_path):
    from qdrant_client import QdrantClient, models

    client = QdrantClient(path=str(tmp_path))
    shape = models.VectorParams(size=2, distance=models.Distance.COSINE)
    client.create_collection("c", vectors_config=shape)
    client.create_collection("named", vectors_config={"v": shape})
    client.create_collection("numbered", vectors_config=shape)
    client.upsert("c", [models.PointStruct(id=7, vector=[1.0, 0.0], payload={"a": 1})])
    numbered = {"id": 8, "text": "", "fields": {}}
    client.upsert("numbered", [models.PointStruct(id=8, vector=[1.0, 0.0], payload=numbered)])
    client.close()
    async with in_folder(tmp_path) as store:
        with pytest.raises(DataError, match=r"point 7 .* not written by this store"):
            await store.search("c", [1.0, 0.0])
        with pytest.raises(DataError, match=r"point 8 was not written by this store: .* found 8"):
            await anext(aiter(store.scroll("numbered")))
        with pytest.raises(ConflictError, match="named vectors"):
            await store.ensure_collection("named", 2)


async def test_every_written_file_is_in_the_folder(tmp_path):
    before = set(Path.cwd().iterdir())
    async with in_folder(tmp_path) as store:
        await store.ensure_collection(NOTES, 3)
        await store.upsert(NOTES, COLORS)
    assert set(Path.cwd().iterdir()) == before
    assert [one.name for one in (tmp_path / "collection").iterdir()] == [NOTES]


def test_a_folder_opened_in_one_event_loop_is_freed_in_another(tmp_path):
    store = QdrantVectorStore(QdrantSettings(path=tmp_path / "vectors"))
    asyncio.run(store.connect())
    asyncio.run(store.disconnect())
    again = QdrantVectorStore(QdrantSettings(path=tmp_path / "vectors"))
    assert asyncio.run(again.health_check()).is_up
    asyncio.run(again.disconnect())
