"""What a call costs beside the raw driver's, on one server and with the same values.

    .venv/bin/python -m tests.benchmarks.mongodb [--rounds 15] [--calls 200]

Rounds of ours and of the driver's take turns; the ratio is of the medians, of this process's CPU
time and of the wall clock. The server is a process of its own.
"""

import argparse
import asyncio
import gc
import time
from collections.abc import Awaitable, Callable
from statistics import median
from typing import Any

from pymongo import InsertOne

from infrastructure.connections.database.mongodb import MongodbConnectionManager
from infrastructure.connections.database.mongodb.bulk import Insert
from infrastructure.servers.mongodb import MongodbServer
from tests.mongodb import DRIVERS, made

Call = Callable[[int], Awaitable[Any]]


def pairs(mongo: MongodbConnectionManager, raw: Any) -> dict[str, tuple[Call, Call]]:
    """Each call: ours, and what one would write with the driver."""

    async def raw_find(_number: int) -> Any:
        return await raw.find({"n": {"$gte": 0}}, limit=100).to_list(None)

    async def raw_insert(number: int) -> Any:
        return await raw.insert_one({"n": number, "text": "x" * 20})

    return {
        "find_one": (
            lambda number: mongo.find_one("numbers", {"_id": number % 200}),
            lambda number: raw.find_one({"_id": number % 200}),
        ),
        "find 100": (
            lambda _number: mongo.find("numbers", {"n": {"$gte": 0}}, limit=100),
            raw_find,
        ),
        "insert": (
            lambda number: mongo.insert("numbers", {"n": number, "text": "x" * 20}),
            raw_insert,
        ),
        "bulk 100": (
            lambda _number: mongo.bulk_write(
                "bulk", [Insert({"text": "x" * 20}) for _ in range(100)]
            ),
            lambda _number: raw.database["bulk"].bulk_write(
                [InsertOne({"text": "x" * 20}) for _ in range(100)], ordered=False
            ),
        ),
        "update": (
            lambda number: mongo.update("numbers", {"_id": 1}, {"$set": {"n": number}}),
            lambda number: raw.update_one({"_id": 1}, {"$set": {"n": number}}),
        ),
    }


async def took(call: Call, calls: int) -> tuple[float, float]:
    """CPU and wall seconds of one call."""
    gc.collect()
    cpu, wall = time.process_time(), time.perf_counter()
    for number in range(calls):
        await call(number)
    return (time.process_time() - cpu) / calls, (time.perf_counter() - wall) / calls


async def measured(server: MongodbServer, driver: str, rounds: int, calls: int) -> None:
    async with made(server, driver=driver) as mongo:
        documents = [Insert({"_id": n, "n": n, "text": "x" * 20}) for n in range(200)]
        await mongo.bulk_write("numbers", documents)
        raw = mongo.client[mongo.settings.database]["numbers"]
        for name, both in pairs(mongo, raw).items():
            times: list[list[tuple[float, float]]] = [[], []]
            for place in range(rounds):
                for which in (0, 1) if place % 2 else (1, 0):
                    times[which].append(await took(both[which], calls))
            ours, theirs = ([median(each) for each in zip(*one, strict=True)] for one in times)
            print(
                f"{driver:8} {name:9} cpu {ours[0] * 1e6:7.0f} us {ours[0] / theirs[0]:5.2f}x"
                f"   wall {ours[1] * 1e6:7.0f} us {ours[1] / theirs[1]:5.2f}x"
            )


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--calls", type=int, default=200)
    chosen = parser.parse_args()
    with MongodbServer() as running:
        for each in DRIVERS:
            asyncio.run(measured(running, each, chosen.rounds, chosen.calls))
