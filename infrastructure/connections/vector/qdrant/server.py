"""A Qdrant server over HTTP or gRPC, through the vendor's client.

The half of it that speaks with servers, as `qdrant_local` has the other one: the front of both
looks through every record for texts that the vendor would embed.
"""

import asyncio
import math
from functools import partial
from typing import Any, Protocol

from pydantic import SecretStr
from qdrant_client.async_qdrant_remote import AsyncQdrantRemote

from infrastructure.connections.base import PoolStats
from infrastructure.connections.vector.qdrant.errors import ServerErrors
from infrastructure.errors import UnavailableError

#: Channels of one address share their connection otherwise, and how long it is left alone.
_GRPC = {"grpc.use_local_subchannel_pool": 1}


class Address(Protocol):
    """What of the settings says how to reach a server."""

    url: str | None
    api_key: SecretStr | None
    prefer_grpc: bool
    grpc_port: int
    pool_size: int
    timeout_seconds: float
    connect_timeout_seconds: float


class ServerEngine:
    """A Qdrant server, with at most `pool_size` calls at once."""

    def __init__(self, address: Address, *, where: str) -> None:
        key = address.api_key.get_secret_value() if address.api_key else ""
        longest = max(address.timeout_seconds, address.connect_timeout_seconds)
        self._connect = partial(
            AsyncQdrantRemote,
            url=address.url,
            prefer_grpc=address.prefer_grpc,
            grpc_port=address.grpc_port,
            # as a header: the argument warns on plain http, which is how a local server speaks
            headers={"api-key": key} if key else {},
            # ours comes first; the vendor's would name no place
            timeout=math.ceil(longest) + 1,
            pool_size=address.pool_size,
            check_compatibility=False,
            # without TLS the certificates are not read: a seventh of the time
            verify=(address.url or "").startswith("https:"),
        )
        self._errors = ServerErrors(where, key)
        self._size = address.pool_size
        self._slots = asyncio.Semaphore(address.pool_size)
        self._in_flight = 0
        self._where = where
        self._is_grpc = address.prefer_grpc
        self._client: AsyncQdrantRemote | None = None
        self._left: list[AsyncQdrantRemote] = []

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
        if self._client is not None:
            self._left.append(self._client)
            self._client = None
        await self._close_left()

    async def call(self, method: str, **arguments: Any) -> Any:
        """Run the vendor's method of that name, when a slot is free.

        gRPC hears of a connection that was reset while idle by the next call's failure, so that
        call is made once more; each of the vendor's calls that we make may be.
        """
        async with self._slots:
            self._in_flight += 1
            try:
                client = self._present()
                try:
                    return await self._ask(client, method, arguments)
                except UnavailableError:
                    if not self._is_grpc:
                        raise
                await self._leave(client)
                return await self._ask(self._present(), method, arguments)
            finally:
                self._in_flight -= 1
                if not self._in_flight:
                    await self._close_left()

    def pool_stats(self) -> PoolStats:
        """Calls in flight; idle connections are the vendor's own."""
        limit = 0 if self._client is None else self._size
        return PoolStats(size=self._in_flight, in_use=self._in_flight, limit=limit)

    def _present(self) -> AsyncQdrantRemote:
        if self._client is None:
            raise UnavailableError("closed while the call waited", where=self._where)
        return self._client

    async def _ask(self, client: AsyncQdrantRemote, method: str, arguments: dict[str, Any]) -> Any:
        with self._errors.translated():
            return await getattr(client, method)(**arguments)

    async def _made(self) -> AsyncQdrantRemote:
        with self._errors.translated():
            # the certificates are read from disk
            return await asyncio.to_thread(self._connect, grpc_options=dict(_GRPC))

    async def _leave(self, client: AsyncQdrantRemote) -> None:
        """Go on with new channels, for one that lost its server fails all calls for a while.

        Closing would cancel the calls in flight on the old ones, so the last of them closes.
        """
        made = await self._made()
        if self._client is client:
            self._left.append(client)
            self._client = made
        else:
            await made.close()

    async def _close_left(self) -> None:
        while self._left:
            await self._left.pop().close()
