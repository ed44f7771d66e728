"""Redis or Valkey as a database connection: one server, a cluster, or a master with sentinels."""

from typing import Any, ClassVar

from redis.asyncio import Redis

from infrastructure.config.models.db import ConnectionSettings
from infrastructure.connections.base import (
    AsyncBaseConnectionManager,
    ConnectionType,
    DatabaseRegistry,
)
from infrastructure.connections.redis_address import RedisAddress
from infrastructure.connections.redis_client import answer_of, build_client
from infrastructure.connections.redis_component import RedisComponent
from infrastructure.connections.redis_pool import Call
from infrastructure.connections.redis_topology import SingleServer
from infrastructure.errors import UnavailableError, UnsupportedError

#: Their first key stands behind the number of keys.
_COUNTED = frozenset({"EVAL", "EVALSHA", "EVAL_RO", "EVALSHA_RO", "FCALL", "FCALL_RO"})
_FIRST_COUNTED_KEY = 3


class RedisConnectionSettings(ConnectionSettings, RedisAddress):
    """A block under `db:` with kind redis."""

    kind: str = "redis"


@DatabaseRegistry.register(ConnectionType.REDIS)
class RedisConnectionManager(RedisComponent, AsyncBaseConnectionManager):
    """Connections to one server, to a cluster, or to the master that sentinels know."""

    Settings: ClassVar[type[RedisConnectionSettings]] = RedisConnectionSettings
    settings: RedisConnectionSettings
    _vendors: Redis | None = None

    @property
    def client(self) -> Redis:
        """The vendor's client, for what `execute` does not cover; it raises the vendor's errors.

        It is for one server, and has a pool of its own beside the one of `execute`.

        Raises:
            UnavailableError: Not connected.
            UnsupportedError: There is a cluster, or sentinels; `execute` knows them.
        """
        if not isinstance(self._live_topology(), SingleServer):
            raise UnsupportedError(
                "the vendor's client is for one server", where=self.name, hint="Use execute()."
            )
        if self._vendors is None:
            self._vendors = build_client(
                self.settings,
                timeout_seconds=self.settings.timeout_seconds,
                connect_timeout_seconds=self.settings.connect_timeout_seconds,
            )
        return self._vendors

    async def execute(self, *command: Any) -> Any:
        """Run one command, such as `execute("INCR", "visits")`, and give its answer.

        The command is sent once, never repeated. In a cluster its first argument is taken for
        its key; where that is wrong, the cluster says so and is followed.

        Raises:
            UnavailableError: No connection could be had, so nothing was sent.
            OutcomeUnknownError: It was sent and the answer lost: it may have been applied.
            RejectedError: The server refused it.
        """
        await self.drain.begin()
        try:
            (answer,) = await self.run(Call(*command, key=_key_of(command)))
        finally:
            self.drain.end()
        return answer_of(command, answer)

    async def ping(self) -> None:
        """Ask the server for a sign of life, within `timeout_seconds`.

        Raises:
            UnavailableError: It gave none.
        """
        async with self.calling():
            await self._ping()

    def _note(self, *, is_down: bool, reason: str) -> None:
        super()._note(is_down=is_down, reason=reason)
        if is_down:
            self.note_failure(UnavailableError(reason, where=self.name))
        else:
            self.note_answer()

    async def _open(self) -> None:
        self._vendors = None
        await super()._open()

    async def _close(self) -> None:
        vendors, self._vendors = self._vendors, None
        await super()._close()
        if vendors is not None:
            await vendors.aclose()


def _key_of(command: tuple[Any, ...]) -> str:
    """What decides the slot; empty when the command names no key."""
    place = _FIRST_COUNTED_KEY if str(command[0]).upper() in _COUNTED else 1
    if len(command) <= place:
        return ""
    key = command[place]
    return key.decode(errors="surrogateescape") if isinstance(key, bytes) else str(key)
