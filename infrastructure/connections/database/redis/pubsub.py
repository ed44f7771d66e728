"""Publications as they are made, and where some may have been missed."""

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from types import TracebackType
from typing import Self

from infrastructure.connections.database.gaps import Gap
from infrastructure.connections.database.redis.calls import RedisCalls
from infrastructure.connections.database.redis.guests import Guest
from infrastructure.connections.redis_listener import RedisListener
from infrastructure.errors import ConfigurationError, DeadlineExceededError, UnsupportedError
from infrastructure.resilience import deadline


@dataclass(frozen=True, slots=True)
class Publication:
    """What was published.

    Attributes:
        channel: Where.
        data: What, as bytes.
        pattern: The pattern by which it was heard; empty when the channel was named.
    """

    channel: str
    data: bytes
    pattern: str = ""


class Subscription(Guest):
    """Publications and gaps, in `async for` inside of `async with`.

    A connection of its own hears them, and subscribes again when it is lost. What was published
    meanwhile is gone, as with every publication nobody hears: then there is a `Gap`. It ends
    when the connection manager is closed.

    Args:
        manager: The connection.
        channels: To hear.
        patterns: To hear, such as `orders.*`.
        is_sharded: Whether a cluster keeps publications to the member that has the channel's slot.
        capacity: How many wait to be read; beyond it the oldest are dropped, and a gap told.
        heartbeat_seconds: How long it may be silent before it is asked whether it lives.
    """

    def __init__(
        self,
        manager: RedisCalls,
        channels: Sequence[str],
        patterns: Sequence[str],
        *,
        is_sharded: bool,
        capacity: int,
        heartbeat_seconds: float,
    ) -> None:
        if not channels and not patterns:
            raise ConfigurationError("subscribe to channels or patterns", where=manager.name)
        if is_sharded and patterns:
            raise ConfigurationError("there are no patterns in shards", where=manager.name)
        if capacity < 1 or not heartbeat_seconds > 0:
            raise ConfigurationError(
                "capacity and heartbeat_seconds have to be above 0", where=manager.name
            )
        self._manager = manager
        self._capacity = capacity
        self._waiting: deque[Publication | Gap] = deque()
        self._dropped = 0
        self._arrived = asyncio.Event()
        self._has_begun = self._is_open = False
        parts = _parts(manager, channels) if is_sharded else [tuple(channels)]
        self._listeners = [
            RedisListener(
                partial(manager.subscriber, part[0] if is_sharded else ""),
                part,
                patterns=patterns,
                is_sharded=is_sharded,
                on_message=self._hear,
                on_pattern=self._hear_by_pattern,
                on_reconnect=partial(self._resume, number),
                where=manager.name,
                heartbeat_seconds=heartbeat_seconds,
            )
            for number, part in enumerate(parts)
        ]

    @property
    def is_live(self) -> bool:
        """Whether every publication made now is heard."""
        return all(listener.is_live for listener in self._listeners)

    async def __aenter__(self) -> Self:
        """Subscribed, when it returns.

        Raises:
            InfrastructureError: It could not be, within `connect_timeout_seconds`.
        """
        manager = self._manager
        await manager.drain.begin()
        try:
            await manager.connect()
            self._has_begun = self._is_open = True
            await self._begin()
        except BaseException:
            await self.end()
            raise
        finally:
            manager.drain.end()
        manager.guests.admit(self)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.end()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Publication | Gap:
        """The next one, as soon as there is one."""
        if not self._has_begun:
            raise UnsupportedError("listen inside of async with", where=self._manager.name)
        while self._is_open:
            if self._dropped:
                dropped, self._dropped = self._dropped, 0
                return Gap(dropped)
            if self._waiting:
                return self._waiting.popleft()
            self._arrived.clear()
            await self._arrived.wait()
        raise StopAsyncIteration

    async def end(self) -> None:
        """Hear no more; harmless when it has ended already."""
        self._is_open = False
        self._arrived.set()
        self._manager.guests.dismiss(self)
        stopping = asyncio.gather(*(listener.stop() for listener in self._listeners))
        await asyncio.shield(stopping)

    async def move(self) -> None:
        """Subscribe anew: the servers or the credentials are others now."""
        for listener in self._listeners:
            await listener.stop()
            if self._is_open:  # it may have ended meanwhile
                listener.start()

    async def _begin(self) -> None:
        seconds = self._manager.settings.connect_timeout_seconds
        for listener in self._listeners:
            listener.start()
        try:
            async with deadline(seconds, self._manager.name):
                for listener in self._listeners:
                    await listener.wait_live()
        except DeadlineExceededError:
            failure = next((one.failure for one in self._listeners if one.failure), None)
            if failure is None:
                raise
        else:
            return
        ours = self._manager.translated(failure)
        if ours is None:  # it is ours already, and has its cause
            raise failure
        raise ours from failure

    async def _hear(self, channel: str, data: bytes) -> None:
        self._add(Publication(channel, data))

    async def _hear_by_pattern(self, pattern: str, channel: str, data: bytes) -> None:
        self._add(Publication(channel, data, pattern))

    async def _resume(self, number: int) -> None:
        if self._listeners[number].reconnects:
            self._add(Gap())

    def _add(self, found: Publication | Gap) -> None:
        if len(self._waiting) >= self._capacity:
            self._waiting.popleft()
            self._dropped += 1
        self._waiting.append(found)
        self._arrived.set()


def _parts(manager: RedisCalls, channels: Sequence[str]) -> list[tuple[str, ...]]:
    """The channels of each slot: one connection hears those of one member."""
    return [tuple(channels[at] for at in part) for part in manager.together(channels)]
