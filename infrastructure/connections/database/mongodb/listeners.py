"""What the driver tells its listeners: of its connections, and of its checks of the servers."""

import asyncio
from typing import Any

from pymongo.monitoring import ConnectionPoolListener, ServerHeartbeatListener

from infrastructure.connections.standing import PoolStats


class FirstChecks(ServerHeartbeatListener):
    """Tells when each server the driver knows of has failed its check; Motor calls from threads.

    The driver itself goes on looking until its time is up, even where nothing listens.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._failed: dict[Any, Exception] = {}
        self._told = asyncio.Event()

    def started(self, event: Any) -> None:
        """Nothing is known yet."""

    def succeeded(self, event: Any) -> None:
        """A server answers."""
        self._failed.pop(event.connection_id, None)

    def failed(self, event: Any) -> None:
        """A server cannot be reached."""
        self._failed[event.connection_id] = event.reply
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._told.set)

    async def all_failed(self, client: Any) -> Exception:
        """Wait until no server is left to hope for; give what was wrong with one of them."""
        while True:
            await self._told.wait()
            self._told.clear()
            failed: dict[Any, Exception] = dict(self._failed)
            if failed and failed.keys() >= client.topology_description.server_descriptions().keys():
                return next(iter(failed.values()))


async def first_answer(ping: "asyncio.Future[Any]", client: Any, checks: FirstChecks) -> None:
    """Wait until the server answers the ping, or none can be reached.

    The ping is left alone when the waiting for it is cancelled: a connection that is cancelled
    while it is being opened, the driver forgets to close.

    Raises:
        PyMongoError: The server refused it, or cannot be reached.
    """
    failure = asyncio.ensure_future(checks.all_failed(client))
    try:
        await asyncio.wait((ping, failure), return_when=asyncio.FIRST_COMPLETED)
        if not ping.done():
            ping.cancel()  # it waits for a server, and there is none
            raise failure.result()
        await ping
    finally:
        failure.cancel()


class PoolCounter(ConnectionPoolListener):
    """Counts the connections of a client, over all its servers; Motor tells it from threads.

    Args:
        limit: The most connections to one server.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._pools: set[Any] = set()
        self._open: set[Any] = set()
        self._used: set[Any] = set()

    def stats(self) -> PoolStats:
        """The counts now."""
        return PoolStats(len(self._open), len(self._used), self._limit * max(1, len(self._pools)))

    def pool_created(self, event: Any) -> None:
        """A server became known."""
        self._pools.add(event.address)

    def pool_closed(self, event: Any) -> None:
        """A server is none of ours any more."""
        self._pools.discard(event.address)

    def connection_created(self, event: Any) -> None:
        """A connection is being opened."""
        self._open.add((event.address, event.connection_id))

    def connection_closed(self, event: Any) -> None:
        """A connection is gone."""
        self._open.discard((event.address, event.connection_id))
        self._used.discard((event.address, event.connection_id))

    def connection_checked_out(self, event: Any) -> None:
        """A call has got it."""
        self._used.add((event.address, event.connection_id))

    def connection_checked_in(self, event: Any) -> None:
        """A call gives it back."""
        self._used.discard((event.address, event.connection_id))

    def pool_ready(self, event: Any) -> None:
        """Nothing to count."""

    def pool_cleared(self, event: Any) -> None:
        """Nothing to count: each connection's end is told by itself."""

    def connection_ready(self, event: Any) -> None:
        """Nothing to count."""

    def connection_check_out_started(self, event: Any) -> None:
        """Nothing to count."""

    def connection_check_out_failed(self, event: Any) -> None:
        """Nothing to count."""
