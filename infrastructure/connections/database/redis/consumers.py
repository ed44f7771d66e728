"""Readers of a stream in a group: each entry worked on by one, and again until it is done."""

import asyncio
import os
import random
import secrets
import socket
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self

from infrastructure.connections.database.redis.calls import RedisCalls
from infrastructure.connections.database.redis.guests import Guest
from infrastructure.connections.database.redis.lease import Lease, keep_renewing
from infrastructure.connections.database.redis.stream_group import (
    ConsumerOptions,
    Entry,
    StreamGroup,
)
from infrastructure.connections.database.redis.stream_message import StreamMessage
from infrastructure.connections.redis_errors import code_word
from infrastructure.errors import (
    ConfigurationError,
    OutcomeUnknownError,
    OverloadedError,
    RejectedError,
    UnavailableError,
    UnsupportedError,
)
from infrastructure.observability.logging import get_logger
from infrastructure.resilience import ExponentialBackoffStrategy

if TYPE_CHECKING:
    from infrastructure.connections.database.redis.streams import RedisStream

_log = get_logger(__name__)
#: A read waits at the server for so long at most; it keeps a connection of the pool meanwhile.
_LONGEST_READ_SECONDS: Final = 1.0
_waits: Final = ExponentialBackoffStrategy(0.05, 2.0)
#: What passes by itself; reading goes on afterwards.
_PASSING: Final = (UnavailableError, OverloadedError, OutcomeUnknownError)


class StreamConsumer(Guest):
    """Gives entries in `async for`, inside of `async with`; several tasks may share it.

    It outlives outages of the server, and ends when the connection manager is closed. About
    every third of `lease_seconds` it takes over what others have left, also on a stream that
    nobody adds to.

    Attributes:
        reclaimed: Entries taken over from readers that were not heard of, so far.
        dead: Entries it has made dead letters of.
        trimmed: Entries that were dropped from the stream, being too long, before they were done.
    """

    def __init__(
        self,
        manager: RedisCalls,
        stream: "RedisStream",
        group: str,
        options: ConsumerOptions,
    ) -> None:
        self._manager = manager
        self._stream = stream
        self._options = options
        self.name = options.name or f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"
        self._group = StreamGroup(
            manager,
            (stream.name, stream.dead_letters),
            name=group,
            consumer=self.name,
            options=options,
        )
        self._ready: deque[StreamMessage] = deque()
        self._held: dict[str, StreamMessage] = {}
        self._reading = asyncio.Lock()
        self._keeping: asyncio.Task[None] | None = None
        self._cut: asyncio.Timeout | None = None
        self._has_begun = False
        self._has_group = False
        self._claim_at = 0.0
        self._failures = 0
        self.reclaimed = self.dead = self.trimmed = 0

    async def __aenter__(self) -> Self:
        manager = self._manager
        async with manager.held():  # what is being closed admits nobody
            pass
        self._keeping = asyncio.create_task(
            keep_renewing(self._options.lease_seconds, self._renew), name="stream consumer"
        )
        self._has_begun = True
        manager.guests.admit(self)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._manager.guests.dismiss(self)
        keeping, self._keeping = self._keeping, None
        if keeping is not None:
            keeping.cancel()
            await asyncio.wait((keeping,))
        giving = self._give_back()
        if giving is not None:
            await asyncio.shield(giving)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> StreamMessage:
        """The next entry, as soon as there is one."""
        if not self._has_begun:
            raise UnsupportedError("read a stream inside of async with", where=self._manager.name)
        async with self._reading:
            while self._keeping is not None:
                if not self._ready:
                    await self._fill_or_end()
                    continue
                message = self._ready.popleft()
                self._held.pop(message.id, None)  # until its work begins
                if message.lease.is_held:
                    return message
            self._give_back()  # what came while it ended
            raise StopAsyncIteration

    async def run(
        self, work: Callable[[StreamMessage], Awaitable[Any]], *, at_once: int = 1
    ) -> None:
        """Work on entries, so many at once, until the manager is closed or this is cancelled.

        Work that fails is logged, and the entry given again later.
        """
        if at_once < 1:
            raise ConfigurationError("at_once has to be above 0", where=self._manager.name)
        async with asyncio.TaskGroup() as tasks:
            for _ in range(at_once):
                tasks.create_task(self._work(work))

    async def end(self) -> None:
        """Give no entries any more, and cut the work on those given: nothing can be said of it."""
        keeping, self._keeping = self._keeping, None
        if keeping is not None:
            keeping.cancel()
        if self._cut is not None:
            self._cut.reschedule(self._now())
        self._give_back()
        for message in self._held.values():
            message.lease.lose()

    async def _work(self, work: Callable[[StreamMessage], Awaitable[Any]]) -> None:
        async for message in self:
            try:
                async with message:
                    await work(message)
            except Exception as error:  # noqa: BLE001 - whatever fails, the next one has its turn
                _log.warning(
                    "work on an entry failed",
                    where=self._manager.name,
                    stream=self._stream.name,
                    entry=message.id,
                    delivery=message.deliveries,
                    reason=type(error).__name__,
                )

    async def _fill_or_end(self) -> None:
        """One attempt, cut at once when the connection is being closed."""
        try:
            async with asyncio.timeout(None) as cut:
                self._cut = cut
                await self._fill()
        except TimeoutError:
            if not cut.expired():
                raise
        finally:
            self._cut = None

    async def _fill(self) -> None:
        """One attempt to get entries; waits a little when the server cannot be had."""
        try:
            if not self._has_group:
                await self._group.make()
                self._has_group = True
            if self._now() >= self._claim_at:
                await self._claim()
            else:
                await self._read()
        except _PASSING:
            self._failures += 1
            await asyncio.sleep(_waits(1 + self._failures))
        except RejectedError as error:
            if code_word(error.__cause__) != "NOGROUP":
                raise
            self._has_group = False
        else:
            self._failures = 0

    async def _claim(self) -> None:
        """Take over what was left, and remove what is done."""
        options, asked_at = self._options, self._now()
        found = await self._group.claim(max_dead=self._stream.max_length)
        self._take(asked_at, found.entries)
        self.reclaimed += len(found.entries)
        self.dead += found.dead
        self.trimmed += found.trimmed
        if found.dead or found.trimmed:
            _log.warning(
                "entries of a stream given up",
                where=self._manager.name,
                stream=self._stream.name,
                dead=found.dead,
                trimmed=found.trimmed,
            )
        if options.trims:
            await self._group.tidy()
        if found.looked_at < options.prefetch:  # else there may be more
            pause = options.lease_seconds / 3
            self._claim_at = asked_at + random.uniform(pause / 2, pause)  # noqa: S311 - spreads calls, guards nothing

    async def _read(self) -> None:
        """Wait for new entries, until it is time to look after the old ones."""
        asked_at = self._now()
        longest = min(_LONGEST_READ_SECONDS, self._manager.settings.timeout_seconds / 2)
        seconds = min(longest, self._claim_at - asked_at)
        self._take(asked_at, await self._group.read(seconds))

    def _take(self, asked_at: float, entries: Iterable[Entry]) -> None:
        what = f"an entry of '{self._stream.name}'"
        for entry in entries:
            lease = Lease(self._options.lease_seconds, what, self._manager.name)
            lease.renew(asked_at)
            message = StreamMessage(entry, lease, self._begin, self._end)
            self._held[message.id] = message
            self._ready.append(message)

    def _give_back(self) -> "asyncio.Task[None] | None":
        """What was taken in advance and is not begun, so that it counts as no delivery."""
        waiting, self._ready = self._ready, deque()
        for message in waiting:
            self._held.pop(message.id, None)
        if not waiting:
            return None
        return self._group.give_back({message.id: message.deliveries for message in waiting})

    def _now(self) -> float:
        return asyncio.get_running_loop().time()

    def _begin(self, message: StreamMessage) -> None:
        if self._keeping is None:
            raise UnsupportedError("an entry of a reader that has ended", where=self._manager.name)
        self._held[message.id] = message

    async def _end(self, message: StreamMessage, is_done: bool) -> None:
        if self._held.get(message.id) is message:  # else it was given again meanwhile
            del self._held[message.id]
        if is_done:
            await self._group.done(message.id)

    async def _renew(self, asked_at: float) -> bool:
        """Say of every entry here that it is worked on, or waits for it."""
        held = list(self._held.values())
        if held:
            lost = await self._group.touch(message.id for message in held)
            for message in held:
                if message.id in lost:
                    message.lease.lose()
                else:
                    message.lease.renew(asked_at)
        return True
