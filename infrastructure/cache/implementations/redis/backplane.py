"""The server's own notices of changed keys, for who keeps copies of their values."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

from infrastructure.cache.backplane import Backplane, Changed
from infrastructure.cache.implementations.redis.names import PhysicalNames
from infrastructure.connections.redis_line import Line
from infrastructure.connections.redis_listener import RedisListener
from infrastructure.errors import UnsupportedError

#: Where a server of RESP2 publishes what it tracks for a client.
_CHANNEL: Final = "__redis__:invalidate"


class RedisBackplane(Backplane):
    """Hears of every change under a prefix, whoever makes it, and of keys that expire.

    The server tracks for the very connection that listens (`CLIENT TRACKING ... BCAST`, pointed
    at itself), so that one cannot be lost without the other. When it is lost, the listener says
    so, and tracking begins anew with the next connection.

    Args:
        open_line: Opens a connection outside any pool.
        names: What keys are called on the server.
        where: The provider path, for the log.
        heartbeat_seconds: How long the line may be silent before it is asked whether it lives.
    """

    def __init__(
        self,
        open_line: Callable[[], Awaitable[Line]],
        names: PhysicalNames,
        *,
        where: str,
        heartbeat_seconds: float,
    ) -> None:
        self._open_line = open_line
        self._names = names
        self._where = where
        self._changed: Changed = _ignored
        self._listener = RedisListener(
            self._tracked_line,
            (_CHANNEL,),
            on_message=self._hear,
            on_reconnect=self._begin,
            on_lost=lambda: self._changed(None),
            where=where,
            heartbeat_seconds=heartbeat_seconds,
        )

    @property
    def is_live(self) -> bool:
        """Whether the server tells this process now of every change."""
        return self._listener.is_live

    def start(self, changed: Changed) -> None:
        """Listen, in a task of this event loop."""
        self._changed = changed
        self._listener.start()

    async def wait_live(self) -> None:
        """Wait until the server tracks; the caller bounds the wait."""
        await self._listener.wait_live()

    async def stop(self) -> None:
        """Listen no more."""
        await self._listener.stop()

    async def _tracked_line(self) -> Line:
        line = await self._open_line()
        try:
            await self._track(line)
        except BaseException:
            await line.cut()
            raise
        return line

    async def _track(self, line: Line) -> None:
        (number,) = await line.exchange([("CLIENT", "ID")])
        command = ("CLIENT", "TRACKING", "ON", "REDIRECT", number, "BCAST")
        (answer,) = await line.exchange([(*command, "PREFIX", self._names.prefix)])
        if isinstance(answer, Exception):
            raise UnsupportedError(
                "the server does not tell of changed keys",
                where=self._where,
                hint="It needs Redis 6 or Valkey; without it no copies are kept.",
            ) from answer

    async def _begin(self) -> None:
        self._changed(None)

    async def _hear(self, _channel: str, names: Sequence[bytes] | None) -> None:
        """Pass on which keys have changed; the server says None when it was emptied.

        A name that is no text is somebody else's, and no copy's.
        """
        key_of: Callable[[str], Any] = self._names.key
        self._changed(
            None if names is None else [key_of(name.decode(errors="replace")) for name in names]
        )


def _ignored(_keys: object) -> None:
    """Before anybody listens."""
