"""Deliveries are counted fairly: what was never begun is none, and what is given up is kept."""

import asyncio

import pytest

from infrastructure.connections.database.redis import (
    LeaseLostError,
    RedisConnectionManager,
    RedisStream,
    StreamConsumer,
    StreamMessage,
)
from infrastructure.connections.database.redis.stream_group import ConsumerOptions, StreamGroup
from infrastructure.errors import ConfigurationError, UnsupportedError
from infrastructure.servers.base import LocalServer
from tests.redis import made, made_for

SHORT_SECONDS = 0.3


async def _next(consumer: StreamConsumer) -> StreamMessage:
    async with asyncio.timeout(5):
        return await anext(consumer)


async def test_what_was_taken_in_advance_and_never_begun_counts_as_no_delivery(
    stream: RedisStream,
) -> None:
    for number in range(2):
        await stream.publish({"n": number})
    early = stream.consumer("workers", prefetch=2, max_deliveries=1)
    async with early, await _next(early):
        pass
    late = stream.consumer("workers", max_deliveries=1)
    async with late, await _next(late) as message:
        assert (message.fields, message.deliveries) == ({"n": b"1"}, 1)


async def test_what_comes_to_a_reader_that_has_ended_is_given_back(
    redis: RedisConnectionManager, stream: RedisStream
) -> None:
    async with stream.consumer("workers") as early:
        waiting = asyncio.create_task(anext(early, None))
        async with asyncio.timeout(5):
            while not early._claim_at or not redis.pool_stats().in_use:  # noqa: ASYNC110 - bounded, and nobody else tells
                await asyncio.sleep(0)
    await stream.publish({"n": 1})
    assert await waiting is None
    late = stream.consumer("workers", lease_seconds=SHORT_SECONDS)
    async with late, await _next(late) as message:
        assert message.deliveries == 1


async def test_closing_the_connection_gives_back_what_was_taken_in_advance(
    valkey: LocalServer, redis: RedisConnectionManager, stream: RedisStream
) -> None:
    for number in range(2):
        await stream.publish({"n": number})
    other = made_for(valkey)
    async with other.stream(stream.name).consumer("workers", prefetch=2) as early:
        async with await _next(early):
            pass
        await other.disconnect()
    late = stream.consumer("workers", max_deliveries=1)
    async with late, await _next(late) as message:
        assert (message.fields, message.deliveries) == ({"n": b"1"}, 1)


async def test_a_dead_letter_too_wide_for_a_script_keeps_its_fields_all_the_same(
    redis: RedisConnectionManager, stream: RedisStream
) -> None:
    wide = {f"f{number}": number for number in range(4000)}
    await stream.publish(wide)
    await stream.publish({"n": 1})
    async with stream.consumer(
        "workers", max_deliveries=1, lease_seconds=SHORT_SECONDS
    ) as consumer:
        with pytest.raises(ZeroDivisionError):
            async with await _next(consumer):
                raise ZeroDivisionError
        async with await _next(consumer):
            pass
        waiting = asyncio.create_task(anext(consumer))
        async with asyncio.timeout(5):
            while not await redis.execute("XLEN", stream.dead_letters):
                pass
        waiting.cancel()
    unpacked = "return cmsgpack.unpack(redis.call('XRANGE', KEYS[1], '-', '+')[1][2][2])"
    flat = await redis.execute("EVAL", unpacked, 1, stream.dead_letters)
    assert dict(zip(flat[::2], flat[1::2], strict=True)) == {
        name.encode(): str(value).encode() for name, value in wide.items()
    }


async def test_tidying_a_stream_that_was_removed_meanwhile_is_harmless(
    redis: RedisConnectionManager, stream: RedisStream
) -> None:
    keys = (stream.name, stream.dead_letters)
    group = StreamGroup(redis, keys, name="workers", consumer="one", options=ConsumerOptions())
    await group.tidy()
    assert await redis.execute("EXISTS", stream.name) == 0


async def test_work_that_outlived_its_lease_ends_without_a_word_about_the_next_one(
    redis: RedisConnectionManager, stream: RedisStream
) -> None:
    """The same reader was given the entry again; that one is renewed all the same."""
    await stream.publish({"n": 1})
    async with stream.consumer("workers", lease_seconds=SHORT_SECONDS) as consumer:
        first, has_begun, may_end = await _next(consumer), asyncio.Event(), asyncio.Event()

        async def slow() -> None:
            async with first:
                has_begun.set()
                try:
                    await asyncio.Event().wait()
                finally:
                    await may_end.wait()

        working = asyncio.create_task(slow())
        await has_begun.wait()
        consumer._held.pop(first.id).lease.lose()  # as when nothing was heard of it for long
        async with await _next(consumer) as second:
            may_end.set()
            with pytest.raises(LeaseLostError):
                await working
            assert consumer._held == {second.id: second}


async def test_a_reader_used_outside_of_async_with_says_so(stream: RedisStream) -> None:
    consumer = stream.consumer("workers")
    with pytest.raises(UnsupportedError, match=r"db\.default: .*async with"):
        await anext(consumer)


async def test_work_by_no_task_at_once_is_refused(stream: RedisStream) -> None:
    async def work(message: StreamMessage) -> None:
        raise AssertionError(message)

    async with stream.consumer("workers") as consumer:
        with pytest.raises(ConfigurationError, match="at_once"):
            await consumer.run(work, at_once=0)


async def test_a_stream_whose_name_cannot_be_used_says_where() -> None:
    with pytest.raises(UnsupportedError, match=r"db\.default: 'a}b' cannot be used"):
        made({"host": "127.0.0.1"}).stream("a}b")
