"""What the cache costs, against a plain dictionary and against the Redis client alone.

Run it with `python tests/benchmarks/cache.py [--no-redis]`. The ways of a table are interleaved,
in an order that turns by one place each round, so that a busy machine slows all of them; the
middle of the rounds counts. Memory is timed by the processor time of the thread; Redis by that of
this process and by the wall clock, for the server is real and runs beside it.
"""

import argparse
import asyncio
import gc
import statistics
import time
import tracemalloc
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from redis.asyncio import Redis

from infrastructure.cache import CacheEntryOptions, CacheRegistry, CacheService, cached
from infrastructure.cache.implementations.memory import InMemoryCacheProvider, MemoryCacheSettings
from infrastructure.cache.implementations.tiered import TieredCacheSettings
from infrastructure.servers.valkey import ValkeyServer
from tests.redis_address import address

Way = Callable[[int], Awaitable[None]]
ROUNDS = 15
KEYS = [f"user:{number}" for number in range(512)]
TEXT = "x" * 200
#: About 1 KB, as an application's answer would be.
PAYLOAD = {
    "id": 123456,
    "name": "switchgear",
    "active": True,
    "score": 0.973,
    "tags": [f"tag-{number}" for number in range(20)],
    "items": [{"sku": f"SKU-{n:05d}", "qty": n, "price": n * 1.25} for n in range(14)],
    "note": "x" * 200,
}
OPTIONS = CacheEntryOptions(fail_safe_seconds=600, eager_refresh=0.9)


async def measured(
    ways: dict[str, Way], each: int, clock: Callable[[], float], rounds: int = ROUNDS
) -> dict[str, float]:
    """Seconds an operation, the median of interleaved rounds."""
    taken: dict[str, list[float]] = {name: [] for name in ways}
    names = list(ways)
    for name in names:
        await ways[name](max(1, each // 20))
    for turn in range(rounds):
        for name in names[turn % len(names) :] + names[: turn % len(names)]:
            started = clock()
            await ways[name](each)
            taken[name].append((clock() - started) / each)
    return {name: statistics.median(times) for name, times in taken.items()}


def show(title: str, times: dict[str, float]) -> None:
    """The first way is the limit."""
    limit = next(iter(times.values()))
    print(f"\n{title}")
    for name, seconds in times.items():
        print(f"  {name:<44}{seconds * 1e6:>10.2f} us{seconds / limit:>8.3f} x")


def plain(call: Callable[[str], object]) -> Way:
    async def run(count: int) -> None:
        for number in range(count):
            call(KEYS[number % 512])

    return run


def awaited(call: Callable[[str], Awaitable[object]]) -> Way:
    async def run(count: int) -> None:
        for number in range(count):
            await call(KEYS[number % 512])

    return run


async def memory() -> None:
    """A hit, a set and a loader's hit, for values that cannot change and values that can."""
    kept: dict[str, tuple[Any, float]] = {key: (TEXT, time.monotonic() + 600) for key in KEYS}

    def raw_get(key: str) -> Any:
        found = kept.get(key)
        return found[0] if found is not None and found[1] > time.monotonic() else None

    def raw_set(key: str) -> None:
        kept[key] = (TEXT, time.monotonic() + 600)

    text, table, safe = [
        CacheService("bench", provider=InMemoryCacheProvider(MemoryCacheSettings()))
        for _ in range(3)
    ]
    for key in KEYS:
        await text.set(key, TEXT)
        await table.set(key, PAYLOAD)
        await safe.set(key, TEXT, options=OPTIONS)

    @cached(text, key="{key}")
    async def answer(key: str) -> str:
        return TEXT

    @cached(text, key="{key}")
    def answer_now(key: str) -> str:
        return TEXT

    def load() -> str:
        return TEXT

    gets: dict[str, Way] = {
        "dict with a look at the time": plain(raw_get),
        "get, text": awaited(text.get),
        "get_or_set hit, text": awaited(lambda key: text.get_or_set(key, load)),
        "get_or_set hit, fail-safe and eager": awaited(
            lambda key: safe.get_or_set(key, load, options=OPTIONS)
        ),
        "@cached hit, async": awaited(answer),
        "@cached hit, sync": plain(answer_now),
        "get, 1 KB dict (an own object each)": awaited(table.get),
    }
    show("memory: get", await measured(gets, 4000, time.thread_time))
    sets: dict[str, Way] = {
        "dict with a deadline": plain(raw_set),
        "set, text": awaited(lambda key: text.set(key, TEXT)),
        "set, text, with its own ttl": awaited(lambda key: text.set(key, TEXT, ttl=60)),
        "set, 1 KB dict": awaited(lambda key: table.set(key, PAYLOAD)),
    }
    show("memory: set", await measured(sets, 4000, time.thread_time))


async def stampede() -> None:
    """Callers of one missing key at once."""
    cache = CacheService("bench", provider=InMemoryCacheProvider(MemoryCacheSettings()))
    runs = []

    async def load() -> str:
        runs.append(1)
        await asyncio.sleep(0.05)
        return TEXT

    started = time.perf_counter()
    await asyncio.gather(*(cache.get_or_set("key", load) for _ in range(1000)))
    milliseconds = (time.perf_counter() - started) * 1000
    print(
        f"\nstampede of 1,000: {len(runs)} loader call, {milliseconds:.0f} ms with a 50 ms loader"
    )


async def growth() -> None:
    """Memory after many operations on new keys, with a bound of 1,000 entries."""
    settings = MemoryCacheSettings(max_entries=1000)
    cache = CacheService("bench", provider=InMemoryCacheProvider(settings))

    async def work(first: int) -> None:
        for number in range(first, first + 50_000):
            key = f"key:{number}"
            await cache.get_or_set(key, lambda: TEXT, ttl=60)
            await cache.delete(key) if number % 3 == 0 else await cache.get(key)

    await work(0)
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    await work(50_000)
    grown = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    entries = len(cache.provider)  # type: ignore[arg-type]  # the memory kind has a length
    print(f"\n100,000 operations on new keys: {grown / 1024:.0f} KB for {entries} entries kept")


async def redis() -> None:
    """Our service on Redis against the client with a codec."""
    if reason := ValkeyServer.reason_missing():
        print(f"\nredis: not measured ({reason})")
        return
    with ValkeyServer() as server:
        kind = CacheRegistry.resolve("redis")
        found = address(server.url, timeout_seconds=5, max_connections=20)
        far = kind.Settings(**found)
        cache = CacheService("bench", provider=CacheRegistry.create(far))
        tiered = CacheRegistry.create(TieredCacheSettings(far=far))
        client = Redis.from_url(server.url, max_connections=200, protocol=2)
        # A full collection takes 20 ms for what was imported, whichever way it falls upon.
        gc.collect()
        gc.freeze()
        try:
            await _redis(cache, client)
            await near(cache, CacheService("near", provider=tiered))
        finally:
            gc.unfreeze()
            await tiered.disconnect()
            await cache.disconnect()
            await client.aclose()


async def _redis(cache: CacheService, client: Any) -> None:
    pack, unpack = msgspec.msgpack.Encoder().encode, msgspec.msgpack.Decoder().decode
    few = KEYS[:100]
    for key in KEYS:
        await cache.set(key, PAYLOAD)
        await client.set(key, pack(PAYLOAD), px=600_000)

    async def raw_get(key: str) -> Any:
        return unpack(await client.get(key))

    async def raw_set(key: str) -> None:
        await client.set(key, pack(PAYLOAD), px=600_000)

    async def raw_many(_: str) -> list[Any]:
        return [unpack(each) for each in await client.mget(few)]

    async def raw_gather(_: str) -> None:
        await asyncio.gather(*(raw_get(key) for key in few))

    async def our_gather(_: str) -> None:
        await asyncio.gather(*(cache.get(key) for key in few))

    tables: dict[str, tuple[int, dict[str, Way]]] = {
        "get": (200, {"redis-py + msgspec": awaited(raw_get), "get": awaited(cache.get)}),
        "set": (
            200,
            {
                "redis-py + msgspec": awaited(raw_set),
                "set": awaited(lambda key: cache.set(key, PAYLOAD)),
            },
        ),
        "get of 100": (
            20,
            {
                "one MGET + msgspec": awaited(raw_many),
                "get_many": awaited(lambda _: cache.get_many(few)),
                "gather of gets, joined": awaited(our_gather),
                "redis-py: gather of gets": awaited(raw_gather),
            },
        ),
    }
    for title, (each, ways) in tables.items():
        show(f"redis: {title}, 1 KB dict, wall", await measured(ways, each, time.perf_counter))
        show(f"redis: {title}, 1 KB dict, cpu", await measured(ways, each, time.process_time))


async def near(cache: CacheService, tiered: CacheService) -> None:
    """A key with a copy in this process, against the same value on the server."""
    for name, value in {"text": TEXT, "1 KB dict": PAYLOAD}.items():
        for key in KEYS:
            await cache.set(key, value)
            await tiered.set(key, value)
            await tiered.get(key)
        ways = {"redis: get": awaited(cache.get), "tiered: L1 hit": awaited(tiered.get)}
        show(f"L1 hit, {name}, wall", await measured(ways, 500, time.perf_counter))
        show(f"L1 hit, {name}, cpu", await measured(ways, 500, time.process_time))


async def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--no-redis", action="store_true")
    chosen = parser.parse_args()
    await memory()
    await stampede()
    await growth()
    if not chosen.no_redis:
        await redis()


if __name__ == "__main__":
    asyncio.run(main())
