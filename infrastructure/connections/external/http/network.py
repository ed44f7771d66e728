"""Sockets for HTTP: a name is resolved once, every address checked, and a checked one connected.

The address that was checked is the one that is connected to, so that a name which is resolved
differently a moment later leads nowhere else. TLS still verifies the name.
"""

import asyncio
import logging
import socket
import ssl
import time
from collections.abc import Iterable
from typing import Any

import httpcore
import httpx

from infrastructure.connections.base import PoolStats
from infrastructure.connections.external.http.addresses import why_refused
from infrastructure.connections.external.http.stream import TcpStream
from infrastructure.errors import RejectedError

_KEEPALIVE_SECONDS = 5.0
_HIGHEST_PORT = 65_535


def _without_headers(record: logging.LogRecord) -> bool:
    return not str(record.msg).startswith("receive_response_headers.complete")


#: At DEBUG, httpcore writes the headers of answers: cookies, and places with a token in them.
logging.getLogger("httpcore.http11").addFilter(_without_headers)


class PinnedNetwork(httpcore.AsyncNetworkBackend):
    """Connects to checked addresses only.

    Args:
        allow_private: See `why_refused`.
        where: The provider path, for errors.
    """

    def __init__(self, *, allow_private: bool, where: str) -> None:
        self._allow_private = allow_private
        self._where = where

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - the signature is httpcore's
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Connect to the first address of the host that takes the connection.

        Raises:
            RejectedError: One of its addresses may not be connected to.
        """
        del local_address, socket_options  # httpcore's, and never given
        ends = None if timeout is None else time.monotonic() + timeout
        addresses = await self._checked(host, port)
        last: httpcore.ConnectError | httpcore.ConnectTimeout | None = None
        for number, address in enumerate(addresses):
            share = None
            if ends is not None:
                share = max(0.0, ends - time.monotonic()) / (len(addresses) - number)
            try:
                return await TcpStream.connect(address, port, share)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                last = error
        raise last or httpcore.ConnectError("the name has no address")

    async def _checked(self, host: str, port: int) -> list[str]:
        loop = asyncio.get_running_loop()
        try:
            found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except OSError as error:
            raise httpcore.ConnectError(str(error)) from error
        except (UnicodeError, OverflowError) as error:  # no name, or no port
            raise httpcore.ConnectError("the name cannot be looked up") from error
        if port > _HIGHEST_PORT:
            raise httpcore.ConnectError("there is no such port")
        addresses = list(dict.fromkeys(str(each[4][0]) for each in found))
        for address in addresses:
            if why := why_refused(address, allow_private=self._allow_private):
                raise RejectedError(
                    f"'{host}' is at {address}, which is {why}",
                    where=self._where,
                    hint="Set allow_private only where it is a service of the own network."
                    if why == "not public"
                    else "",
                )
        return addresses


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
        self._pool = self._connections = httpcore.AsyncConnectionPool(
            ssl_context=context,
            max_connections=max_connections,
            keepalive_expiry=_KEEPALIVE_SECONDS,
            network_backend=network,
        )
        self._limit = max_connections

    def stats(self) -> PoolStats:
        """Its connections, counted now."""
        found = self._connections.connections
        idle = sum(each.is_idle() for each in found)
        return PoolStats(len(found), len(found) - idle, self._limit)
