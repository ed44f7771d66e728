import sys

import pytest

from infrastructure.connections.vector.base import Metric, Record, VectorRegistry
from infrastructure.connections.vector.memory import MemorySettings, MemoryVectorStore
from tests.contracts.vector_contract import VectorContract


class TestMemory(VectorContract):
    @pytest.fixture
    def manager(self):
        return MemoryVectorStore(MemorySettings(), name="vector.default")


class TestMemoryWithoutNumpy(VectorContract):
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
