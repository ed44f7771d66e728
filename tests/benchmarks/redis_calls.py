"""What a call of the Redis manager costs, against the driver alone on the same server.

Run it with `python tests/benchmarks/redis_calls.py`. Each pair does the same commands, its rounds
take turns, and the middle of the rounds counts: processor time of this process, and wall clock.
"""

import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable
from typing import Any

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.lock import Lock

from infrastructure.connections.database.redis import (
    RedisConnectionManager,
    RedisConnectionSettings,
    RedisScript,
    StreamConsumer,
)
from infrastructure.servers.valkey import ValkeyServer
from tests.redis_address import address

ROUNDS, CALLS, AT_ONCE = 11, 500, 20
ADD = RedisScript("add", "return redis.call('INCRBY', KEYS[1], ARGV[1])", keys=1, arguments=1)
MANY = [("SET", f"many:{number}", number) for number in range(10)]
Work = Callable[[], Awaitable[Any]]


def pairs(
    raw: Redis, ours: RedisConnectionManager, consumer: StreamConsumer
) -> dict[str, tuple[Work, Work]]:
    """The same work, by the driver and by the manager."""
    script, jobs = raw.register_script(ADD.text), ours.stream("jobs")

    async def raw_many() -> None:
        async with raw.pipeline(transaction=False) as pipe:
            for command in MANY:
                pipe.execute_command(*command)
            await pipe.execute()

    async def raw_transaction() -> None:
        async with raw.pipeline(transaction=True) as pipe:
            for command in MANY:
                pipe.execute_command(*command)
            await pipe.execute()

    async def raw_job() -> None:
        await raw.xadd("raw-work", {"n": 1}, maxlen=100_000)
        found: Any = await raw.xreadgroup("workers", "one", {"raw-work": ">"}, count=1, block=1000)
        await raw.xack("raw-work", "workers", found[0][1][0][0])

    async def our_job() -> None:
        await ours.stream("work").publish({"n": 1})
        async with await anext(consumer):
            pass

    async def raw_lock() -> None:
        async with Lock(raw, "raw-lock", timeout=10):
            pass

    async def our_lock() -> None:
        async with ours.lock("lock"):
            pass

    async def many_at_once(one: Work) -> None:
        await asyncio.gather(*(one() for _ in range(AT_ONCE)))

    ours.add_script(ADD)
    get, our_get = (lambda: raw.get("key")), (lambda: ours.execute("GET", "key"))
    return {
        "GET": (get, our_get),
        "SET": (lambda: raw.set("key", "x"), lambda: ours.execute("SET", "key", "x")),
        f"{AT_ONCE} GET at once": (lambda: many_at_once(get), lambda: many_at_once(our_get)),
        "pipeline of 10": (raw_many, lambda: ours.execute_many(MANY)),
        "transaction of 10": (raw_transaction, lambda: ours.transaction(MANY)),
        "script": (
            lambda: script(keys=["n"], args=[1]),
            lambda: ours.call_script("add", ["n"], [1]),
        ),
        "XADD": (
            lambda: raw.xadd("raw-jobs", {"n": 1}, maxlen=100_000),
            lambda: jobs.publish({"n": 1}),
        ),
        "XADD, read, done": (raw_job, our_job),
        "lock and unlock": (raw_lock, our_lock),
    }


async def measured(work: Work, calls: int) -> tuple[float, float]:
    """Microseconds a call: of the processor, and by the clock."""
    cpu, wall = time.process_time(), time.perf_counter()
    for _ in range(calls):
        await work()
    taken = time.process_time() - cpu, time.perf_counter() - wall
    return taken[0] / calls * 1e6, taken[1] / calls * 1e6


async def compare(name: str, raw: Work, ours: Work) -> None:
    """One line: the driver, the manager, and the ratio."""
    rows: dict[Work, list[tuple[float, float]]] = {raw: [], ours: []}
    calls = CALLS if "at once" not in name else CALLS // AT_ONCE
    for _ in range(ROUNDS):
        for work, found in rows.items():
            found.append(await measured(work, calls))
    texts = []
    for at, unit in enumerate(("cpu", "wall")):
        theirs, own = (statistics.median(each[at] for each in found) for found in rows.values())
        texts.append(f"{unit} {theirs:7.0f} -> {own:7.0f} us  {own / theirs:5.2f}x")
    print(f"{name:<20} {'   '.join(texts)}")


async def main() -> None:
    with ValkeyServer() as server:
        pool = BlockingConnectionPool.from_url(server.url, max_connections=AT_ONCE)
        settings = RedisConnectionSettings.model_validate(address(server.url))
        async with Redis(connection_pool=pool) as raw, RedisConnectionManager(settings) as ours:
            await raw.xgroup_create("raw-work", "workers", "0", mkstream=True)
            await raw.set("key", "x" * 100)
            async with ours.stream("work").consumer("workers") as consumer:
                for name, pair in pairs(raw, ours, consumer).items():
                    await compare(name, *pair)
        await pool.aclose()


if __name__ == "__main__":
    asyncio.run(main())
