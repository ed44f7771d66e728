"""Redis or Valkey as a database connection: one server, a cluster, or a master with sentinels."""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any

from infrastructure.connections.base import ConnectionType, DatabaseRegistry
from infrastructure.connections.database.redis.calls import RedisCalls, RedisConnectionSettings
from infrastructure.connections.database.redis.locks import HeldLock, LockRequest
from infrastructure.connections.database.redis.pubsub import Subscription
from infrastructure.connections.database.redis.scripts import RedisScript
from infrastructure.connections.database.redis.streams import RedisStream
from infrastructure.errors import ConfigurationError, did_you_mean


@DatabaseRegistry.register(ConnectionType.REDIS)
class RedisConnectionManager(RedisCalls):
    """Connections to one server, to a cluster, or to the master that sentinels know."""

    operations = frozenset({"call_script"})

    def __init__(self, settings: RedisConnectionSettings, *, name: str = "") -> None:
        super().__init__(settings, name=name)
        self._scripts: dict[str, RedisScript] = {}

    def add_script(self, script: RedisScript) -> RedisScript:
        """Let `call_script` find it by its name.

        Raises:
            ConfigurationError: There is another one of that name.
        """
        if self._scripts.setdefault(script.name, script) != script:
            raise ConfigurationError(
                f"there is another script '{script.name}' already", where=self.name
            )
        return script

    async def call_script(
        self, name: str, keys: Sequence[str] = (), arguments: Sequence[Any] = ()
    ) -> Any:
        """Run a script that was added, as one step, and give its answer.

        Raises:
            ConfigurationError: There is none of that name.
            UnsupportedError: It takes other numbers of keys or arguments, or the keys are in
                different slots of the cluster; nothing was sent.
            RejectedError: It ended with an error; what it had written before, stays written.
            OutcomeUnknownError: It was sent and the answer lost.
        """
        if name not in self._scripts:
            known = ", ".join(sorted(self._scripts)) or "none"
            raise ConfigurationError(
                f"there is no script '{name}'",
                where=self.name,
                hint=f"{did_you_mean(name, self._scripts)}Known: {known}.",
            )
        return await self._scripts[name].send(self, keys, arguments)

    def subscribe(
        self,
        *channels: str,
        patterns: Sequence[str] = (),
        is_sharded: bool = False,
        capacity: int = 1000,
        heartbeat_seconds: float = 5.0,
    ) -> Subscription:
        """Publications, in `async with` and `async for`; see `Subscription`."""
        return Subscription(
            self,
            channels,
            patterns,
            is_sharded=is_sharded,
            capacity=capacity,
            heartbeat_seconds=heartbeat_seconds,
        )

    def stream(self, name: str, *, max_length: int = 100_000) -> RedisStream:
        """A stream, to publish to and to read in groups; see `RedisStream`."""
        return RedisStream(self, name, max_length)

    def lock(
        self, name: str, *, lease_seconds: float = 10.0, wait_seconds: float = 10.0
    ) -> AbstractAsyncContextManager[HeldLock]:
        """Held by one at a time, in every process, in `async with`.

        It is renewed while the body runs, which is cut with LeaseLostError when it is lost. Who
        waits is served in order.

        Args:
            name: What is locked.
            lease_seconds: When it ends by itself, after its holder was last heard of; a day at
                most.
            wait_seconds: The longest wait for it, besides that for one answer; 0 asks once.

        Raises:
            OverloadedError: Somebody else had it all the time.
            LeaseLostError: It was lost while the body ran, which may be half done.
        """
        return LockRequest(self, name, lease_seconds).held(wait_seconds)
