"""The connections to one service, kept for the next call; a call that is cancelled loses none.

In httpcore's own a task gives way in the middle of a change of state: cancelled there, it leaves a
connection that is in use for ever. Here such changes are made in one go.
"""

import asyncio
import ssl
from typing import Any, cast

import httpcore
import httpx

from infrastructure.connections.base import PoolStats
from infrastructure.connections.external.http.network import PinnedNetwork

_KEEPALIVE_SECONDS = 5.0


class _Line(httpcore.AsyncHTTP11Connection):
    """An open connection."""

    def __init__(self, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        self._state_lock = asyncio.Lock()  # type: ignore[assignment]  # never gives way: nobody else holds it

    async def _response_closed(self) -> None:
        if self._h11_state.trailing_data[0]:  # it would be taken for the next answer
            await self.aclose()
        else:
            await super()._response_closed()


class _Connection(httpcore.AsyncHTTPConnection):
    """A connection from its wish on.

    Attributes:
        is_begun: Whether the request it was made for has come to it.
    """

    is_begun = False

    async def handle_async_request(self, request: httpcore.Request) -> httpcore.Response:
        self.is_begun = True
        if self._connection is None:  # until it is open, others are not given it
            try:
                self._connection = await self._opened(request)
            except BaseException:
                self._connect_failed = True
                raise
        return await self._connection.handle_async_request(request)

    async def _opened(self, request: httpcore.Request) -> _Line:
        stream = await self._connect(request)
        if cast("PinnedNetwork", self._network_backend).is_closed:
            await stream.aclose()
            raise httpcore.ConnectError("closed meanwhile")
        return _Line(self._origin, stream, self._keepalive_expiry)


class _Pool(httpcore.AsyncConnectionPool):
    """Connections of `_Connection`'s kind."""

    def create_connection(self, origin: httpcore.Origin) -> _Connection:
        return _Connection(
            origin=origin,
            ssl_context=self._ssl_context,
            keepalive_expiry=self._keepalive_expiry,
            network_backend=self._network_backend,
        )

    def _assign_requests_to_connections(self) -> list[httpcore.AsyncConnectionInterface]:
        # whom a connection was made for, while it waited, may have gone before it knew
        wanted = [each.connection for each in self._requests]
        connections = cast("list[_Connection]", self._connections)
        self._connections = [each for each in connections if each.is_begun or each in wanted]
        return super()._assign_requests_to_connections()


class PinnedTransport(httpx.AsyncHTTPTransport):
    """HTTP/1.1 over a pool of pinned connections; proxies of the environment are not asked.

    Args:
        network: Opens the sockets.
        context: Verifies certificates; None where nothing but plain HTTP is spoken.
        max_connections: Bound on open connections; others wait.
    """

    def __init__(
        self, network: PinnedNetwork, context: ssl.SSLContext | None, max_connections: int
    ) -> None:
        context = context or ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        super().__init__(verify=context, trust_env=False)
        # httpx has no parameter for the network, and its pool has opened nothing yet
        self._pool = self._connections = _Pool(
            ssl_context=context,
            max_connections=max_connections,
            keepalive_expiry=_KEEPALIVE_SECONDS,
            network_backend=network,
        )
        self._network = network
        self._limit = max_connections

    async def aclose(self) -> None:
        """Close every connection, at once; one that is being opened is closed when it is open."""
        self._network.is_closed = True
        await super().aclose()
        await asyncio.sleep(0)  # the loop closes the sockets in its next turn

    def stats(self) -> PoolStats:
        """Its connections, counted now."""
        found = self._connections.connections
        idle = sum(each.is_idle() for each in found)
        return PoolStats(len(found), len(found) - idle, self._limit)
