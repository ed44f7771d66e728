"""A limit shared through a real server, and what holds when the server does not answer."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import pytest

from infrastructure.connections.database.redis import (
    RedisConnectionManager,
    RedisConnectionSettings,
)
from infrastructure.errors import (
    ConfigurationError,
    OutcomeUnknownError,
    OverloadedError,
    UnavailableError,
    UnsupportedError,
)
from infrastructure.resilience.clock import ManualClock
from infrastructure.resilience.distributed_limits import DistributedRateLimiter, OnStorageError
from infrastructure.servers.base import LocalServer
from tests.faults.proxy import FaultProxy
from tests.redis_address import address

LONG = 3_600


@pytest.fixture
def name() -> str:
    """A limit that no other test has used."""
    return f"limit-{uuid4().hex}"


@pytest.fixture
async def connection(valkey: LocalServer) -> AsyncIterator[RedisConnectionManager]:
    async with connected(valkey) as manager:
        yield manager


@asynccontextmanager
async def connected(valkey: LocalServer, **changed: Any) -> AsyncIterator[RedisConnectionManager]:
    async with RedisConnectionManager(
        RedisConnectionSettings(**address(valkey.url, **changed))
    ) as manager:
        yield manager


@asynccontextmanager
async def proxied(
    valkey: LocalServer,
) -> AsyncIterator[tuple[FaultProxy, RedisConnectionManager]]:
    async with (
        FaultProxy("127.0.0.1", address(valkey.url)["port"]) as proxy,
        connected(valkey, port=proxy.port) as manager,
    ):
        yield proxy, manager


class Dead:
    """A connection to a server that is gone."""

    def __init__(self, error: Exception | None = None) -> None:
        self.asked = 0
        self.error = error or UnavailableError("refused")

    async def execute(self, *command: Any) -> Any:
        self.asked += 1
        raise self.error


async def admitted(limiter: DistributedRateLimiter, calls: int, who: str = "") -> int:
    results = await asyncio.gather(
        *(limiter.acquire(who) for _ in range(calls)), return_exceptions=True
    )
    refused = [result for result in results if isinstance(result, OverloadedError)]
    assert len(refused) + results.count(None) == calls
    return results.count(None)


def counts(limiter: DistributedRateLimiter) -> dict[str, float]:
    part = "switchgear.resilience.distributed_limit."
    found = ((m.name, m.value) for m in limiter.measurements())
    return {key.removeprefix(part): value for key, value in found if key.startswith(part)}


async def test_two_clients_share_one_limit(valkey: LocalServer, name: str) -> None:
    async with connected(valkey) as one, connected(valkey) as other:
        first = DistributedRateLimiter(one, 20, LONG, name=name)
        second = DistributedRateLimiter(other, 20, LONG, name=name)
        let_in = await asyncio.gather(admitted(first, 25), admitted(second, 25))
    assert sum(let_in) == 20
    assert counts(first)["storage_errors"] == counts(second)["storage_errors"] == 0


async def test_limits_of_other_names_and_callers_are_their_own(
    connection: RedisConnectionManager, name: str
) -> None:
    limiter = DistributedRateLimiter(connection, 3, LONG, name=name)
    other = DistributedRateLimiter(connection, 3, LONG, name=f"{name}-other")
    assert [await admitted(limiter, 5, who) for who in ("", "ann", "bob")] == [3, 3, 3]
    assert await admitted(other, 5) == 3


@pytest.mark.parametrize("who", ["a/b", "{x}", "}", "*", "\n", "ü" * 10_000, "\ud800", ":"])
async def test_any_text_is_a_caller_of_its_own(
    connection: RedisConnectionManager, name: str, who: str
) -> None:
    limiter = DistributedRateLimiter(connection, 1, LONG, name=name)
    assert await admitted(limiter, 2, who) == 1
    assert await admitted(limiter, 2, who + "x") == 1
    keys = await connection.execute("KEYS", f"switchgear:*{name}*")
    assert all(len(key) < 500 and key.count(b"{") == key.count(b"}") == 1 for key in keys)


async def test_call_is_made_when_let_in_and_refused_with_the_time_when_not(
    connection: RedisConnectionManager, name: str
) -> None:
    limiter = DistributedRateLimiter(connection, 1, LONG, name=name)

    @limiter
    async def call() -> str:
        return "called"

    assert await call() == "called"
    with pytest.raises(OverloadedError, match="more than 1 in 3600 s, by all processes") as caught:
        await call()
    assert caught.value.retry_after_seconds is not None
    assert 0 < caught.value.retry_after_seconds <= LONG
    assert counts(limiter) == {"admitted": 1, "refused": 1, "storage_errors": 0}


async def test_wait_is_as_long_as_the_server_says(
    connection: RedisConnectionManager, name: str
) -> None:
    """One second of real time: the server's windows know no other clock."""
    limiter = DistributedRateLimiter(connection, 5, 1, name=name, wait_seconds=5)
    started = asyncio.get_running_loop().time()
    assert await admitted(limiter, 7) == 7
    assert asyncio.get_running_loop().time() - started > 0.9


async def test_keys_end_by_themselves(connection: RedisConnectionManager, name: str) -> None:
    limiter = DistributedRateLimiter(connection, 5, 60, name=name)
    await limiter.acquire()
    (key,) = await connection.execute("KEYS", f"*{name}*")
    assert 60 < await connection.execute("TTL", key) <= 120


@pytest.mark.parametrize("fault", ["refuse", "black_hole", "reset"])
async def test_server_that_is_gone_leaves_a_bucket_of_this_process(
    valkey: LocalServer, name: str, fault: str
) -> None:
    async with proxied(valkey) as (proxy, connection):
        limiter = DistributedRateLimiter(connection, 4, LONG, name=name, timeout_seconds=0.1)
        assert await admitted(limiter, 1) == 1
        await broken(proxy, fault)
        assert await admitted(limiter, 10) == 4
        assert counts(limiter)["storage_errors"] == 10


@pytest.mark.parametrize("fault", ["refuse", "black_hole", "reset"])
async def test_fail_closed_refuses_everything_while_the_server_is_gone(
    valkey: LocalServer, name: str, fault: str
) -> None:
    async with proxied(valkey) as (proxy, connection):
        limiter = DistributedRateLimiter(
            connection, 4, LONG, name=name, timeout_seconds=0.1, on_storage_error="fail_closed"
        )
        await broken(proxy, fault)
        with pytest.raises(OverloadedError, match="storage does not answer") as caught:
            await limiter.acquire()
        assert caught.value.__cause__ is not None
        assert await admitted(limiter, 10) == 0


async def broken(proxy: FaultProxy, fault: str) -> None:
    if fault == "refuse":
        await proxy.refuse()
    elif fault == "black_hole":
        proxy.black_hole()
    else:
        proxy.reset_after(0)


async def test_server_that_is_back_counts_again(valkey: LocalServer, name: str) -> None:
    clock = ManualClock()
    async with proxied(valkey) as (proxy, connection):
        limiter = DistributedRateLimiter(
            connection, 2, LONG, name=name, timeout_seconds=0.5, clock=clock
        )
        await proxy.refuse()
        assert await admitted(limiter, 5) == 2
        await proxy.passes()
        clock.advance(60.0)
        await limiter.acquire()  # one call tries; the others would not wait for it
        assert await admitted(limiter, 5) == 1
        assert counts(limiter) == {"admitted": 4, "refused": 7, "storage_errors": 5}


async def test_black_hole_costs_its_timeout_a_few_times_only(name: str) -> None:
    dead = Dead()
    limiter = DistributedRateLimiter(dead, 100, name=name, clock=ManualClock())
    for _ in range(50):
        await limiter.acquire()
    assert dead.asked == 3
    assert counts(limiter)["storage_errors"] == 50


@pytest.mark.parametrize("error", [OutcomeUnknownError("lost"), OverloadedError("pool")], ids=repr)
async def test_whatever_the_connection_says_is_no_error_of_the_call(
    name: str, error: Exception
) -> None:
    limiter = DistributedRateLimiter(Dead(error), 1, name=name, clock=ManualClock())
    assert await admitted(limiter, 3) == 1


async def test_configuration_errors_are_not_taken_for_a_server_that_is_gone(name: str) -> None:
    limiter = DistributedRateLimiter(Dead(ConfigurationError("no such extra")), 1, name=name)
    with pytest.raises(ConfigurationError):
        await limiter.acquire()


async def test_local_buckets_are_bounded(name: str) -> None:
    limiter = DistributedRateLimiter(Dead(), 1, LONG, name=name, clock=ManualClock())
    for caller in range(1_100):
        await limiter.acquire(str(caller))
    assert len(limiter._local) == 1_000
    assert await admitted(limiter, 1, "1099") == 0


async def test_black_hole_without_a_clock_is_bounded_by_the_timeout(
    valkey: LocalServer, name: str
) -> None:
    async with proxied(valkey) as (proxy, connection):
        proxy.black_hole()
        limiter = DistributedRateLimiter(connection, 1, name=name, timeout_seconds=0.05)
        started = asyncio.get_running_loop().time()
        await limiter.acquire()
        assert asyncio.get_running_loop().time() - started < 2.0


def test_blocking_functions_are_refused_with_a_hint(name: str) -> None:
    with pytest.raises(UnsupportedError, match="Use RateLimiter, which is local"):
        DistributedRateLimiter(Dead(), 1, name=name)(lambda: None)()


@pytest.mark.parametrize(
    "wrong",
    [
        {"rate": 0},
        {"rate": 1.5},
        {"per_seconds": 0},
        {"name": ""},
        {"wait_seconds": -1},
        {"timeout_seconds": 0},
        {"on_storage_error": "panic"},
    ],
    ids=str,
)
def test_setting_out_of_range_is_told_when_it_is_made(wrong: dict[str, Any]) -> None:
    settings: dict[str, Any] = {"rate": 1, "name": "limit", **wrong}
    with pytest.raises(ConfigurationError, match=next(iter(wrong))):
        DistributedRateLimiter(Dead(), **settings)


def test_policies_have_the_words_of_the_settings() -> None:
    assert {policy.value for policy in OnStorageError} == {"fail_open", "fail_closed"}
