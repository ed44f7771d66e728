"""Rows 22 and 23: what keeps copies must know when it may have missed a publication."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from infrastructure.connections.database.redis import (
    RedisConnectionManager,
    RedisConnectionSettings,
)
from infrastructure.connections.redis_line import Line
from infrastructure.connections.redis_listener import RedisListener
from infrastructure.errors import UnavailableError
from infrastructure.servers.base import LocalServer
from infrastructure.servers.valkey_cluster import ValkeyCluster
from infrastructure.servers.valkey_sentinel import ValkeySentinels
from tests.faults.proxy import FaultProxy
from tests.redis_address import address, cluster_address, sentinel_address

CHANNEL = "listener:news"


class Diary:
    """What a listener told, in order."""

    def __init__(self) -> None:
        self.entries: list[str] = []
        self.failures = 0

    async def message(self, channel: str, data: bytes) -> None:
        assert channel == CHANNEL
        self.entries.append(data.decode())

    async def subscribed(self) -> None:
        if self.failures:
            self.failures -= 1
            raise UnavailableError("could not clear")
        self.entries.append("(subscribed)")

    def lost(self) -> None:
        self.entries.append("(lost)")


async def _until(is_reached: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not is_reached():  # noqa: ASYNC110 - bounded, and nobody else tells
            await asyncio.sleep(0.005)


def _manager(found: dict[str, Any]) -> RedisConnectionManager:
    return RedisConnectionManager(RedisConnectionSettings.model_validate(found), name="db.default")


def _listener(manager: RedisConnectionManager, diary: Diary, **changed: Any) -> RedisListener:
    return RedisListener(
        manager.subscriber,
        [CHANNEL],
        on_message=diary.message,
        on_reconnect=diary.subscribed,
        on_lost=diary.lost,
        where="cache.default",
        **changed,
    )


@pytest.fixture
def diary() -> Diary:
    return Diary()


@pytest.fixture
async def proxy(valkey: LocalServer) -> AsyncIterator[FaultProxy]:
    server = address(valkey.url)
    async with FaultProxy(server["host"], server["port"]) as proxy:
        yield proxy


@pytest.fixture
async def publisher(valkey: LocalServer) -> AsyncIterator[RedisConnectionManager]:
    """Beside the proxy: it is not cut."""
    async with _manager(address(valkey.url)) as manager:
        yield manager


@pytest.fixture
async def manager(valkey: LocalServer, proxy: FaultProxy) -> AsyncIterator[RedisConnectionManager]:
    async with _manager(address(valkey.url, port=proxy.port)) as manager:
        yield manager


@pytest.fixture
async def listener(manager: RedisConnectionManager, diary: Diary) -> AsyncIterator[RedisListener]:
    """Subscribed, through the proxy."""
    listener = _listener(manager, diary)
    listener.start()
    await listener.wait_live()
    yield listener
    await listener.stop()


async def test_messages_come_in_order_after_the_subscription_was_told(
    listener: RedisListener, publisher: RedisConnectionManager, diary: Diary
) -> None:
    for number in range(3):
        await publisher.execute("PUBLISH", CHANNEL, number)
    await _until(lambda: len(diary.entries) == 4)
    assert diary.entries == ["(subscribed)", "0", "1", "2"]
    assert listener.is_live


async def test_a_cut_line_is_told_at_once_and_the_new_one_before_its_messages(
    listener: RedisListener, proxy: FaultProxy, publisher: RedisConnectionManager, diary: Diary
) -> None:
    await proxy.drop_connections()
    await _until(lambda: listener.reconnects == 2)
    await publisher.execute("PUBLISH", CHANNEL, "after")
    await _until(lambda: "after" in diary.entries)
    assert diary.entries == ["(subscribed)", "(lost)", "(subscribed)", "after"]


async def test_it_is_not_live_while_there_is_no_line(
    listener: RedisListener, proxy: FaultProxy
) -> None:
    await proxy.refuse()
    await _until(lambda: not listener.is_live)
    await proxy.passes()
    await asyncio.wait_for(listener.wait_live(), 5)


async def test_a_silent_line_is_found_dead(
    manager: RedisConnectionManager, proxy: FaultProxy, diary: Diary
) -> None:
    """A black hole sends no reset: a PING that is not answered tells."""
    listener = _listener(manager, diary, heartbeat_seconds=0.05)
    listener.start()
    await listener.wait_live()
    proxy.black_hole()
    await _until(lambda: not listener.is_live)
    await proxy.passes()
    await asyncio.wait_for(listener.wait_live(), 5)
    await listener.stop()


async def test_a_quiet_line_that_answers_is_kept(
    manager: RedisConnectionManager, proxy: FaultProxy, diary: Diary
) -> None:
    listener = _listener(manager, diary, heartbeat_seconds=0.02)
    listener.start()
    await listener.wait_live()
    before = proxy.commands
    await _until(lambda: proxy.commands >= before + 3)
    assert (listener.reconnects, diary.entries) == (1, ["(subscribed)"])
    await listener.stop()


async def test_what_fails_on_a_new_subscription_makes_it_subscribe_again(
    manager: RedisConnectionManager, diary: Diary
) -> None:
    diary.failures = 1
    listener = _listener(manager, diary)
    listener.start()
    await asyncio.wait_for(listener.wait_live(), 5)
    assert diary.entries == ["(lost)", "(subscribed)"]
    await listener.stop()


async def test_stopping_leaves_no_task_and_no_connection(
    manager: RedisConnectionManager, proxy: FaultProxy, diary: Diary
) -> None:
    before, open_before = asyncio.all_tasks(), proxy.open_connections
    listener = _listener(manager, diary)
    listener.start()
    listener.start()
    await listener.wait_live()
    await listener.stop()
    await listener.stop()
    await _until(lambda: proxy.open_connections == open_before)
    assert {task for task in asyncio.all_tasks() - before if task.get_name() == "listener"} == set()
    assert not listener.is_live


async def test_it_can_be_started_again(
    listener: RedisListener, publisher: RedisConnectionManager, diary: Diary
) -> None:
    await listener.stop()
    listener.start()
    await listener.wait_live()
    await publisher.execute("PUBLISH", CHANNEL, "again")
    await _until(lambda: diary.entries[-1] == "again")


async def test_what_the_server_tracks_reaches_the_line_that_asked(
    valkey: LocalServer, publisher: RedisConnectionManager
) -> None:
    """Row 23: in RESP2, which the line speaks; in RESP3 it never would."""
    told: asyncio.Queue[Any] = asyncio.Queue()
    channel = "__redis__:invalidate"

    async def tracking() -> Line:
        line = await publisher.subscriber()
        (number,) = await line.exchange([("CLIENT", "ID")])
        await line.exchange([("CLIENT", "TRACKING", "ON", "REDIRECT", number, "BCAST")])
        return line

    async def hear(_: str, names: Any) -> None:
        await told.put(names)

    async def nothing() -> None:
        return

    listener = RedisListener(tracking, [channel], on_message=hear, on_reconnect=nothing)
    listener.start()
    await listener.wait_live()
    await publisher.execute("SET", "listener:tracked", 1)
    assert await asyncio.wait_for(told.get(), 5) == [b"listener:tracked"]
    await listener.stop()


async def test_a_cluster_hands_on_what_is_published_at_any_member(
    valkey_cluster: ValkeyCluster, diary: Diary
) -> None:
    async with _manager(cluster_address(valkey_cluster)) as manager:
        listener = _listener(manager, diary)
        listener.start()
        await listener.wait_live()
        for member in range(3):
            valkey_cluster.ask(member, "PUBLISH", CHANNEL, str(member))
        await _until(lambda: len(diary.entries) == 4)
        assert sorted(diary.entries[1:]) == ["0", "1", "2"]
        await listener.stop()


async def test_behind_sentinels_it_listens_to_the_master(
    valkey_sentinels: ValkeySentinels, diary: Diary
) -> None:
    async with _manager(sentinel_address(valkey_sentinels)) as manager:
        listener = _listener(manager, diary)
        listener.start()
        await listener.wait_live()
        await manager.execute("PUBLISH", CHANNEL, "news")
        await _until(lambda: diary.entries[-1] == "news")
        await listener.stop()
