"""What the container costs, against the same work written by hand.

Process CPU time, rounds interleaved over all rows, medians; each figure is nanoseconds a call and
its ratio to hand-written code of the same run. `python tests/benchmarks/container_core.py`.
"""

import asyncio
import gc
import statistics
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

from containers import DeclarativeContainer, Provide, inject, providers

ROUNDS = 11
SECONDS_A_ROUND = 0.02


class Leaf:
    """Without arguments."""


class Pair:
    """With two."""

    def __init__(self, left: Any, right: Any) -> None:
        self.left, self.right = left, right


def session() -> Iterator[Leaf]:
    yield Leaf()


async def async_session() -> AsyncIterator[Leaf]:
    yield Leaf()


class Container(DeclarativeContainer):
    """A singleton, a graph of seven transients, and scopes of three kinds."""

    one = providers.Singleton(Leaf)
    two = providers.Singleton(Leaf)
    leaf = providers.Factory(Leaf)
    graph = providers.Factory(
        Pair, providers.Factory(Pair, leaf, leaf), providers.Factory(Pair, leaf, leaf)
    )
    scoped = providers.Scoped(Leaf)
    repository = providers.Scoped(Pair, scoped, one)
    service = providers.Scoped(Pair, repository, scoped)
    generated = providers.Scoped(session)
    with_generated = providers.Scoped(Pair, generated, one)
    async_generated = providers.Scoped(async_session)


container = Container().wire()


@inject
def sync_call(a: int, one: Leaf = Provide["one"], two: Leaf = Provide["two"]) -> int:
    return a


@inject
async def async_call(a: int, one: Leaf = Provide["one"], two: Leaf = Provide["two"]) -> int:
    return a


def by_hand_call(a: int, one: Leaf, two: Leaf) -> int:
    return a


async def by_hand_async_call(a: int, one: Leaf, two: Leaf) -> int:
    return a


ONE, TWO = Leaf(), Leaf()


def scope() -> None:
    with container.scope():
        container.service()


def scope_by_hand() -> None:
    scoped = Leaf()
    Pair(Pair(scoped, ONE), scoped)


def scope_generator() -> None:
    with container.scope():
        container.with_generated()


def scope_generator_by_hand() -> None:
    with contextmanager(session)() as opened:
        Pair(opened, ONE)


async def scope_async() -> None:
    async with container.scope():
        await container.async_generated()


async def scope_async_by_hand() -> None:
    async with asynccontextmanager(async_session)():
        pass


def graph_by_hand() -> Pair:
    return Pair(Pair(Leaf(), Leaf()), Pair(Leaf(), Leaf()))


Row = tuple[Callable[[], Any], Callable[[], Any]]
SYNC: dict[str, Row] = {
    "singleton": (container.one, lambda: ONE),
    "transient7": (container.graph, graph_by_hand),
    "scope_sync": (scope, scope_by_hand),
    "scope_gen": (scope_generator, scope_generator_by_hand),
    "inject_sync": (lambda: sync_call(1), lambda: by_hand_call(1, ONE, TWO)),
}
ASYNC: dict[str, tuple[Callable[[], Awaitable[Any]], Callable[[], Awaitable[Any]]]] = {
    "scope_async": (scope_async, scope_async_by_hand),
    "inject_async": (lambda: async_call(1), lambda: by_hand_async_call(1, ONE, TWO)),
}


def nanoseconds(call: Callable[[], Any]) -> float:
    count, started = 0, time.process_time()
    while time.process_time() - started < SECONDS_A_ROUND:
        for _ in range(100):
            call()
        count += 100
    return (time.process_time() - started) / count * 1e9


async def async_nanoseconds(call: Callable[[], Awaitable[Any]]) -> float:
    count, started = 0, time.process_time()
    while time.process_time() - started < SECONDS_A_ROUND:
        for _ in range(100):
            await call()
        count += 100
    return (time.process_time() - started) / count * 1e9


async def main() -> None:
    figures: dict[str, tuple[list[float], list[float]]] = {
        name: ([], []) for name in (*SYNC, *ASYNC)
    }
    gc.disable()
    for _ in range(ROUNDS):
        for name, (ours, by_hand) in SYNC.items():
            figures[name][0].append(nanoseconds(ours))
            figures[name][1].append(nanoseconds(by_hand))
        for name, (call, other) in ASYNC.items():
            figures[name][0].append(await async_nanoseconds(call))
            figures[name][1].append(await async_nanoseconds(other))
    for name, (our_times, their_times) in figures.items():
        mine, base = statistics.median(our_times), statistics.median(their_times)
        print(f"{name:14} {mine:9.0f} ns  {base:8.0f} ns by hand  {mine / base:7.2f}x")


if __name__ == "__main__":
    asyncio.run(main())
