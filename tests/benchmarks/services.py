"""What type-keyed services cost, against the same work written by hand.

Process CPU time, rounds interleaved over all rows, medians; each figure is nanoseconds a call and
its ratio to hand-written code of the same run. `python tests/benchmarks/services.py`.
"""

import asyncio
import gc
import statistics
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

from containers import DIContainer

ROUNDS = 11
SECONDS_A_ROUND = 0.02


class One:
    """A singleton."""


class Leaf:
    """Without arguments."""


class Pair:
    """With two leaves."""

    def __init__(self, left: Leaf, right: Leaf) -> None:
        self.left, self.right = left, right


class Seven:
    """The top of seven transients."""

    def __init__(self, left: Pair, right: Pair) -> None:
        self.left, self.right = left, right


class Session:
    """Scoped, at the bottom."""


class Users:
    """Scoped, on a session and a singleton."""

    def __init__(self, session: Session, one: One) -> None:
        self.session, self.one = session, one


class Orders:
    """The same again."""

    def __init__(self, session: Session, one: One) -> None:
        self.session, self.one = session, one


class Service:
    """Scoped, on both."""

    def __init__(self, users: Users, orders: Orders) -> None:
        self.users, self.orders = users, orders


class Handler:
    """Scoped, at the top of five."""

    def __init__(self, service: Service, session: Session) -> None:
        self.service, self.session = service, session


class Opened:
    """Comes out of a generator."""


class AwaitedOne:
    """Comes out of an async generator."""


def opened() -> Iterator[Opened]:
    """Yield it."""
    yield Opened()


async def awaited() -> AsyncIterator[AwaitedOne]:
    """Yield it."""
    yield AwaitedOne()


services = DIContainer()
services.register_singleton(One)
for transient in (Leaf, Pair, Seven):
    services.register_transient(transient)
for scoped in (Session, Users, Orders, Service, Handler):
    services.register_scoped(scoped)
services.register_factory(Opened, opened, "scoped")
services.register_factory(AwaitedOne, awaited, "scoped")
if hasattr(services, "build"):
    services.build()

ONE = One()


def by_hand_seven() -> Seven:
    """Seven objects."""
    return Seven(Pair(Leaf(), Leaf()), Pair(Leaf(), Leaf()))


def scope_of_five() -> None:
    """Five objects in a scope."""
    with services.create_scope() as scope:
        scope.resolve(Handler)


def five_by_hand() -> None:
    """The same."""
    session = Session()
    Handler(Service(Users(session, ONE), Orders(session, ONE)), session)


def generator() -> None:
    """One object with an end."""
    with services.create_scope() as scope:
        scope.resolve(Opened)


def generator_by_hand() -> None:
    """The same."""
    with contextmanager(opened)():
        pass


async def async_generator() -> None:
    """One object with an end that is awaited."""
    async with services.create_scope() as scope:
        await scope.aresolve(AwaitedOne)


async def async_generator_by_hand() -> None:
    """The same."""
    async with asynccontextmanager(awaited)():
        pass


Row = tuple[Callable[[], Any], Callable[[], Any]]
SYNC: dict[str, Row] = {
    "singleton": (lambda: services.resolve(One), lambda: ONE),
    "transient7": (lambda: services.resolve(Seven), by_hand_seven),
    "scope5": (scope_of_five, five_by_hand),
    "scope_gen": (generator, generator_by_hand),
}
ASYNC: dict[str, tuple[Callable[[], Awaitable[Any]], Callable[[], Awaitable[Any]]]] = {
    "scope_async": (async_generator, async_generator_by_hand),
}


def nanoseconds(call: Callable[[], Any]) -> float:
    """A call's CPU time."""
    count, started = 0, time.process_time()
    while time.process_time() - started < SECONDS_A_ROUND:
        for _ in range(100):
            call()
        count += 100
    return (time.process_time() - started) / count * 1e9


async def async_nanoseconds(call: Callable[[], Awaitable[Any]]) -> float:
    """The same for what is awaited."""
    count, started = 0, time.process_time()
    while time.process_time() - started < SECONDS_A_ROUND:
        for _ in range(100):
            await call()
        count += 100
    return (time.process_time() - started) / count * 1e9


async def main() -> None:
    """Measure and print."""
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
        gc.collect()
    for name, (our_times, their_times) in figures.items():
        mine, base = statistics.median(our_times), statistics.median(their_times)
        print(f"{name:14} {mine:9.0f} ns  {base:8.0f} ns by hand  {mine / base:7.2f}x")


if __name__ == "__main__":
    asyncio.run(main())
