"""Publications: heard as they are made, and a gap told where some may have been missed."""

import asyncio

import pytest

from infrastructure.connections.database.redis import (
    Gap,
    RedisConnectionManager,
)
from infrastructure.connections.database.redis.pubsub import Publication, Subscription
from infrastructure.errors import (
    ConfigurationError,
    RejectedError,
    UnavailableError,
    UnsupportedError,
)
from infrastructure.servers.base import LocalServer
from infrastructure.servers.valkey_cluster import ValkeyCluster
from infrastructure.servers.valkey_sentinel import ValkeySentinels
from tests.redis import made, made_for
from tests.redis_address import address, sentinel_address


async def _next(heard: Subscription) -> Publication | Gap:
    async with asyncio.timeout(5):
        return await anext(heard)


async def test_what_is_published_on_a_channel_is_heard(redis: RedisConnectionManager) -> None:
    async with redis.subscribe("news", "sport") as heard:
        assert heard.is_live
        await redis.execute("PUBLISH", "news", "one")
        await redis.execute("PUBLISH", "weather", "not heard")
        await redis.execute("PUBLISH", "sport", b"\xff\x00")
        assert await _next(heard) == Publication("news", b"one")
        assert await _next(heard) == Publication("sport", b"\xff\x00")


async def test_what_matches_a_pattern_is_heard_with_the_pattern(
    redis: RedisConnectionManager,
) -> None:
    async with redis.subscribe("orders.7", patterns=["orders.*", "users.*"]) as heard:
        await redis.execute("PUBLISH", "orders.7", "x")
        await redis.execute("PUBLISH", "users.1", "y")
        found = [await _next(heard) for _ in range(3)]
    assert found == [
        Publication("orders.7", b"x"),
        Publication("orders.7", b"x", pattern="orders.*"),
        Publication("users.1", b"y", pattern="users.*"),
    ]


async def test_what_comes_while_other_channels_are_subscribed_to_is_not_lost(
    redis: RedisConnectionManager,
) -> None:
    is_over = False

    async def publish() -> None:
        while not is_over:
            await redis.execute("PUBLISH", "busy", "x")

    publishing = asyncio.create_task(publish())
    others = [f"quiet-{number}" for number in range(2000)]
    async with redis.subscribe("busy", patterns=others) as heard:
        assert await _next(heard) == Publication("busy", b"x")
        is_over = True
        await publishing


async def test_a_channel_whose_name_is_no_text_ends_nothing(
    redis: RedisConnectionManager,
) -> None:
    async with redis.subscribe(patterns=["binary*"]) as heard:
        await redis.execute("PUBLISH", b"binary\xff", "x")
        found = await _next(heard)
        assert found == Publication("binary\udcff", b"x", pattern="binary*")


async def test_a_reader_that_is_too_slow_is_told_how_many_it_missed(
    redis: RedisConnectionManager,
) -> None:
    async with redis.subscribe("news", capacity=3) as heard:
        for number in range(5):
            await redis.execute("PUBLISH", "news", number)
        async with asyncio.timeout(5):
            while heard._dropped < 2:  # noqa: ASYNC110 - bounded, and nobody else tells
                await asyncio.sleep(0)
        assert await _next(heard) == Gap(dropped=2)
        assert [await _next(heard) for _ in range(3)] == [
            Publication("news", b"%d" % number) for number in (2, 3, 4)
        ]


async def test_a_subscription_ends_when_the_connection_is_closed(valkey: LocalServer) -> None:
    manager = made_for(valkey)
    tasks = asyncio.all_tasks()
    async with manager.subscribe("news") as heard:
        reading = asyncio.create_task(anext(heard, None))
        await asyncio.sleep(0)
        await manager.disconnect()
        assert await reading is None
        assert not heard.is_live
    assert manager.loop is None
    assert asyncio.all_tasks() == tasks


async def test_a_subscription_asked_for_while_the_connection_is_closed_ends_with_it(
    valkey: LocalServer,
) -> None:
    async def hear(manager: RedisConnectionManager) -> None:
        async with manager.subscribe("sport") as heard:
            await anext(heard, None)

    for turns in range(9):
        manager = made_for(valkey)
        async with manager.subscribe("news"):  # its end takes closing a while
            closing = asyncio.create_task(manager.disconnect())
            for _ in range(turns):
                await asyncio.sleep(0)
            if closing.done():
                break
            asking = asyncio.create_task(hear(manager))
            await closing
            await asyncio.wait((asking,), timeout=5)
            assert asking.done(), f"it goes on, asked for after {turns} turns"
            assert isinstance(asking.exception(), UnavailableError | None)
            assert manager.loop is None
    assert turns


async def test_a_subscription_goes_on_with_other_settings(redis: RedisConnectionManager) -> None:
    async with redis.subscribe("news") as heard:
        assert await redis.rotate(client_name="renamed")
        assert await _next(heard) == Gap()
        await redis.execute("PUBLISH", "news", "one")
        assert await _next(heard) == Publication("news", b"one")
        listed = await redis.execute("CLIENT LIST", "TYPE", "PUBSUB")
        assert "renamed" in [each["name"] for each in listed]


async def test_a_subscription_that_cannot_be_had_says_why(
    redis: RedisConnectionManager, valkey: LocalServer
) -> None:
    await redis.execute("ACL", "SETUSER", "deaf", "on", ">secret", "~*", "+@all", "resetchannels")
    found = {"username": "deaf", "password": "secret", "connect_timeout_seconds": 0.2}
    async with made_for(valkey, **found) as deaf:
        with pytest.raises(RejectedError, match="refused the credentials, or what they may not do"):
            async with deaf.subscribe("news"):
                pass
    with pytest.raises(UnavailableError):
        async with made({"host": "127.0.0.1", "port": 1}).subscribe("news"):
            pass


async def test_a_subscription_that_cannot_work_is_refused(redis: RedisConnectionManager) -> None:
    with pytest.raises(ConfigurationError, match="channels or patterns"):
        redis.subscribe()
    with pytest.raises(ConfigurationError, match="no patterns"):
        redis.subscribe("a", patterns=["b*"], is_sharded=True)
    with pytest.raises(ConfigurationError, match="above 0"):
        redis.subscribe("a", capacity=0)


async def test_a_subscription_used_outside_of_async_with_says_so(
    redis: RedisConnectionManager,
) -> None:
    with pytest.raises(UnsupportedError, match=r"db\.default: .*async with"):
        await anext(redis.subscribe("news"))


async def test_a_subscription_that_ends_while_it_moves_leaves_no_listener(
    redis: RedisConnectionManager,
) -> None:
    before = asyncio.all_tasks()
    async with redis.subscribe("news") as heard:
        moving = asyncio.create_task(heard.move())
        await asyncio.sleep(0)
    await moving
    assert asyncio.all_tasks() == before


async def test_a_subscription_hears_the_new_servers_though_they_could_not_be_had_at_first(
    redis: RedisConnectionManager, valkey: LocalServer
) -> None:
    async with redis.subscribe("news") as heard:
        with pytest.raises(UnavailableError):
            await redis.rotate(port=1)
        assert not heard.is_live
        await redis.rotate(port=address(valkey.url)["port"])
        assert await _next(heard) == Gap()


async def test_in_a_cluster_publications_of_every_member_are_heard(
    redis_cluster: RedisConnectionManager,
) -> None:
    async with redis_cluster.subscribe("news") as heard:
        for key in "abc":
            await redis_cluster.execute("PUBLISH", "news", key)
            assert await _next(heard) == Publication("news", key.encode())


async def test_in_a_cluster_sharded_publications_are_heard_at_their_members(
    redis_cluster: RedisConnectionManager,
) -> None:
    channels = ["a", "b", "c", "{a}:2"]
    async with redis_cluster.subscribe(*channels, is_sharded=True) as heard:
        for channel in channels:
            assert await redis_cluster.execute("SPUBLISH", channel, "x") == 1
            assert await _next(heard) == Publication(channel, b"x")


async def test_publications_at_the_master_of_sentinels_are_heard(
    valkey_sentinels: ValkeySentinels,
) -> None:
    async with (
        made(sentinel_address(valkey_sentinels)) as manager,
        manager.subscribe("news") as heard,
    ):
        await manager.execute("PUBLISH", "news", "x")
        assert await _next(heard) == Publication("news", b"x")


async def test_a_sharded_channel_whose_slot_moves_is_heard_at_the_other_member(
    redis_cluster: RedisConnectionManager, valkey_cluster: ValkeyCluster
) -> None:
    channel = "moving-channel"
    slot = str(await redis_cluster.execute("CLUSTER KEYSLOT", channel))
    names = [
        valkey_cluster.ask(member, "CLUSTER", "MYID").split()[-1].decode() for member in range(3)
    ]
    home = next(at for at in range(3) if _holds(valkey_cluster, at, names[at], int(slot)))
    async with redis_cluster.subscribe(channel, is_sharded=True) as heard:
        try:
            _move(valkey_cluster, slot, names[(home + 1) % 3])
            assert await _next(heard) == Gap()
            assert await redis_cluster.execute("SPUBLISH", channel, "x") == 1
            assert await _next(heard) == Publication(channel, b"x")
        finally:
            _move(valkey_cluster, slot, names[home])


def _move(servers: ValkeyCluster, slot: str, name: str) -> None:
    for member in range(3):
        assert b"OK" in servers.ask(member, "CLUSTER", "SETSLOT", slot, "NODE", name)


def _holds(servers: ValkeyCluster, member: int, name: str, slot: int) -> bool:
    lines = servers.ask(member, "CLUSTER", "NODES").decode().splitlines()
    (mine,) = (line for line in lines if line.startswith(name))
    ranges = (part.split("-") for part in mine.split()[8:])
    return any(int(each[0]) <= slot <= int(each[-1]) for each in ranges)
