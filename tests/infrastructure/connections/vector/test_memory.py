import asyncio
import random
import sys

import pytest

from infrastructure.connections.vector.base import Metric, Record, VectorRegistry
from infrastructure.connections.vector.filters import matches, where
from infrastructure.connections.vector.memory import MemorySettings, MemoryVectorStore
from tests.contracts.vector_contract import VectorContract
from tests.contracts.vector_search_contract import VectorSearchContract


class TestMemory(VectorContract):
    @pytest.fixture
    def manager(self):
        return MemoryVectorStore(MemorySettings(), name="vector.default")


class TestMemoryWithoutNumpy(VectorSearchContract):
    """What the matrix takes part in; the rest is the same code."""

    @pytest.fixture
    def manager(self, monkeypatch):
        monkeypatch.setitem(sys.modules, "numpy", None)
        return MemoryVectorStore(MemorySettings(), name="vector.default")


def test_the_registry_serves_it():
    assert VectorRegistry.resolve("memory") is MemoryVectorStore


async def test_both_ways_of_scoring_agree(monkeypatch):
    async def scores(metric: Metric) -> list[float]:
        async with MemoryVectorStore(MemorySettings()) as store:
            await store.ensure_collection("c", 3, metric)
            records = [Record(str(i), [i * 0.3, 1.0 - i, 0.1]) for i in range(20)]
            await store.upsert("c", records)
            return [match.score for match in await store.search("c", [0.2, 0.7, -1.0], limit=20)]

    with_numpy = [await scores(metric) for metric in Metric]
    monkeypatch.setitem(sys.modules, "numpy", None)
    without = [await scores(metric) for metric in Metric]
    for one, other in zip(with_numpy, without, strict=True):
        assert one == pytest.approx(other, abs=1e-5)


async def test_a_write_is_seen_by_the_search_after_a_search():
    async with MemoryVectorStore(MemorySettings()) as store:
        await store.ensure_collection("c", 2)
        for i in range(3):
            await store.upsert("c", [Record(str(i), [1.0, i])])
            assert len(await store.search("c", [1.0, 0.0])) == i + 1
        await store.delete("c", ["0"])
        assert len(await store.search("c", [1.0, 0.0])) == 2


async def test_disconnecting_forgets():
    store = MemoryVectorStore(MemorySettings())
    await store.ensure_collection("c", 2)
    await store.disconnect()
    async with store:
        assert await store.list_collections() == []


async def test_after_any_writes_what_is_found_is_what_is_stored():
    """Rows move when others go: their vectors, ids and places must move together."""
    chance = random.Random(7)
    rows: dict[str, Record] = {}
    async with MemoryVectorStore(MemorySettings()) as store:
        await store.ensure_collection("c", 2, Metric.DOT)
        for step in range(300):
            one = str(chance.randrange(150))
            if chance.random() < 0.6:
                rows[one] = Record(one, [float(step), 1.0], fields={"even": step % 2 == 0})
                await store.upsert("c", [rows[one]])
            else:
                rows.pop(one, None)
                await store.delete("c", [one])
        for asked in (None, where("even") == True):  # noqa: E712 # builds a condition
            found = await store.search("c", [1.0, 0.0], limit=1000, filter=asked)
            expected = {
                one: row.vector[0]
                for one, row in rows.items()
                if asked is None or matches(asked, row.fields)
            }
            assert {match.id: match.score for match in found} == expected
        assert [record.id async for record in store.scroll("c")] == sorted(rows)


async def test_a_record_that_goes_during_a_search_is_not_found_and_mixes_nothing_up():
    async with MemoryVectorStore(MemorySettings()) as store:
        await store.ensure_collection("c", 2, Metric.DOT)
        records = [Record(str(i), [float(i), 1.0], fields={"i": i}) for i in range(2500)]
        await store.upsert("c", records)
        search = store.search("c", [1.0, 0.0], limit=3000, filter=where("i") >= 0)
        found, _ = await asyncio.gather(search, store.delete("c", ["0", "2499"]))
        assert all(match.id == str(int(match.score)) for match in found)
        assert {match.id for match in found} == {str(i) for i in range(1, 2499)}


async def test_a_record_that_is_stored_again_during_a_search_is_found():
    async with MemoryVectorStore(MemorySettings()) as store:
        await store.ensure_collection("c", 2, Metric.DOT)
        records = [Record(str(i), [float(i), 1.0], fields={"i": i}) for i in range(1500)]
        await store.upsert("c", records)
        counting = store.count("c", where("i") >= 0)
        again = [Record("0", [0.0, 1.0], fields={"i": 0}), Record("1", [0.0, 1.0])]
        count, _ = await asyncio.gather(counting, store.upsert("c", again))
        assert count == 1499


async def test_tenants_that_store_nothing_take_no_room():
    async with MemoryVectorStore(MemorySettings()) as store:
        await store.ensure_collection("c", 2, tenants=True)
        await store.upsert("c", [Record("1", [1.0, 0.0])], tenant="was here")
        await store.delete("c", ["1"], tenant="was here")
        for i in range(50):
            assert await store.search("c", [1.0, 0.0], tenant=f"guess {i}") == []
            assert await store.count("c", tenant=f"guess {i}") == 0
        assert store._collections["c"].tenants == {}


async def test_other_tasks_have_their_turn_during_a_long_search(monkeypatch):
    monkeypatch.setitem(sys.modules, "numpy", None)
    async with MemoryVectorStore(MemorySettings()) as store:
        await store.ensure_collection("c", 2)
        await store.upsert("c", [Record(str(i), [1.0, i]) for i in range(3500)])
        searching, turns = asyncio.create_task(store.search("c", [1.0, 0.0])), 0
        while not searching.done():
            await asyncio.sleep(0)
            turns += 1
        assert turns >= 4
        assert len(await searching) == 10
