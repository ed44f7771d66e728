"""What a cache on Redis does when the server, or the way to it, fails. Everything here is real.

"Row 6" and so on name a row of the table of faults; `test_redis_rows.py` holds all of them to a
test.
"""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Callable, Iterator

import pytest
from loguru import logger

from infrastructure.cache import CacheService
from infrastructure.cache.base import MISSING
from infrastructure.cache.implementations.redis import RedisCacheProvider
from infrastructure.cache.implementations.redis_settings import RedisCacheSettings
from infrastructure.connections.database.redis import (
    RedisConnectionManager,
    RedisConnectionSettings,
)
from infrastructure.connections.redis_pool import Call
from infrastructure.errors import (
    AuthenticationError,
    DataError,
    DeadlineExceededError,
    OutcomeUnknownError,
    OverloadedError,
    RejectedError,
    UnavailableError,
)
from infrastructure.resilience.breaker import CircuitBreakerOpenError
from infrastructure.servers.base import LocalServer
from infrastructure.servers.valkey import ValkeyServer, ask
from tests.faults.proxy import FaultProxy
from tests.redis_address import address

TIMEOUT = 0.25
#: What a busy machine may add to a bound; far below the seconds that a hidden retry takes.
SLACK = 0.5
#: Exchanges a new connection begins with: AUTH and CLIENT SETNAME.
LOGIN = 2


def _provider(url: str, **changed: object) -> RedisCacheProvider:
    found = address(url, **({"timeout_seconds": TIMEOUT, "key_prefix": "faults:"} | changed))
    return RedisCacheProvider(RedisCacheSettings.model_validate(found), name="cache.default")


def _measured(provider: RedisCacheProvider, name: str, **labels: str) -> float:
    return sum(
        each.value
        for each in provider.measurements()
        if each.name == name and labels.items() <= each.labels.items()
    )


async def _until(is_reached: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not is_reached():  # noqa: ASYNC110 - bounded, and nobody else tells
            await asyncio.sleep(0.005)


@pytest.fixture
async def proxy(valkey: LocalServer) -> AsyncIterator[FaultProxy]:
    server = address(valkey.url)
    async with FaultProxy(server["host"], server["port"]) as proxy:
        yield proxy


@pytest.fixture
async def provider(valkey: LocalServer, proxy: FaultProxy) -> AsyncIterator[RedisCacheProvider]:
    """Connected through the proxy, with `key` set to 1."""
    provider = _provider(valkey.url, port=proxy.port)
    await provider.set("key", 1, 60)
    yield provider
    await provider.disconnect()


@pytest.fixture
def server() -> Iterator[ValkeyServer]:
    """One of our own, to be ended and frozen."""
    if reason := ValkeyServer.reason_missing():
        pytest.skip(reason)
    with ValkeyServer() as server:
        yield server


async def test_refused_is_said_at_once_and_it_recovers(
    provider: RedisCacheProvider, proxy: FaultProxy
) -> None:
    """Row 1."""
    await proxy.refuse()
    started = time.monotonic()
    with pytest.raises(UnavailableError, match=r"cache\.default: no connection"):
        await provider.get("key")
    assert time.monotonic() - started < TIMEOUT
    await proxy.passes()
    assert await provider.get("key") == 1


async def test_a_black_hole_takes_one_timeout_and_it_recovers(
    provider: RedisCacheProvider, proxy: FaultProxy
) -> None:
    """Row 2."""
    proxy.black_hole()
    started = time.monotonic()
    with pytest.raises(DeadlineExceededError):
        await provider.get("key")
    assert TIMEOUT * 0.9 < time.monotonic() - started < TIMEOUT + SLACK
    await proxy.passes()
    assert await provider.get("key") == 1


async def test_a_black_hole_at_first_use_takes_one_timeout_too(
    valkey: LocalServer, proxy: FaultProxy
) -> None:
    """Row 2."""
    proxy.black_hole()
    started = time.monotonic()
    with pytest.raises(DeadlineExceededError):
        await _provider(valkey.url, port=proxy.port).get("key")
    assert time.monotonic() - started < TIMEOUT + SLACK


async def test_a_loader_answers_within_one_timeout_of_a_black_hole(
    provider: RedisCacheProvider, proxy: FaultProxy
) -> None:
    """Row 2."""
    cache = CacheService("app", provider=provider)
    proxy.black_hole()
    started = time.monotonic()
    assert await cache.get_or_set("key", lambda: 5) == 5
    assert time.monotonic() - started < TIMEOUT + SLACK
    assert cache.fallbacks.total() == 1


@pytest.mark.parametrize("reply_bytes", [0, 3])
async def test_a_reset_before_or_inside_a_reply_is_a_typed_error_and_it_recovers(
    provider: RedisCacheProvider, proxy: FaultProxy, reply_bytes: int
) -> None:
    """Row 13."""
    proxy.reset_after(reply_bytes)
    with pytest.raises(UnavailableError):
        await provider.get("key")
    await proxy.passes()
    assert await provider.get("key") == 1


async def test_half_a_reply_is_never_returned(
    provider: RedisCacheProvider, proxy: FaultProxy
) -> None:
    """Row 13."""
    await provider.set("key", "x" * 1000, 60)
    proxy.half_reply(500)
    with pytest.raises(UnavailableError):
        await provider.get("key")
    await proxy.passes()
    assert await provider.get("key") == "x" * 1000


async def test_connections_cut_while_idle_fail_no_call(
    provider: RedisCacheProvider, proxy: FaultProxy
) -> None:
    """Row 10."""
    await asyncio.gather(*(provider.get("key") for _ in range(8)))
    await proxy.drop_connections()
    assert await asyncio.gather(*(provider.get("key") for _ in range(8))) == [1] * 8


async def test_a_reply_slower_than_the_deadline_is_not_given_to_the_next_caller(
    provider: RedisCacheProvider, proxy: FaultProxy
) -> None:
    """Rows 7 and 8."""
    await provider.set("other", 2, 60)
    proxy.delay(TIMEOUT * 1.5)
    with pytest.raises(DeadlineExceededError):
        await provider.get("key")
    proxy.delay(0)
    assert await provider.get("other") == 2


async def test_a_cancelled_call_never_gives_its_reply_to_another(
    provider: RedisCacheProvider,
) -> None:
    """Row 8."""
    await provider.set_many({f"k{number}": number for number in range(20)}, 60)
    chance = random.Random(7)

    async def ask(number: int) -> object:
        call = asyncio.create_task(provider.get(f"k{number}"))
        if chance.random() < 0.5:
            await asyncio.sleep(chance.random() * 0.002)
            call.cancel()
        return (await asyncio.gather(call, return_exceptions=True))[0]

    for _ in range(20):
        answers = await asyncio.gather(*(ask(number) for number in range(20)))
        kept = [(n, a) for n, a in enumerate(answers) if not isinstance(a, asyncio.CancelledError)]
        assert all(number == answer for number, answer in kept)
    assert provider.pool_stats().in_use == 0
    assert await provider.get("k3") == 3


async def test_a_thousand_callers_share_five_connections(
    valkey: LocalServer, proxy: FaultProxy
) -> None:
    """Row 4."""
    settings = {"max_connections": 5, "timeout_seconds": 5, "port": proxy.port}
    async with _provider(valkey.url, **settings) as provider:
        await provider.set("key", 1, 60)
        assert all(await asyncio.gather(*(provider.ttl("key") for _ in range(1000))))
        assert proxy.accepted <= 5


async def test_a_pool_that_stays_full_is_an_overload_and_not_an_outage(
    valkey: LocalServer, proxy: FaultProxy
) -> None:
    """Rows 4 and 5."""
    settings = {"max_connections": 2, "timeout_seconds": 1, "port": proxy.port}
    async with _provider(valkey.url, **settings) as provider:
        await asyncio.gather(provider.ttl("key"), provider.ttl("key"))
        proxy.delay(0.9)  # later than the pool gives up waiting, earlier than the call does
        calls = [provider.ttl("key") for _ in range(10)]
        errors = await asyncio.gather(*calls, return_exceptions=True)
        assert sum(isinstance(error, OverloadedError) for error in errors) == 8
        assert _measured(provider, "switchgear.redis.pool_timeouts") == 8
        assert provider.state_changes == 0
        proxy.delay(0)
        assert await provider.get("never") is MISSING


async def test_a_wrong_password_is_told_apart_and_never_shown(valkey: LocalServer) -> None:
    with pytest.raises(AuthenticationError) as caught:
        await _provider(valkey.url, password="hunter2").get("key")
    chain = f"{caught.value!r} {caught.value} {caught.value.__cause__!r} {caught.value.__cause__}"
    assert "hunter2" not in chain


async def test_a_full_server_is_an_overload_and_the_value_is_in_no_error(
    server: ValkeyServer,
) -> None:
    """Row 15."""
    ask(server.url, "CONFIG", "SET", "maxmemory", "1")  # it would stay so for everybody else
    async with _provider(server.url) as provider:
        with pytest.raises(OverloadedError, match="OOM") as caught:
            await provider.set("key", "hunter2", 60)
        assert "hunter2" not in f"{caught.value} {caught.value.__cause__}"


async def test_what_is_no_redis_server_is_a_data_error(valkey: LocalServer) -> None:
    async def web(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await writer.drain()
        writer.close()

    listener = await asyncio.start_server(web, "127.0.0.1", 0)
    async with listener:
        port = listener.sockets[0].getsockname()[1]
        with pytest.raises(DataError, match="is not redis"):
            await _provider(valkey.url, port=port).get("key")


async def test_a_restarted_server_is_used_again_without_rebuilding(server: ValkeyServer) -> None:
    """Row 11."""
    async with _provider(server.url) as provider:
        await asyncio.gather(*(provider.set(str(number), number, 60) for number in range(8)))
        server.kill()
        with pytest.raises(UnavailableError):
            await provider.get("1")
        assert not (await provider.health_check()).is_up
        server.start()
        answers = await asyncio.gather(*(provider.get(str(number)) for number in range(8)))
        assert answers == [MISSING] * 8
        assert (await provider.health_check()).is_up


async def test_a_frozen_server_is_a_timeout_and_thaws_without_rebuilding(
    server: ValkeyServer,
) -> None:
    """Row 14."""
    async with _provider(server.url) as provider:
        await provider.set("key", 1, 60)
        server.freeze()
        with pytest.raises(DeadlineExceededError):
            await provider.get("key")
        server.thaw()
        assert await provider.get("key") == 1


async def test_a_few_failures_open_the_breaker_and_the_next_call_costs_nothing(
    provider: RedisCacheProvider, proxy: FaultProxy
) -> None:
    """Row 2: one timeout for the first calls, then less than a millisecond."""
    proxy.black_hole()
    for _ in range(4):  # and the call of the fixture that succeeded
        with pytest.raises(DeadlineExceededError):
            await provider.ttl("key")
    times = []
    for _ in range(20):
        started = time.perf_counter()
        with pytest.raises(CircuitBreakerOpenError):
            await provider.ttl("key")
        times.append(time.perf_counter() - started)
    assert min(times) < 0.001


async def test_a_probe_closes_the_breaker_again(valkey: LocalServer, proxy: FaultProxy) -> None:
    settings = {"breaker": {"open_seconds": 0.01}, "port": proxy.port}
    async with _provider(valkey.url, **settings) as provider:
        await proxy.refuse()
        for _ in range(5):
            with pytest.raises(UnavailableError):
                await provider.ttl("key")
        await proxy.passes()
        async with asyncio.timeout(5):
            while await _is_refused(provider):  # noqa: ASYNC110 - bounded, and nobody else tells
                await asyncio.sleep(0.005)
        assert await provider.get("never") is MISSING


async def _is_refused(provider: RedisCacheProvider) -> bool:
    try:
        await provider.ttl("key")
    except CircuitBreakerOpenError:
        return True
    return False


async def test_an_outage_is_one_line_and_its_end_another(
    valkey: LocalServer, proxy: FaultProxy
) -> None:
    found = address(valkey.url, port=proxy.port, timeout_seconds=TIMEOUT)
    settings = RedisConnectionSettings.model_validate(found)
    lines: list[str] = []
    sink = logger.add(lines.append, format="{message}", level="INFO")
    try:
        async with RedisConnectionManager(settings, name="db.redis") as manager:
            await proxy.refuse()
            for _ in range(2):
                with pytest.raises(UnavailableError):
                    await manager.execute("GET", "key")
            await proxy.passes()
            await manager.execute("GET", "key")
            assert manager.state_changes == 2
    finally:
        logger.remove(sink)
    assert [line.strip() for line in lines] == ["redis is down", "redis is up again"]


async def test_a_delete_that_could_not_be_sent_is_an_error(
    provider: RedisCacheProvider, proxy: FaultProxy
) -> None:
    await proxy.refuse()
    with pytest.raises(UnavailableError):
        await provider.delete_many(["key"])


async def test_a_number_whose_answer_was_cut_off_is_added_once(
    provider: RedisCacheProvider, proxy: FaultProxy
) -> None:
    """Row 6."""
    await provider.delete_many(["n"])
    proxy.reset_after(0)
    with pytest.raises(OutcomeUnknownError):
        await provider.increment("n", 1, 60)
    await proxy.passes()
    assert await provider.get("n") == 1
    assert _measured(provider, "switchgear.redis.unknown_outcomes") == 1


async def test_a_number_whose_answer_was_late_is_added_once(
    provider: RedisCacheProvider, proxy: FaultProxy
) -> None:
    """Row 7."""
    await provider.delete_many(["n"])
    proxy.delay(TIMEOUT * 1.5)
    with pytest.raises(OutcomeUnknownError):
        await provider.increment("n", 1, 60)
    proxy.delay(0)
    assert await provider.get("n") == 1


@pytest.mark.parametrize("call", ["add", "fill"])
async def test_what_must_not_happen_twice_is_never_sent_twice(
    provider: RedisCacheProvider, proxy: FaultProxy, call: str
) -> None:
    """Row 6."""
    await provider.delete_many(["new"])
    lease = await provider.lease("new", 60)
    before = proxy.commands
    proxy.reset_after(0)
    with pytest.raises(OutcomeUnknownError):
        if call == "add":
            await provider.add("new", 1, 60)
        else:
            await provider.fill("new", 1, 60, lease)
    assert proxy.commands == before + 1


async def test_what_found_no_connection_was_not_sent_and_is_not_in_doubt(
    provider: RedisCacheProvider, proxy: FaultProxy
) -> None:
    """Row 6."""
    await proxy.refuse()
    with pytest.raises(UnavailableError):
        await provider.increment("n", 1, 60)


async def test_what_may_happen_twice_is_sent_once_more_on_a_line_that_died(
    provider: RedisCacheProvider, proxy: FaultProxy
) -> None:
    """Row 10."""
    before = proxy.commands
    proxy.delay(0.2)
    asking = asyncio.create_task(provider.ttl("key"))
    await _until(lambda: proxy.commands > before)
    proxy.delay(0)
    await proxy.drop_connections()
    assert await asking
    assert proxy.commands - before == 1 + LOGIN + 1
    assert _measured(provider, "switchgear.redis.repeats") == 1


async def test_what_fails_on_a_new_line_too_is_not_tried_a_third_time(
    provider: RedisCacheProvider, proxy: FaultProxy
) -> None:
    """Row 10."""
    before = proxy.commands
    proxy.reset_after(0)
    with pytest.raises(UnavailableError):
        await provider.ttl("key")
    assert proxy.commands - before == 2  # the command, and the login of the second line


async def test_counting_on_lines_that_died_idle_loses_and_doubles_nothing(
    provider: RedisCacheProvider, proxy: FaultProxy
) -> None:
    """Row 10."""
    await provider.delete_many(["n"])
    await asyncio.gather(*(provider.ttl("key") for _ in range(8)))
    await proxy.drop_connections()
    answers = await asyncio.gather(*(provider.increment("n", 1, 60) for _ in range(8)))
    assert sorted(answers) == list(range(1, 9))


async def test_a_cancelled_write_may_have_been_done(
    provider: RedisCacheProvider, proxy: FaultProxy
) -> None:
    """Row 9: cancelled is not "not done"."""
    before = proxy.commands
    proxy.delay(0.05)
    write = asyncio.create_task(provider.set("key", 2, 60))
    await _until(lambda: proxy.commands > before)
    write.cancel()
    with pytest.raises(asyncio.CancelledError):
        await write
    proxy.delay(0)
    assert await provider.get("key") == 2


async def test_an_outage_ends_without_more_connections_than_the_pool_has(
    valkey: LocalServer, proxy: FaultProxy
) -> None:
    """Row 11: reconnecting is bounded by the pool."""
    async with _provider(valkey.url, port=proxy.port, max_connections=4) as provider:
        await proxy.refuse()
        with pytest.raises(UnavailableError):
            await provider.ttl("key")
        before = proxy.accepted
        await proxy.passes()
        await asyncio.gather(*(provider.ttl("key") for _ in range(100)))
        assert proxy.accepted - before <= 4


async def test_the_use_of_the_pool_can_be_seen(valkey: LocalServer, proxy: FaultProxy) -> None:
    """Row 5."""
    settings = {"max_connections": 2, "warm_connections": 2, "timeout_seconds": 5}
    async with _provider(valkey.url, port=proxy.port, **settings) as provider:
        proxy.delay(0.2)
        calls = [asyncio.create_task(provider.ttl("key")) for _ in range(5)]
        await _until(lambda: provider.pool_stats().in_use == 2)
        assert _measured(provider, "db.client.connection.count", state="used") == 2
        assert _measured(provider, "db.client.connection.pending_requests") == 3
        assert _measured(provider, "db.client.connection.max") == 2
        await asyncio.gather(*calls)


async def test_a_caller_cancelled_while_it_waits_for_the_pool_takes_nothing_along(
    valkey: LocalServer, proxy: FaultProxy
) -> None:
    """Row 8."""
    settings = {"max_connections": 1, "timeout_seconds": 5, "port": proxy.port}
    async with _provider(valkey.url, **settings) as provider:
        proxy.delay(0.05)
        calls = [asyncio.create_task(provider.ttl("key")) for _ in range(20)]
        await _until(lambda: provider.pool_stats().in_use == 1)
        for call in calls[1::2]:
            call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)
        proxy.delay(0)
        assert await provider.get("never") is MISSING
        assert provider.pool_stats().in_use == 0


async def test_a_hung_server_is_unhealthy_though_it_accepts(server: ValkeyServer) -> None:
    """Row 14: health is a PING with a deadline, not an open connection."""
    async with _provider(server.url) as provider:
        server.freeze()
        health = await provider.health_check()
        assert not health.is_up
        assert health.latency_seconds < TIMEOUT + SLACK
        server.thaw()
        assert (await provider.health_check()).is_up


async def test_a_wrong_type_is_permanent_and_leaves_the_connection(
    provider: RedisCacheProvider, proxy: FaultProxy
) -> None:
    """Row 15."""
    opened = proxy.accepted
    with pytest.raises(RejectedError, match="WRONGTYPE"):
        await provider.run(Call("LPUSH", "faults:key", "x"))
    assert await provider.get("key") == 1
    assert proxy.accepted == opened


async def test_a_server_busy_with_a_script_is_unavailable(server: ValkeyServer) -> None:
    """Row 15."""
    async with _provider(server.url, timeout_seconds=2) as busy, _provider(server.url) as provider:
        await busy.run(Call("CONFIG", "SET", "busy-reply-threshold", "1"))
        script = Call("EVAL", "while true do end", 0)
        running = asyncio.create_task(busy.run(script))
        async with asyncio.timeout(5):
            while not (reason := await _failure(provider)):  # noqa: ASYNC110 - bounded, and nobody else tells
                await asyncio.sleep(0.005)
        assert "BUSY" in reason
        await provider.run(Call("SCRIPT", "KILL"))
        await asyncio.gather(running, return_exceptions=True)
        assert await provider.get("key") is MISSING


async def _failure(provider: RedisCacheProvider) -> str:
    try:
        await provider.run(Call("GET", "key"))
    except UnavailableError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("word", ["LOADING", "MASTERDOWN", "CLUSTERDOWN", "TRYAGAIN"])
async def test_a_server_that_cannot_serve_yet_is_unavailable_and_nothing_is_in_doubt(
    word: str,
) -> None:
    """Row 15."""

    ended: list[asyncio.Task[None] | None] = []

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        ended.append(asyncio.current_task())
        while asked := await reader.read(1000):
            is_greeting = b"SETNAME" in asked or b"PING" in asked
            writer.write(b"+OK\r\n" if is_greeting else f"-{word} later\r\n".encode())
        writer.close()
        await writer.wait_closed()

    listener = await asyncio.start_server(refuse, "127.0.0.1", 0)
    async with listener:
        url = f"redis://127.0.0.1:{listener.sockets[0].getsockname()[1]}"
        async with _provider(url) as provider:
            with pytest.raises(UnavailableError, match=word):
                await provider.increment("n", 1, 60)
            assert provider.unknown_outcomes == 0
        await asyncio.gather(*(task for task in ended if task))


async def test_a_server_that_became_a_replica_is_left(server: ValkeyServer) -> None:
    """Row 16: writes are refused for now, and the next connection is a new one."""
    async with _provider(server.url) as provider:
        await provider.set("key", 1, 60)
        await provider.run(Call("REPLICAOF", "127.0.0.1", "1"))
        with pytest.raises(UnavailableError, match="READONLY"):
            await provider.set("key", 2, 60)
        assert provider.pool_stats().size == 0
        await provider.run(Call("REPLICAOF", "NO", "ONE"))
        await provider.set("key", 3, 60)
        assert await provider.get("key") == 3


async def test_a_cancelled_lease_leaves_nothing_behind(
    provider: RedisCacheProvider, proxy: FaultProxy
) -> None:
    """Row 20: it was granted, and nobody heard."""
    before = proxy.commands
    proxy.delay(0.05)
    asking = asyncio.create_task(provider.lease("leased", 60))
    await _until(lambda: proxy.commands > before)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    proxy.delay(0)
    await provider.disconnect()  # waits for what was sent behind
    lease = await provider.lease("leased", 60)
    assert lease
    await provider.release("leased", lease)


async def test_a_lease_whose_answer_was_late_is_given_up(
    provider: RedisCacheProvider, proxy: FaultProxy
) -> None:
    """Row 20."""
    proxy.delay(TIMEOUT * 1.2)
    with pytest.raises(DeadlineExceededError):
        await provider.lease("late", 60)
    proxy.delay(0)
    await provider.disconnect()
    lease = await provider.lease("late", 60)
    assert lease
    await provider.release("late", lease)


async def test_a_release_that_is_cancelled_happens_all_the_same(
    provider: RedisCacheProvider, proxy: FaultProxy
) -> None:
    """Row 20."""
    lease = await provider.lease("given", 60)
    proxy.delay(0.05)
    releasing = asyncio.create_task(provider.release("given", lease))
    await asyncio.sleep(0)
    releasing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await releasing
    proxy.delay(0)
    await provider.disconnect()
    lease = await provider.lease("given", 60)
    assert lease
    await provider.release("given", lease)


async def test_releasing_what_has_ended_raises_nothing_and_takes_nothing(
    provider: RedisCacheProvider,
) -> None:
    """Row 21: it would mask the error of whoever held it."""
    ended = await provider.lease("short", 60)
    await provider.delete_many(["short"])
    held = await provider.lease("short", 60)
    await provider.release("short", ended)
    assert await provider.fill("short", 1, 60, held)


async def test_a_release_that_cannot_be_sent_raises_nothing(
    provider: RedisCacheProvider, proxy: FaultProxy
) -> None:
    """Row 21."""
    lease = await provider.lease("lost", 0.05)
    await proxy.refuse()
    await provider.release("lost", lease)


async def test_a_new_connection_says_who_it_is_and_nothing_else(server: ValkeyServer) -> None:
    """Row 25."""
    ask(server.url, "CONFIG", "RESETSTAT")
    async with _provider(server.url, warm_connections=3) as provider:
        stats = (await provider.run(Call("INFO", "commandstats")))[0].decode()
        seen = {line.split(":")[0].removeprefix("cmdstat_") for line in stats.split()[2:]}
        assert seen == {"auth", "client|setname", "ping", "config|resetstat"}
        names = (await provider.run(Call("CLIENT", "LIST")))[0].decode()
        assert names.count("name=switchgear") == 3


async def test_a_warm_pool_opens_nothing_for_the_first_calls(
    valkey: LocalServer, proxy: FaultProxy
) -> None:
    """Row 25."""
    async with _provider(valkey.url, port=proxy.port, warm_connections=3) as provider:
        await asyncio.gather(*(provider.ttl("key") for _ in range(3)))
        assert proxy.accepted == 3
        assert _measured(provider, "switchgear.redis.connections_opened") == 3
