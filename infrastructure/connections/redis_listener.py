"""Hears publications, and says when it may have missed some."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

from infrastructure.connections.redis_line import Line
from infrastructure.errors import UnavailableError
from infrastructure.observability.logging import get_logger

_MESSAGES: Final = frozenset({b"message", b"smessage"})
_PATTERN_MESSAGE: Final = b"pmessage"
#: A member of a cluster does not have the channel's slot any more.
_SHARD_LEFT: Final = b"sunsubscribe"
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
        patterns: What to subscribe to besides.
        on_pattern: As `on_message`, for what a pattern matched, and is given the pattern first.
        is_sharded: Whether the channels are those of one slot in a cluster, and `open_line` opens
            to the member that has it.
        where: The provider path, for the log.
        heartbeat_seconds: How long it may be silent; as long again until a PING is answered.
        first_wait_seconds: Upper bound of the first random wait before another try; it doubles
            with each failure.
        longest_wait_seconds: Where the doubling ends.

    Attributes:
        is_live: Subscribed now, with nothing missed since `on_reconnect`.
        reconnects: How often it subscribed so far.
        failure: What the last attempt ended with; None while it is subscribed.
    """

    def __init__(
        self,
        open_line: Callable[[], Awaitable[Line]],
        channels: Sequence[str],
        *,
        on_message: Callable[[str, Any], Awaitable[None]],
        on_reconnect: Callable[[], Awaitable[None]],
        on_lost: Callable[[], None] = lambda: None,
        patterns: Sequence[str] = (),
        on_pattern: Callable[[str, str, Any], Awaitable[None]] | None = None,
        is_sharded: bool = False,
        where: str = "",
        heartbeat_seconds: float = 5.0,
        first_wait_seconds: float = 0.05,
        longest_wait_seconds: float = 2.0,
    ) -> None:
        self._open_line = open_line
        subscribe = "SSUBSCRIBE" if is_sharded else "SUBSCRIBE"
        wanted = {subscribe: tuple(channels), "PSUBSCRIBE": tuple(patterns)}
        self._wanted = {word: names for word, names in wanted.items() if names}
        self._on_pattern = on_pattern
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
        self.failure: Exception | None = None
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
            early = await self._subscribe(line)
            await self._on_reconnect()
            self._failures, self.failure = 0, None
            self.reconnects += 1
            self._set_live(is_live=True)
            for answer in early:
                await self._give(answer)
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

    async def _subscribe(self, line: Line) -> list[Any]:
        """What came of the first channels before the last one was subscribed to."""
        early: list[Any] = []
        for word, names in self._wanted.items():
            await line.push((word, *names))
            answered = 0
            while answered < len(names):
                answer = await self._next(line, self._heartbeat_seconds)
                if not answer:
                    raise UnavailableError("subscribing was not answered", where=self._where)
                if answer[0] == word.lower().encode():
                    answered += 1
                else:
                    early.append(answer)
        return early

    async def _serve(self, line: Line) -> None:
        is_asked = False
        while True:
            answer = await self._next(line, self._heartbeat_seconds)
            if answer is not None:
                await self._give(answer)
            elif is_asked:
                raise UnavailableError("a PING was not answered", where=self._where)
            else:
                await line.push(("PING",))
            is_asked = answer is None

    async def _give(self, answer: Any) -> None:
        kind = answer[0]
        if kind in _MESSAGES:
            await self._on_message(_text(answer[1]), answer[2])
        elif kind == _PATTERN_MESSAGE and self._on_pattern is not None:
            await self._on_pattern(_text(answer[1]), _text(answer[2]), answer[3])
        elif kind == _SHARD_LEFT:
            raise UnavailableError("another member has the channel's slot now", where=self._where)

    async def _next(self, line: Line, seconds: float) -> Any:
        """What came; None when nothing did in time."""
        return await line.read_response(timeout=seconds)

    def _report(self, error: Exception) -> None:
        """One line for each outage."""
        self.failure = error
        self._failures += 1
        if self._failures == 1:
            reason = type(error).__name__
            _log.warning("redis listener lost", where=self._where, reason=reason)

    def _wait_seconds(self) -> float:
        longest = self._first_wait_seconds * 2 ** min(self._failures, 16)
        return random.uniform(0, min(longest, self._longest_wait_seconds))  # noqa: S311 - spreads reconnects, guards nothing


def _text(name: bytes) -> str:
    """A channel may be called anything; one that is no text must not end the others."""
    return name.decode(errors="surrogateescape")
