"""Sockets for HTTP: a name is resolved once, every address checked, and a checked one connected.

The address that was checked is the one that is connected to, so that a name which is resolved
differently a moment later leads nowhere else. TLS still verifies the name.
"""

import asyncio
import logging
import socket
import time
from collections.abc import Iterable
from typing import Any

import httpcore

from infrastructure.connections.external.http.addresses import why_refused
from infrastructure.connections.external.http.stream import TcpStream
from infrastructure.errors import RejectedError

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

    Attributes:
        is_closed: Whether it connects no more.
    """

    is_closed = False

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
        if self.is_closed:
            raise httpcore.ConnectError("closed meanwhile")
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
