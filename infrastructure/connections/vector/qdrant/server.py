"""A Qdrant server over HTTP or gRPC, through the vendor's client.

The half of it that speaks with servers, as `qdrant.local` has the other one: the front of both
looks through every record for texts that the vendor would embed.
"""

import asyncio
import math
from collections import Counter
from functools import partial
from typing import Any

from grpc import StatusCode
from grpc.aio import AioRpcError
from qdrant_client.async_qdrant_remote import AsyncQdrantRemote

from infrastructure.connections.base import PoolStats
from infrastructure.connections.vector.qdrant.errors import ServerErrors
from infrastructure.connections.vector.qdrant.settings import QdrantSettings
from infrastructure.errors import UnavailableError

#: Channels of one address share their connection otherwise, and how long it is left alone.
_GRPC = {"grpc.use_local_subchannel_pool": 1}


class ServerEngine:
    """A Qdrant server, with at most `pool_size` calls at once."""

    def __init__(self, settings: QdrantSettings, where: str) -> None:
        key = settings.api_key.get_secret_value() if settings.api_key else ""
        longest = max(settings.timeout_seconds, settings.connect_timeout_seconds)
        self._connect = partial(
            AsyncQdrantRemote,
            url=settings.url,
            prefer_grpc=settings.prefer_grpc,
            grpc_port=settings.grpc_port,
            # as a header: the argument warns on plain http, which is how a local server speaks
            headers={"api-key": key} if key else {},
            # ours comes first; the vendor's would name no place
            timeout=math.ceil(longest) + 1,
            pool_size=settings.pool_size,
            check_compatibility=False,
            # without TLS the certificates are not read: a seventh of the time
            verify=(settings.url or "").startswith("https:"),
        )
        self._errors = ServerErrors(where, key)
        self._size = settings.pool_size
        self._slots = asyncio.Semaphore(settings.pool_size)
        self._where = where
        self._client: AsyncQdrantRemote | None = None
        self._calls: Counter[AsyncQdrantRemote] = Counter()

    async def open(self) -> None:
        """Connect and list the collections once."""
        self._client = await self._made()
        try:
            await self.call("get_collections")
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        """Close the connections."""
        client, self._client = self._client, None
        if client is not None:
            await client.close()
        for left in list(self._calls):
            await left.close()

    async def call(self, method: str, **arguments: Any) -> Any:
        """Run the vendor's method of that name, when a slot is free.

        gRPC hears of a connection that was reset while idle by the next call's failure, so that
        call is made once more; each of the vendor's calls that we make may be. What the server
        answered is no such failure.
        """
        async with self._slots:
            client = self._present()
            try:
                return await self._ask(client, method, arguments)
            except UnavailableError as error:
                if self._client is None or not _is_lost(error):
                    raise
            await self._leave(client)
            return await self._ask(self._present(), method, arguments)

    def pool_stats(self) -> PoolStats:
        """Calls in flight; idle connections are the vendor's own."""
        limit = 0 if self._client is None else self._size
        in_flight = self._calls.total()
        return PoolStats(size=in_flight, in_use=in_flight, limit=limit)

    def _present(self) -> AsyncQdrantRemote:
        if self._client is None:
            raise UnavailableError("closed while the call waited", where=self._where)
        return self._client

    async def _ask(self, client: AsyncQdrantRemote, method: str, arguments: dict[str, Any]) -> Any:
        self._calls[client] += 1
        try:
            with self._errors.translated():
                return await getattr(client, method)(**arguments)
        except asyncio.CancelledError:
            if asyncio.current_task().cancelling():  # type: ignore[union-attr]  # this is a task
                raise
            # closing gRPC's channels cancels the calls on them, and not the tasks that wait
            raise UnavailableError("cut before the answer came", where=self._where) from None
        finally:
            self._calls[client] -= 1
            await self._close_unused(client)

    async def _made(self) -> AsyncQdrantRemote:
        with self._errors.translated():
            # the certificates are read from disk
            return await asyncio.to_thread(self._connect, grpc_options=dict(_GRPC))

    async def _leave(self, client: AsyncQdrantRemote) -> None:
        """Go on with new channels, for one that lost its server fails all calls for a while."""
        made = await self._made()
        if self._client is client:
            self._client, made = made, client
        await self._close_unused(made)

    async def _close_unused(self, client: AsyncQdrantRemote) -> None:
        """Close one that was left, but not under its calls, which that would cancel."""
        if not self._calls[client]:
            del self._calls[client]
            if client is not self._client:
                await client.close()


def _is_lost(error: UnavailableError) -> bool:
    """Whether a connection of gRPC's failed."""
    cause = error.__cause__
    return isinstance(cause, AioRpcError) and cause.code() is StatusCode.UNAVAILABLE
