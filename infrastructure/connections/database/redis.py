"""Redis or Valkey as a database connection."""

from typing import Any, ClassVar

from redis.asyncio import Redis
from redis.exceptions import BusyLoadingError, ResponseError

from infrastructure.config.models.db import ConnectionSettings
from infrastructure.connections.base import (
    AsyncBaseConnectionManager,
    ConnectionType,
    DatabaseRegistry,
)
from infrastructure.connections.redis_client import (
    RedisAddress,
    RedisComponent,
)
from infrastructure.errors import OutcomeUnknownError, UnavailableError
from infrastructure.resilience import deadline


class RedisConnectionSettings(ConnectionSettings, RedisAddress):
    """A block under `db:` with kind redis."""

    kind: str = "redis"


@DatabaseRegistry.register(ConnectionType.REDIS)
class RedisConnectionManager(RedisComponent, AsyncBaseConnectionManager):
    """A pool of connections to one server."""

    Settings: ClassVar[type[RedisConnectionSettings]] = RedisConnectionSettings
    settings: RedisConnectionSettings

    @property
    def client(self) -> Redis:
        """The vendor's client, for what `execute` does not cover; it raises the vendor's errors.

        Raises:
            UnavailableError: Not connected.
        """
        return self._live_client()

    async def execute(self, *command: Any) -> Any:
        """Run one command, such as `execute("INCR", "visits")`, and give its answer.

        The command is sent once, never repeated.

        Raises:
            UnavailableError: No connection could be had, so nothing was sent.
            OutcomeUnknownError: It was sent and the answer lost: it may have been applied.
            RejectedError: The server refused it.
        """
        seconds, sent = self.settings.timeout_seconds, False
        try:
            async with deadline(seconds, self.name):
                await self.connect()
                with self._errors():
                    await _warm(self.client)
                    sent = True
                    return await self.client.execute_command(*command)  # type: ignore[no-untyped-call]  # the vendor's
        except UnavailableError as error:
            if not sent or isinstance(error.__cause__, (ResponseError, BusyLoadingError)):
                raise
            raise OutcomeUnknownError(
                "the command was sent and its answer lost", where=self.name
            ) from error

    async def ping(self) -> None:
        """Ask the server for a sign of life, within `timeout_seconds`.

        Raises:
            UnavailableError: It gave none.
        """
        async with deadline(self.settings.timeout_seconds, self.name):
            await self.connect()
            await self._ping()


async def _warm(client: Redis) -> None:
    """Have a living connection on top of the pool, so that what fails from here on was sent."""
    pool = client.connection_pool
    line = await pool.get_connection()  # type: ignore[no-untyped-call]  # the vendor's
    await pool.release(line)
