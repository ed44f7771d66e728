"""Hears publications, and says when it may have missed some."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

from infrastructure.connections.redis_line import Line
from infrastructure.errors import UnavailableError
from infrastructure.observability.logging import get_logger

_SUBSCRIBED: Final = b"subscribe"
_MESSAGE: Final = b"message"
_log = get_logger(__name__)


class RedisListener:
    """Subscribes on a connection of its own, and subscribes again when it is lost.

    A publication made while there was no connection is gone, so whoever keeps copies must not
    serve them then: `on_lost` is called when the connection is lost, and `on_reconnect` after
    each subscription, the first too, before any message of it is given on. When `on_reconnect`
    or `on_message` fails, the connection is taken for lost.

    A silent line is told from a dead one by a PING after `heartbeat_seconds`.

    Args:
        open_line: Opens a connection outside any pool.
        channels: What to subscribe to.
        on_message: Is given the channel and the data of each message, one at a time; data is bytes
            of a publication, and a list of names or None of what a server tracks.
        on_reconnect: Called before the first message of each subscription.
        on_lost: Called when the connection was lost; must not fail.
        where: The provider path, for the log.
        heartbeat_seconds: How long it may be silent; as long again until a PING is answered.
        first_wait_seconds: Upper bound of the first random wait before another try; it doubles
            with each failure.
        longest_wait_seconds: Where the doubling ends.

    Attributes:
        is_live: Subscribed now, with nothing missed since `on_reconnect`.
        reconnects: How often it subscribed so far.
    """

    def __init__(
        self,
        open_line: Callable[[], Awaitable[Line]],
        channels: Sequence[str],
        *,
        on_message: Callable[[str, Any], Awaitable[None]],
        on_reconnect: Callable[[], Awaitable[None]],
        on_lost: Callable[[], None] = lambda: None,
        where: str = "",
        heartbeat_seconds: float = 5.0,
        first_wait_seconds: float = 0.05,
        longest_wait_seconds: float = 2.0,
    ) -> None:
        self._open_line = open_line
        self._channels = tuple(channels)
        self._on_message = on_message
        self._on_reconnect = on_reconnect
        self._on_lost = on_lost
        self._where = where
        self._heartbeat_seconds = heartbeat_seconds
        self._first_wait_seconds = first_wait_seconds
        self._longest_wait_seconds = longest_wait_seconds
        self._task: asyncio.Task[None] | None = None
        self._live = asyncio.Event()
        self.is_live = False
        self._failures = 0
        self.reconnects = 0

    def start(self) -> None:
        """Begin in a task of its own; harmless when it runs already."""
        if self._task is None:
            self._task = asyncio.create_task(self._run_forever(), name="listener")

    async def wait_live(self) -> None:
        """Wait until it is subscribed; the caller bounds the wait."""
        await self._live.wait()

    async def stop(self) -> None:
        """End it and close its connection; harmless when it was not started."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait((task,))

    async def _run_forever(self) -> None:
        while True:
            try:
                await self._listen()
            except Exception as error:  # noqa: BLE001 - whatever fails, it subscribes again and says so
                self._report(error)
            await asyncio.sleep(self._wait_seconds())

    async def _listen(self) -> None:
        async with asyncio.timeout(self._heartbeat_seconds):
            line = await self._open_line()
        try:
            await self._subscribe(line)
            await self._on_reconnect()
            self._failures = 0
            self.reconnects += 1
            self._set_live(is_live=True)
            await self._serve(line)
        finally:
            self._set_live(is_live=False)
            self._on_lost()
            await line.cut()

    def _set_live(self, *, is_live: bool) -> None:
        self.is_live = is_live  # an attribute: it is looked at before each copy is served
        if is_live:
            self._live.set()
        else:
            self._live.clear()

    async def _subscribe(self, line: Line) -> None:
        await line.push(("SUBSCRIBE", *self._channels))
        for _ in self._channels:
            answer = await self._next(line, self._heartbeat_seconds)
            if not answer or answer[0] != _SUBSCRIBED:
                raise UnavailableError("subscribing was not answered", where=self._where)

    async def _serve(self, line: Line) -> None:
        is_asked = False
        while True:
            answer = await self._next(line, self._heartbeat_seconds)
            if answer is None:
                if is_asked:
                    raise UnavailableError("a PING was not answered", where=self._where)
                await line.push(("PING",))
            elif answer[0] == _MESSAGE:
                await self._on_message(answer[1].decode(), answer[2])
            is_asked = answer is None

    async def _next(self, line: Line, seconds: float) -> Any:
        """What came; None when nothing did in time."""
        return await line.read_response(timeout=seconds)

    def _report(self, error: Exception) -> None:
        """One line for each outage."""
        self._failures += 1
        if self._failures == 1:
            reason = type(error).__name__
            _log.warning("redis listener lost", where=self._where, reason=reason)

    def _wait_seconds(self) -> float:
        longest = self._first_wait_seconds * 2 ** min(self._failures, 16)
        return random.uniform(0, min(longest, self._longest_wait_seconds))  # noqa: S311 - spreads reconnects, guards nothing
