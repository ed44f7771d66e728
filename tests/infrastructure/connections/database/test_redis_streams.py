"""Streams: every entry is worked on by one reader of a group, and again until it is done."""

import asyncio
import secrets

import pytest
from pydantic import ValidationError

from infrastructure.connections.database.redis import RedisConnectionManager
from infrastructure.connections.database.redis.consumers import StreamConsumer
from infrastructure.connections.database.redis.lease import LeaseLostError
from infrastructure.connections.database.redis.stream_message import StreamMessage
from infrastructure.connections.database.redis.streams import RedisStream
from infrastructure.errors import ConfigurationError, UnsupportedError
from infrastructure.servers.base import LocalServer
from tests.redis import made_for

SHORT_SECONDS = 0.3


async def _next(consumer: StreamConsumer) -> StreamMessage:
    async with asyncio.timeout(5):
        return await anext(consumer)


async def _done(consumer: StreamConsumer) -> dict[str, bytes]:
    async with await _next(consumer) as message:
        return message.fields


async def _pending(redis: RedisConnectionManager, stream: RedisStream) -> int:
    found = await redis.execute("XPENDING", stream.name, "workers")
    return int(found["pending"])


async def test_what_is_published_is_read_and_done_with(
    redis: RedisConnectionManager, stream: RedisStream
) -> None:
    entry = await stream.publish({"order": 7, "name": "Ada"})
    async with stream.consumer("workers") as consumer:
        async with await _next(consumer) as message:
            assert (message.id, message.deliveries) == (entry, 1)
            assert message.fields == {"order": b"7", "name": b"Ada"}
            assert await _pending(redis, stream) == 1
        assert await _pending(redis, stream) == 0


async def test_a_field_whose_name_is_no_text_is_read(
    redis: RedisConnectionManager, stream: RedisStream
) -> None:
    await redis.execute("XADD", stream.name, "*", b"\xff", "x")
    async with stream.consumer("workers") as consumer:
        assert await _done(consumer) == {"\udcff": b"x"}


async def test_readers_of_a_group_share_and_groups_do_not(stream: RedisStream) -> None:
    for number in range(4):
        await stream.publish({"n": number})
    async with stream.consumer("workers") as one, stream.consumer("workers") as other:
        shared = [await _done(each) for each in (one, other, one, other)]
    async with stream.consumer("auditors") as alone:
        whole = [await _done(alone) for _ in range(4)]
    assert shared == whole == [{"n": b"%d" % number} for number in range(4)]


async def test_a_reader_waits_for_what_is_not_there_yet(stream: RedisStream) -> None:
    async with stream.consumer("workers") as consumer:
        waiting = asyncio.create_task(_done(consumer))
        await stream.publish({"n": 1})
        assert await waiting == {"n": b"1"}


async def test_work_that_failed_is_given_again_on_a_stream_nobody_adds_to(
    stream: RedisStream,
) -> None:
    await stream.publish({"n": 1})
    async with stream.consumer("workers", lease_seconds=SHORT_SECONDS) as consumer:
        with pytest.raises(ZeroDivisionError):
            async with await _next(consumer):
                raise ZeroDivisionError
        async with await _next(consumer) as message:
            assert message.deliveries == 2
        assert consumer.reclaimed == 1


async def test_what_a_reader_that_vanished_had_is_taken_over(
    redis: RedisConnectionManager, stream: RedisStream
) -> None:
    await _left(redis, stream, await stream.publish({"n": 1}), deliveries=1)
    async with stream.consumer("workers") as consumer:
        assert await _done(consumer) == {"n": b"1"}


async def _left(
    redis: RedisConnectionManager, stream: RedisStream, entry: str, *, deliveries: int
) -> None:
    """Given so often to a reader that was not heard of for a minute."""
    name = stream.name
    await redis.execute("XGROUP", "CREATE", name, "workers", 0)
    await redis.execute("XREADGROUP", "GROUP", "workers", "vanished", "STREAMS", name, ">")
    how = ("IDLE", 60_000, "RETRYCOUNT", deliveries)
    await redis.execute("XCLAIM", name, "workers", "vanished", 0, entry, *how)


async def test_long_work_is_given_to_nobody_else(
    redis: RedisConnectionManager, stream: RedisStream
) -> None:
    await stream.publish({"n": 1})
    async with stream.consumer("workers", lease_seconds=SHORT_SECONDS) as one:
        async with await _next(one), stream.consumer("workers", lease_seconds=SHORT_SECONDS) as two:
            waiting = asyncio.create_task(_done(two))
            for _ in range(4):
                await _renewed(redis, stream)
            assert not waiting.done()
            waiting.cancel()
        assert await _pending(redis, stream) == 0


async def _renewed(redis: RedisConnectionManager, stream: RedisStream) -> None:
    """Wait until the server heard again that the only entry is worked on."""
    before = idle = 0
    async with asyncio.timeout(5):
        while idle >= before:
            (found,) = await redis.execute("XPENDING", stream.name, "workers", "-", "+", 1)
            before, idle = idle, found[2]


async def test_work_on_what_somebody_else_has_taken_is_cut(
    redis: RedisConnectionManager, stream: RedisStream
) -> None:
    entry = await stream.publish({"n": 1})
    async with stream.consumer("workers", lease_seconds=SHORT_SECONDS) as consumer:
        with pytest.raises(LeaseLostError, match="an entry of 'jobs-"):
            async with await _next(consumer):
                await redis.execute("XCLAIM", stream.name, "workers", "other", 0, entry)
                await asyncio.Event().wait()
        assert await _pending(redis, stream) == 1


async def test_what_failed_too_often_becomes_a_dead_letter(
    redis: RedisConnectionManager, stream: RedisStream
) -> None:
    entry = await stream.publish({"n": 1})
    await _left(redis, stream, entry, deliveries=2)
    await stream.publish({"n": 2})
    async with stream.consumer("workers", max_deliveries=2) as consumer:
        assert await _done(consumer) == {"n": b"2"}
        assert consumer.dead == 1
    ((_, fields),) = await redis.execute("XRANGE", stream.dead_letters, "-", "+")
    assert fields == {
        b"n": b"1",
        b"dead:stream": stream.name.encode(),
        b"dead:group": b"workers",
        b"dead:id": entry.encode(),
        b"dead:deliveries": b"2",
    }
    assert await _pending(redis, stream) == 0


async def test_what_every_group_is_done_with_is_removed(
    redis: RedisConnectionManager, stream: RedisStream
) -> None:
    await redis.execute("XGROUP", "CREATE", stream.name, "auditors", 0, "MKSTREAM")
    for number in range(5):
        await stream.publish({"n": number})
    async with stream.consumer("workers", lease_seconds=SHORT_SECONDS) as consumer:
        for _ in range(5):
            await _done(consumer)
        await _tidied(consumer)
        assert await stream.length() == 5
        await redis.execute("XGROUP", "SETID", stream.name, "auditors", "$")
        await _tidied(consumer)
        assert await stream.length() == 1


async def _tidied(consumer: StreamConsumer) -> None:
    """Read until old entries were looked after again; nothing new is there."""
    reading = asyncio.create_task(anext(consumer))
    await _looked_after(consumer)
    reading.cancel()


async def _looked_after(consumer: StreamConsumer) -> None:
    before = consumer._claim_at
    async with asyncio.timeout(5):
        while consumer._claim_at == before:  # noqa: ASYNC110 - bounded, and nobody else tells
            await asyncio.sleep(0)


async def test_what_is_pending_is_never_removed(stream: RedisStream) -> None:
    for number in range(3):
        await stream.publish({"n": number})
    consumer = stream.consumer("workers", lease_seconds=SHORT_SECONDS)
    async with consumer, await _next(consumer):
        await _done(consumer)
        await _done(consumer)
        await _tidied(consumer)
        assert await stream.length() == 3


async def test_entries_dropped_before_they_were_done_are_counted_and_readers_go_on(
    redis: RedisConnectionManager, stream: RedisStream
) -> None:
    await _left(redis, stream, await stream.publish({"n": 1}), deliveries=1)
    await redis.execute("XTRIM", stream.name, "MAXLEN", 0)
    await stream.publish({"n": 2})
    async with stream.consumer("workers") as consumer:
        assert await _done(consumer) == {"n": b"2"}
        assert consumer.trimmed == 1
    assert await _pending(redis, stream) == 0


async def test_a_stream_is_about_as_long_as_it_may_be(redis: RedisConnectionManager) -> None:
    stream = redis.stream(f"jobs-{secrets.token_hex(4)}", max_length=100)
    add = ("XADD", stream.name, "*", "n", 1)
    await redis.execute_many([add for _ in range(400)])
    await stream.publish({"n": "last"})
    assert await stream.length() < 300


async def test_what_was_taken_in_advance_is_given_back_at_the_end(stream: RedisStream) -> None:
    for number in range(3):
        await stream.publish({"n": number})
    async with stream.consumer("workers", prefetch=3) as early:
        await _done(early)
    async with stream.consumer("workers") as late:
        assert [await _done(late) for _ in range(2)] == [{"n": b"1"}, {"n": b"2"}]


async def test_several_tasks_work_on_one_readers_entries(stream: RedisStream) -> None:
    together = asyncio.Barrier(3)

    async def work(message: StreamMessage) -> None:
        await together.wait()
        if message.fields == {"n": b"1"}:
            raise ZeroDivisionError

    for number in range(6):
        await stream.publish({"n": number})
    async with stream.consumer("workers", lease_seconds=5, prefetch=2) as consumer:
        running = asyncio.create_task(consumer.run(work, at_once=3))
        async with asyncio.timeout(5):
            while (found := await _summary(stream)) != (6, 1):
                assert found
        running.cancel()
        await asyncio.wait((running,))


async def _summary(stream: RedisStream) -> tuple[int, int]:
    """How many were read, and how many are pending."""
    groups = await stream._manager.execute("XINFO GROUPS", stream.name)
    return sum(each["entries-read"] or 0 for each in groups), sum(
        each["pending"] for each in groups
    )


async def test_a_reader_ends_when_the_connection_is_closed(valkey: LocalServer) -> None:
    manager = made_for(valkey)
    stream = manager.stream(f"jobs-{secrets.token_hex(4)}")
    async with stream.consumer("workers") as consumer:
        waiting = asyncio.create_task(anext(consumer, None))
        await _looked_after(consumer)
        started = asyncio.get_running_loop().time()
        await manager.disconnect()
        assert await waiting is None
        assert asyncio.get_running_loop().time() - started < 0.5
    assert manager.loop is None


async def test_a_stream_or_group_that_was_removed_is_made_again(
    redis: RedisConnectionManager, stream: RedisStream
) -> None:
    async with stream.consumer("workers") as consumer:
        await stream.publish({"n": 1})
        await _done(consumer)
        await redis.execute("DEL", stream.name)
        await stream.publish({"n": 2})
        assert await _done(consumer) == {"n": b"2"}


async def test_options_that_cannot_work_are_refused(
    redis: RedisConnectionManager, stream: RedisStream
) -> None:
    for wrong in (
        *({"lease_seconds": 0}, {"prefetch": 0}, {"max_deliveries": 0}, {"lease": 1}),
        *({"lease_seconds": 1e300}, {"prefetch": 10**9}),
    ):
        with pytest.raises(ValidationError):
            stream.consumer("workers", **wrong)
    with pytest.raises(ConfigurationError, match="max_length"):
        redis.stream("jobs", max_length=0)


async def test_an_entry_without_a_field_is_refused(stream: RedisStream) -> None:
    with pytest.raises(UnsupportedError, match="needs a field"):
        await stream.publish({})


async def test_every_shape_of_servers_has_streams(redis_of_many: RedisConnectionManager) -> None:
    for name in "abc":
        stream = redis_of_many.stream(f"{name}-{secrets.token_hex(4)}")
        await stream.publish({"n": 1})
        async with stream.consumer("workers") as consumer:
            assert await _done(consumer) == {"n": b"1"}
