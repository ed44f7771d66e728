"""What every user of Redis stands on: opened once, every command bounded, every error ours."""

import asyncio
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from typing import Any

from infrastructure.component import Component
from infrastructure.connections.base import PoolStats
from infrastructure.connections.redis_address import RedisAddress
from infrastructure.connections.redis_cluster import Cluster, by_slot
from infrastructure.connections.redis_errors import TRANSLATED, redis_errors, translated
from infrastructure.connections.redis_line import Line
from infrastructure.connections.redis_pool import Call
from infrastructure.connections.redis_sentinel import SentinelMaster
from infrastructure.connections.redis_topology import SingleServer, Topology
from infrastructure.errors import InfrastructureError, OutcomeUnknownError, UnavailableError
from infrastructure.observability.logging import get_logger
from infrastructure.observability.metrics import COMPONENT, KIND, Measurement, counter, gauge
from infrastructure.resilience import deadline

_log = get_logger(__name__)


def topology_of(
    address: RedisAddress, *, timeout_seconds: float, connect_timeout_seconds: float, where: str
) -> Topology:
    """The way to the servers of an address; it opens nothing yet."""
    kind: type[Topology] = SingleServer
    if address.sentinels:
        kind = SentinelMaster
    elif address.is_cluster:
        kind = Cluster
    return kind(
        address,
        timeout_seconds=timeout_seconds,
        connect_timeout_seconds=connect_timeout_seconds,
        where=where,
    )


class RedisComponent(Component):
    """Opens, checks and closes the way to the servers; the cache and the manager stand on it.

    `settings` is a block that is a `RedisAddress` too and has `timeout_seconds`.

    Attributes:
        state_changes: How often it went down or came up again so far.
        unknown_outcomes: How many commands were sent whose answer never came, and which were
            not repeated.
    """

    _topology: Topology | None = None
    _is_down = False
    state_changes = 0
    unknown_outcomes = 0

    def __init__(self, settings: Any, *, name: str = "") -> None:
        super().__init__(settings, name=name)
        self._behind: set[asyncio.Task[None]] = set()

    def _after_fork(self) -> None:
        """Be closed, in a forked child; the way to the servers is the parent's."""
        super()._after_fork()
        self._topology = None

    def pool_stats(self) -> PoolStats:
        """How many connections there are, over all servers; zeros when not connected."""
        found = [pool.stats() for pool in self._topology.pools()] if self._topology else []
        return PoolStats(
            sum(each.size for each in found),
            sum(each.in_use for each in found),
            sum(each.limit for each in found),
        )

    def measurements(self) -> Iterable[Measurement]:
        """The use of the pools, and what went wrong so far."""
        yield from self.pool_stats().measurements(self.name, self.settings.kind)
        labels = {COMPONENT: self.name, KIND: str(self.settings.kind)}
        pools = tuple(self._topology.pools()) if self._topology else ()
        waiting = sum(pool.waiting for pool in pools)
        yield gauge("db.client.connection.pending_requests", waiting, labels, unit="{request}")
        opened = self._topology.maker.opened if self._topology else 0
        counts = {
            "connections_opened": opened,
            "pool_timeouts": sum(pool.exhausted for pool in pools),
            "repeats": sum(pool.repeats for pool in pools),
            "state_changes": self.state_changes,
            "unknown_outcomes": self.unknown_outcomes,
        }
        for name, value in counts.items():
            yield counter(f"switchgear.redis.{name}", value, labels)

    async def subscriber(self, key: str = "") -> Line:
        """A connection of its own that hears publications, for a `RedisListener`.

        Args:
            key: A sharded channel that is to be heard; empty for others.
        """
        await self.connect()
        async with deadline(self.settings.connect_timeout_seconds, self.name):
            with self._errors():
                return await self._live_topology().subscriber(key)

    async def run(self, *calls: Call) -> list[Any]:
        """Send the calls within `timeout_seconds` and give their answers.

        Raises:
            UnavailableError: Nothing was applied, or what was may be applied again.
            OutcomeUnknownError: It was sent and no answer came: it may have been applied.
            RejectedError: The server refused one of them.
        """
        try:
            async with deadline(self.settings.timeout_seconds, self.name):
                if self._loop is not asyncio.get_running_loop():
                    await self.connect()
                answers = await self._exchange(self._live_topology(), calls)
        except UnavailableError as error:
            self._note(is_down=True, reason=type(error).__name__)
            if any(call.in_doubt and not call.may_repeat for call in calls):
                self.unknown_outcomes += 1
                raise OutcomeUnknownError(
                    "sent, and whether it was applied is not known", where=self.name
                ) from error
            raise
        if self._is_down:
            self._note(is_down=False, reason="answered")
        return answers

    def together(self, keys: Sequence[str]) -> list[list[int]]:
        """The indexes of the keys that one command may name together."""
        if self.settings.is_cluster:
            with self._errors():  # a key may be no text
                return by_slot(keys)
        return [list(range(len(keys)))] if keys else []

    def send_behind(self, call: Call) -> "asyncio.Task[None]":
        """Send it to its end even if whoever asked for it is cancelled; closing waits for it.

        A failure is logged, since nobody may be there to hear of it; during an outage that is
        known, it is none of its own.
        """
        task = asyncio.create_task(self._send_behind(self._live_topology(), call))
        self._behind.add(task)
        task.add_done_callback(self._behind.discard)
        return task

    async def _send_behind(self, topology: Topology, call: Call) -> None:
        try:
            async with deadline(self.settings.timeout_seconds, self.name):
                await self._exchange(topology, (call,))
        except InfrastructureError as error:
            if not self._is_down:
                reason = type(error).__name__
                _log.warning("redis missed a command", where=self.name, reason=reason)

    async def _exchange(self, topology: Topology, calls: Sequence[Call]) -> list[Any]:
        try:  # as `_errors` does, for a third of its price
            answers = await topology.run(calls)
            for answer in answers:
                if isinstance(answer, Exception):
                    raise answer
        except TRANSLATED as error:
            ours = translated(error, self.name, self.settings, self.settings.timeout_seconds)
            if ours is None:
                raise
            raise ours from error
        return answers

    def _live_topology(self) -> Topology:
        if self._topology is None:
            raise UnavailableError("not connected", where=self.name, hint="Await connect() first.")
        return self._topology

    async def _open(self) -> None:
        topology = topology_of(
            self.settings,
            timeout_seconds=self.settings.timeout_seconds,
            connect_timeout_seconds=self.settings.connect_timeout_seconds,
            where=self.name,
        )
        try:
            with self._errors():
                await topology.open()
                await topology.ping()
        except BaseException:
            await topology.close()
            raise
        self._topology, self._behind = topology, set()

    async def _close(self) -> None:
        topology, self._topology = self._topology, None
        try:
            if self._behind:
                await asyncio.wait(tuple(self._behind))
        finally:  # also when it was cut at the deadline
            if topology is not None:
                await topology.close()

    async def _ping(self) -> str:
        async with deadline(self.settings.timeout_seconds, self.name):
            with self._errors():
                return await self._live_topology().ping()

    def _note(self, *, is_down: bool, reason: str) -> None:  # noqa: ARG002 - for those who tell
        """Count a change; what stands on this one tells of it, and may say the reason."""
        if is_down is self._is_down:
            return
        self._is_down = is_down
        self.state_changes += 1

    def _errors(self) -> AbstractContextManager[None]:
        return redis_errors(self.name, self.settings, self.settings.timeout_seconds)
