"""What scopes and containers keep in memory: `python tests/benchmarks/container_core.py --memory`.

Growth is read twice: by the peak of resident memory over all scopes, and by tracemalloc over a
hundredth of them, which slows them down but sees every block.
"""

import asyncio
import gc
import resource
import sys
import time
import tracemalloc
import weakref
from collections.abc import Callable
from typing import Any, NamedTuple

from tests.benchmarks import container_shapes as shapes

SCOPES = 1_000_000
CONCURRENT = 10_000
CONTAINERS = 200
PEAK_LIMIT = 1 << 20  # bytes; below it is the allocator's business
TRACED_LIMIT = 8192
MAXRSS_UNIT = 1 if sys.platform == "darwin" else 1024

Repeat = Callable[[int], Any]


class Kept(NamedTuple):
    """One line of the report."""

    row: str
    found: str
    passes: bool

    def __str__(self) -> str:
        return f"{self.row:40} {self.found:62} {'pass' if self.passes else 'FAIL'}"


def report(rows: Any) -> list[Kept]:
    """All lines; `rows` is the peer class, which declares the containers."""
    return [
        growth("scopes", SCOPES, repeat(rows.scope_sync())),
        growth("scopes with a generator", SCOPES, repeat(rows.scope_gen())),
        growth("async scopes with a generator", SCOPES // 10, repeat(rows.scope_async())),
        asyncio.run(concurrent(rows.scoped(shapes.agen_session))),
        dropped(rows),
    ]


def repeat(built: shapes.Built) -> Repeat:
    """Does a row's operation so many times."""
    kind, unit, _ = built

    def sync(count: int) -> None:
        for _ in range(count):
            unit()

    async def all_of(count: int) -> None:
        for _ in range(count):
            await unit()

    return sync if kind == "sync" else lambda count: asyncio.run(all_of(count))


def growth(name: str, count: int, work: Repeat) -> Kept:
    """How much more is there after all units of work than after the first."""
    work(count // 100)
    gc.collect()
    peak, started = peak_bytes(), time.process_time()
    work(count)
    peak, seconds = peak_bytes() - peak, time.process_time() - started
    tracemalloc.start()
    work(count // 1000)
    before = traced_bytes()
    work(count // 100)
    traced = traced_bytes() - before
    tracemalloc.stop()
    found = f"peak +{peak:,} B, traced {traced:+,} B, {seconds:.1f} s"
    return Kept(f"{count:,} {name}", found, peak <= PEAK_LIMIT and traced <= TRACED_LIMIT)


async def concurrent(container: Any) -> Kept:
    """Scopes of many tasks at once: each has a session of its own, and all are ended."""
    all_open, leave = asyncio.Semaphore(0), asyncio.Event()
    sessions: list[Any] = []

    async def task() -> None:
        async with container.scope():
            sessions.append((await container.handler()).service.a.session)
            all_open.release()
            await leave.wait()

    tracemalloc.start()
    before, started = traced_bytes(), time.process_time()
    async with asyncio.TaskGroup() as group:
        for _ in range(CONCURRENT):
            group.create_task(task())
        for _ in range(CONCURRENT):
            await all_open.acquire()
        each = (traced_bytes() - before) // CONCURRENT
        leave.set()
    seconds = time.process_time() - started
    tracemalloc.stop()
    own = len(set(map(id, sessions))) == CONCURRENT and all(one.closed for one in sessions)
    found = f"{each:,} B each with its task, {seconds:.1f} s traced"
    return Kept(f"{CONCURRENT:,} concurrent async scopes", found, own)


def dropped(rows: Any) -> Kept:
    """Containers that nobody holds any more are collected."""
    seen = []
    for _ in range(CONTAINERS):
        container = rows.scoped(shapes.Session)
        with container.scope():
            container.handler()
        seen.append(weakref.ref(container))
    del container
    gc.collect()
    alive = sum(1 for one in seen if one() is not None)
    return Kept(f"{CONTAINERS} containers used and dropped", f"{alive} still alive", alive == 0)


def peak_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * MAXRSS_UNIT


def traced_bytes() -> int:
    gc.collect()
    return tracemalloc.get_traced_memory()[0]
