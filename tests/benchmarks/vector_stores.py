"""pgvector and Chroma: our stores against the vendors' clients on the same server, in one run.

    python tests/benchmarks/vector_stores.py --records 2000 --dimensions 384 --rounds 7

Each figure is the median over rounds in which the two take turns: time on the wall, in which the
server works too, and processor time of this process; x is ours over the raw client's.
"""

import argparse
import asyncio
import json
import statistics
import struct
import time
from array import array
from collections.abc import Awaitable, Callable
from typing import Any

import asyncpg
import chromadb
import numpy as np
from chromadb.config import Settings

from infrastructure.connections.vector.base import Record, VectorStore
from infrastructure.connections.vector.chromadb import ChromadbSettings, ChromadbVectorStore
from infrastructure.connections.vector.filters import where
from infrastructure.connections.vector.pgvector import PgvectorSettings, PgvectorVectorStore
from infrastructure.servers.chroma import ChromaServer
from infrastructure.servers.postgres import PostgresServer

Contender = Callable[[], Awaitable[object]]
SELECTED = 100
BATCH = 256


async def compare(title: str, raw: Contender, ours: Contender, rounds: int, each: int) -> None:
    walls: tuple[list[float], list[float]] = ([], [])
    turns: tuple[list[float], list[float]] = ([], [])
    for _ in range(rounds):
        for place, run in enumerate((raw, ours)):
            wall, turn = time.perf_counter(), time.process_time()
            for _ in range(each):
                await run()
            walls[place].append((time.perf_counter() - wall) / each)
            turns[place].append((time.process_time() - turn) / each)
    cells = []
    for kind, (theirs, own) in (("wall", walls), ("cpu", turns)):
        first, second = statistics.median(theirs), statistics.median(own)
        cells.append(f"{kind}{first * 1e3:>9.2f} ms{second * 1e3:>9.2f} ms{second / first:>6.2f} x")
    print(f"  {title:<34}{'   '.join(cells)}")


def unit_vectors(count: int, dimensions: int) -> list[list[float]]:
    found = np.random.default_rng(7).normal(size=(count, dimensions))
    made: list[list[float]] = (found / np.linalg.norm(found, axis=1, keepdims=True)).tolist()
    return made


def records_of(vectors: list[list[float]]) -> list[Record]:
    return [
        Record(str(i), vector, f"text {i}", {"n": i % SELECTED}) for i, vector in enumerate(vectors)
    ]


async def kept(store: VectorStore, vectors: list[list[float]], *, name: str = "c") -> None:
    await store.ensure_collection(name, len(vectors[0]))
    await store.upsert(name, records_of(vectors))


def packed(vector: list[float]) -> bytes:
    floats = array("f", vector)
    floats.byteswap()
    return struct.pack(">HH", len(floats), 0) + floats.tobytes()


async def pgvector(vectors: list[list[float]], rounds: int) -> None:
    print(f"\npgvector{'':<27}raw asyncpg, ours")
    with PostgresServer() as server:
        found = {"url": server.url, "timeout_seconds": 60}
        store = PgvectorVectorStore(PgvectorSettings.model_validate(found))
        async with store:
            await kept(store, vectors)
            await store.execute_query("ANALYZE")  # our server has no autovacuum to do it
            pool = await asyncpg.create_pool(server.url, min_size=1, max_size=5, init=prepared)
            await pgvector_calls(store, pool, vectors, rounds)
            await pool.close()


async def prepared(connection: Any) -> None:
    await connection.execute("SET hnsw.iterative_scan = strict_order")
    await connection.set_type_codec("vector", encoder=packed, decoder=bytes, format="binary")


async def pgvector_calls(
    store: PgvectorVectorStore, pool: Any, vectors: list[list[float]], rounds: int
) -> None:
    table, query = "switchgear_vectors.vectors_1", vectors[5]
    some = records_of(vectors[:BATCH])
    find = f"SELECT id, text, payload::text, embedding <#> $1 AS distance FROM {table}"
    filtered = f"{find} WHERE payload @@ $2::jsonpath ORDER BY distance LIMIT 10"
    store_one = (
        f"INSERT INTO {table} (tenant, id, text, payload, embedding)"
        " VALUES ('', $1, $2, $3::jsonb, $4) ON CONFLICT (tenant, id) DO UPDATE"
        " SET text = excluded.text, payload = excluded.payload, embedding = excluded.embedding"
    )

    async def raw_search(sql: str, *values: Any) -> list[Any]:
        async with pool.acquire() as connection:
            rows = await connection.fetch(sql, query, *values)
        return [(row[0], row[1], json.loads(row[2])["f"], -row[3]) for row in rows]

    async def raw_upsert() -> None:
        rows = [(one.id, one.text, json.dumps({"f": one.fields}), list(one.vector)) for one in some]
        async with pool.acquire() as connection:
            await connection.executemany(store_one, rows)

    await compare(
        "search, top 10",
        lambda: raw_search(f"{find} ORDER BY distance LIMIT 10"),
        lambda: store.search("c", query),
        rounds,
        100,
    )
    await compare(
        "search, top 10 of the 1 %",
        lambda: raw_search(filtered, '$.f."n" == 5'),
        lambda: store.search("c", query, filter=where("n") == 5),
        rounds,
        100,
    )
    await compare(f"upsert of {BATCH}", raw_upsert, lambda: store.upsert("c", some), rounds, 1)


async def chroma_server(vectors: list[list[float]], rounds: int) -> None:
    print(f"\nChroma, server{'':<21}raw AsyncHttpClient, ours")
    with ChromaServer() as server:
        client = await chromadb.AsyncHttpClient("127.0.0.1", server.port, settings=quiet())
        raw = await client.create_collection(
            "raw", embedding_function=None, configuration={"hnsw": {"space": "ip"}}
        )
        await chroma_calls(
            ChromadbVectorStore(ChromadbSettings(url=server.url)), raw, vectors, rounds
        )
        await client._server._cleanup()  # type: ignore[attr-defined] # it has no other close


async def chroma_embedded(vectors: list[list[float]], rounds: int) -> None:
    for kind, where_to in ((Awaited, "in this thread"), (Threaded, "in another thread")):
        print(f"\nChroma, embedded{'':<19}raw EphemeralClient {where_to}, ours")
        client = chromadb.EphemeralClient(settings=quiet())
        collection = client.create_collection(
            "raw", embedding_function=None, configuration={"hnsw": {"space": "ip"}}
        )
        store = ChromadbVectorStore(ChromadbSettings())
        await chroma_calls(store, kind(collection), vectors, rounds)
        client.delete_collection("raw")


class Awaited:
    """A collection of the synchronous client: called as it is, and the event loop waits."""

    def __init__(self, collection: Any) -> None:
        self._collection = collection

    async def query(self, **asked: Any) -> Any:
        return self._collection.query(**asked)

    async def upsert(self, **given: Any) -> Any:
        return self._collection.upsert(**given)


class Threaded(Awaited):
    """Called in another thread, as a program must whose event loop is not to wait."""

    async def query(self, **asked: Any) -> Any:
        return await asyncio.to_thread(self._collection.query, **asked)

    async def upsert(self, **given: Any) -> Any:
        return await asyncio.to_thread(self._collection.upsert, **given)


def quiet() -> Settings:
    return Settings(anonymized_telemetry=False)


async def chroma_calls(
    store: ChromadbVectorStore, raw: Any, vectors: list[list[float]], rounds: int
) -> None:
    query = vectors[5]

    def rows(start: int, count: int, first: int) -> dict[str, Any]:
        some = range(start, start + count)
        return {
            "ids": [str(first + i) for i in some],
            "embeddings": [vectors[i] for i in some],
            "documents": [f"text {i}" for i in some],
            "metadatas": [{"n": i % SELECTED} for i in some],
        }

    def records(first: int) -> list[Record]:
        return [
            Record(str(first + i), vectors[i], f"text {i}", {"n": i % SELECTED})
            for i in range(BATCH)
        ]

    starts = range(10**6, 10**6 + BATCH * rounds, BATCH)
    for_raw = iter([rows(0, BATCH, first) for first in starts])
    for_ours = iter([records(first) for first in starts])

    async with store:
        await kept(store, vectors)
        for start in range(0, len(vectors), BATCH):
            await raw.upsert(**rows(start, min(BATCH, len(vectors) - start), 0))
        include = ["documents", "metadatas", "distances"]
        await compare(
            "search, top 10",
            lambda: raw.query(query_embeddings=[query], n_results=10, include=include),
            lambda: store.search("c", query),
            rounds,
            50,
        )
        await compare(
            "search, top 10 of the 1 %",
            lambda: raw.query(
                query_embeddings=[query], n_results=10, include=include, where={"n": 5}
            ),
            lambda: store.search("c", query, filter=where("n") == 5),
            rounds,
            50,
        )
        await compare(
            f"upsert of {BATCH} new ones",
            lambda: raw.upsert(**next(for_raw)),
            lambda: store.upsert("c", next(for_ours)),
            rounds,
            1,
        )


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=2000)
    parser.add_argument("--dimensions", type=int, default=384)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--only", choices=["pgvector", "server", "embedded"])
    asked = parser.parse_args()
    vectors = unit_vectors(asked.records, asked.dimensions)
    print(f"{asked.records} x {asked.dimensions}, medians of {asked.rounds} interleaved rounds")
    parts = {"pgvector": pgvector, "server": chroma_server, "embedded": chroma_embedded}
    for name, run in parts.items():
        if asked.only in {None, name}:
            await run(vectors, asked.rounds)


if __name__ == "__main__":
    asyncio.run(main())
