import asyncio
from collections.abc import AsyncIterator

import pytest
from redis import exceptions as vendor

from infrastructure.connections.redis_address import Endpoint, RedisAddress
from infrastructure.connections.redis_line import Line, LineMaker
from infrastructure.connections.redis_pool import Call, RedisPool
from infrastructure.errors import OverloadedError, UnavailableError
from infrastructure.servers.base import LocalServer
from tests.redis_address import address


@pytest.fixture
async def pool(valkey: LocalServer) -> AsyncIterator[RedisPool]:
    """Of two lines."""
    place = RedisAddress.model_validate(address(valkey.url))
    maker = LineMaker(place, connect_timeout_seconds=5)
    pool = RedisPool(
        lambda: maker.open(Endpoint(place.host, place.port)), limit=2, wait_seconds=0.05, where="x"
    )
    yield pool
    await pool.close()


async def test_the_line_used_last_is_used_next(pool: RedisPool) -> None:
    one, other = await pool.take(), await pool.take()
    pool.give_back(one)
    pool.give_back(other)
    assert await pool.take() is other
    pool.give_back(other)


async def test_who_waits_longest_has_the_next_line(pool: RedisPool) -> None:
    lines = [await pool.take(), await pool.take()]
    waiting = [asyncio.create_task(pool.take()) for _ in range(2)]
    await asyncio.sleep(0)
    assert pool.waiting == 2
    pool.give_back(lines[0])
    await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    assert [task.done() for task in waiting] == [True, False]
    pool.give_back(lines[1])
    for task in waiting:
        pool.give_back(await task)


async def test_who_waits_in_vain_is_told_and_leaves_the_queue(pool: RedisPool) -> None:
    lines = [await pool.take(), await pool.take()]
    with pytest.raises(OverloadedError, match="max_connections"):
        await pool.take()
    assert (pool.waiting, pool.exhausted) == (0, 1)
    for line in lines:
        pool.give_back(line)


async def test_a_line_given_to_one_who_just_left_goes_to_the_next(pool: RedisPool) -> None:
    lines = [await pool.take(), await pool.take()]
    leaving, staying = (asyncio.create_task(pool.take()) for _ in range(2))
    await asyncio.sleep(0)
    pool.give_back(lines[0])
    leaving.cancel()
    pool.give_back(await staying)
    pool.give_back(lines[1])
    assert pool.stats().in_use == 0


async def test_a_dropped_pool_closes_lines_as_they_come_back(pool: RedisPool) -> None:
    idle, busy = await pool.take(), await pool.take()
    pool.give_back(idle)
    await pool.drop()
    assert idle.is_dead
    assert not busy.is_dead
    pool.give_back(busy)
    assert busy.is_dead
    assert await pool.run([Call("PING")]) == [b"PONG"]


async def test_a_line_opened_while_the_pool_was_dropped_is_not_used(pool: RedisPool) -> None:
    opened: list[Line] = []
    open_line = pool._open_line

    async def and_drop() -> Line:
        opened.append(await open_line())
        if len(opened) == 1:
            await pool.drop()
        return opened[-1]

    pool._open_line = and_drop
    assert await pool.run([Call("PING")]) == [b"PONG"]
    assert [line.is_dead for line in opened] == [True, False]


@pytest.mark.parametrize("way", ["close", "retire"])
async def test_a_closed_pool_opens_nothing(pool: RedisPool, way: str) -> None:
    await pool.run([Call("PING")])
    await getattr(pool, way)()
    with pytest.raises(UnavailableError, match="closed"):
        await pool.run([Call("PING")])
    assert pool.stats().size == 0


async def test_a_refusal_stands_among_the_answers(pool: RedisPool) -> None:
    first, refusal, last = await pool.run([Call("PING"), Call("NONSENSE"), Call("PING")])
    assert first == last == b"PONG"
    assert isinstance(refusal, Exception)


async def test_what_the_vendor_takes_is_taken_and_packed_as_it_packs(pool: RedisPool) -> None:
    odd = Call("CLIENT GETNAME"), Call("ECHO", bytearray(b"x")), Call("ECHO", 0.1), Call("ECHO", -1)
    assert await pool.run(odd) == [b"switchgear", b"x", b"0.1", b"-1"]


async def test_what_cannot_be_packed_costs_no_line(pool: RedisPool) -> None:
    for wrong in (None, True, ["x"]):
        with pytest.raises(vendor.DataError):
            await pool.run([Call("ECHO", "first"), Call("ECHO", wrong)])
    assert await pool.run([Call("ECHO", "next")]) == [b"next"]
    assert pool.stats().size == 1


async def test_a_line_that_died_after_its_answer_is_closed(pool: RedisPool) -> None:
    line, other = await pool.take(), await pool.take()
    (number,) = await line.exchange([("CLIENT", "ID")])
    await other.exchange([("CLIENT", "KILL", "ID", number)])
    async with asyncio.timeout(5):
        while not line.is_dead:  # noqa: ASYNC110 - bounded, and nobody else tells
            await asyncio.sleep(0)
    for each in (line, other):
        pool.give_back(each)
    assert not line.is_connected
    assert pool.stats().size == 1
