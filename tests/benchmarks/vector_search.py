"""Vector search: our stores against the raw vendor client and a numpy scan, in one run.

    python tests/benchmarks/vector_search.py --records 10000 --dimensions 384 --rounds 5

Every figure is processor time per operation, the median over rounds in which all contenders take
turns; x is that time over the limit's, the first row of each table.
"""

import argparse
import asyncio
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import numpy as np
from qdrant_client import QdrantClient, models

from infrastructure.connections.vector.base import Metric, Record, VectorStore
from infrastructure.connections.vector.filters import where
from infrastructure.connections.vector.memory import MemorySettings, MemoryVectorStore
from infrastructure.connections.vector.qdrant import QdrantSettings, QdrantVectorStore

Contender = Callable[[], Awaitable[object]]
SELECTED = 100
ONE_PERCENT = models.Filter(
    must=[models.FieldCondition(key="fields.n", range=models.Range(gte=0, lte=0))]
)


def unit_vectors(count: int, dimensions: int) -> Any:
    found = np.random.default_rng(7).normal(size=(count, dimensions)).astype("f4")
    return found / np.linalg.norm(found, axis=1, keepdims=True)


async def measured(contenders: dict[str, Contender], rounds: int, each: int) -> dict[str, float]:
    taken: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, run in contenders.items():
            started = time.process_time()
            for _ in range(each):
                await run()
            taken[name].append((time.process_time() - started) / each)
    return {name: statistics.median(times) for name, times in taken.items()}


def show(title: str, times: dict[str, float], unit: float, word: str) -> None:
    limit = next(iter(times.values()))
    print(f"\n{title}")
    for name, seconds in times.items():
        print(f"  {name:<34}{seconds * unit:>10.2f} {word}{seconds / limit:>8.2f} x")


def awaited(call: Callable[[], object]) -> Contender:
    async def run() -> object:
        return call()

    return run


def raw_points(vectors: Any) -> list[models.PointStruct]:
    return [
        models.PointStruct(id=i, vector=vector, payload=payload_of(i))
        for i, vector in enumerate(vectors.tolist())
    ]


def payload_of(i: int) -> dict[str, object]:
    return {"id": str(i), "text": f"text {i}", "fields": {"n": i % SELECTED}}


def records_of(vectors: Any) -> list[Record]:
    return [
        Record(str(i), vector, f"text {i}", {"n": i % SELECTED})
        for i, vector in enumerate(vectors.tolist())
    ]


def raw_client(path: str | None, dimensions: int) -> QdrantClient:
    client = QdrantClient(path=path) if path else QdrantClient(":memory:")
    shape = models.VectorParams(size=dimensions, distance=models.Distance.COSINE)
    client.create_collection("c", vectors_config=shape)
    return client


async def searches(vectors: Any, rounds: int) -> None:
    dimensions = vectors.shape[1]
    raw = raw_client(None, dimensions)
    raw.upsert("c", raw_points(vectors))
    memory = MemoryVectorStore(MemorySettings())
    qdrant = QdrantVectorStore(QdrantSettings(timeout_seconds=60))
    for store in (memory, qdrant):
        await store.ensure_collection("c", dimensions, Metric.COSINE)
        await store.upsert("c", records_of(vectors))
    query = vectors[5].tolist()
    asked = np.asarray(query, dtype="f4")

    def scan() -> object:
        scores = vectors @ asked
        best = np.argpartition(scores, len(scores) - 10)[-10:]
        return best[np.argsort(-scores[best])]

    plain = {
        "numpy product + partition (limit)": awaited(scan),
        "our memory store": lambda: memory.search("c", query),
        "raw qdrant, local": awaited(lambda: raw.query_points("c", query=query)),
        "our qdrant store, local": lambda: qdrant.search("c", query),
    }
    show("search, top 10", await measured(plain, rounds, 5), 1e3, "ms")
    one_percent = where("n") == 0
    filtered = {
        "raw qdrant, local (limit)": awaited(
            lambda: raw.query_points("c", query=query, query_filter=ONE_PERCENT)
        ),
        "our qdrant store, local": lambda: qdrant.search("c", query, filter=one_percent),
        "our memory store": lambda: memory.search("c", query, filter=one_percent),
    }
    show("search, top 10 of the 1 % that pass", await measured(filtered, rounds, 2), 1e3, "ms")
    await qdrant.disconnect()
    raw.close()


async def writes(vectors: Any, rounds: int) -> None:
    dimensions, count = vectors.shape[1], len(vectors)
    records = records_of(vectors)

    async def ours(store: VectorStore) -> None:
        async with store:
            await store.ensure_collection("c", dimensions)
            await store.upsert("c", records)

    def raw() -> None:
        client = raw_client(None, dimensions)
        client.upsert("c", raw_points(vectors))
        client.close()

    contenders: dict[str, Contender] = {
        "raw qdrant, memory (limit)": awaited(raw),
        "our qdrant store, memory": lambda: ours(QdrantVectorStore(QdrantSettings())),
        "our memory store": lambda: ours(MemoryVectorStore(MemorySettings())),
    }
    show(f"upsert of {count}, each", await measured(contenders, rounds, 1), 1e6 / count, "us")


async def writes_to_disk(vectors: Any, rounds: int) -> None:
    dimensions, count = vectors.shape[1], len(vectors)

    def raw() -> None:
        with tempfile.TemporaryDirectory() as folder:
            client = raw_client(folder, dimensions)
            client.upsert("c", raw_points(vectors))
            client.close()

    async def ours() -> None:
        with tempfile.TemporaryDirectory() as folder:
            settings = QdrantSettings(path=Path(folder), timeout_seconds=60)
            async with QdrantVectorStore(settings) as store:
                await store.ensure_collection("c", dimensions)
                await store.upsert("c", records_of(vectors))

    contenders: dict[str, Contender] = {
        "raw qdrant, folder (limit)": awaited(raw),
        "our qdrant store, folder": ours,
    }
    show(f"upsert of {count}, each", await measured(contenders, rounds, 1), 1e6 / count, "us")


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=10_000)
    parser.add_argument("--dimensions", type=int, default=384)
    parser.add_argument("--rounds", type=int, default=5)
    asked = parser.parse_args()
    vectors = unit_vectors(asked.records, asked.dimensions)
    print(f"{asked.records} x {asked.dimensions}, medians of {asked.rounds} interleaved rounds")
    await searches(vectors, asked.rounds)
    await writes(vectors, asked.rounds)
    await writes_to_disk(vectors[: max(1, asked.records // 10)], asked.rounds)


if __name__ == "__main__":
    asyncio.run(main())
