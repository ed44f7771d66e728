"""One connection for httpcore, on asyncio alone.

httpcore's own goes through anyio, which costs a sixth more CPU time a call.
"""

import asyncio
import select
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpcore


class TcpStream(httpcore.AsyncNetworkStream):
    """A TCP connection, with TLS on it or not; errors are httpcore's.

    Args:
        reader: Its end for reading.
        writer: Its end for writing.
    """

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def connect(cls, address: str, port: int, seconds: float | None) -> "TcpStream":
        """Connect to an address, not a name, within so many seconds."""
        with _errors(httpcore.ConnectError, httpcore.ConnectTimeout):
            async with asyncio.timeout(seconds):
                return cls(*await asyncio.open_connection(address, port))

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109 - httpcore's
        """Up to so many bytes; none at the end."""
        with _errors(httpcore.ReadError, httpcore.ReadTimeout):
            if timeout is None:
                return await self._reader.read(max_bytes)
            async with asyncio.timeout(timeout):
                return await self._reader.read(max_bytes)

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109 - httpcore's
        """Send the bytes, as fast as the other side takes them."""
        with _errors(httpcore.WriteError, httpcore.WriteTimeout):
            self._writer.write(buffer)
            async with asyncio.timeout(timeout):
                await self._writer.drain()

    async def aclose(self) -> None:
        """Close at once, without giving way: a call cancelled here would leave others open."""
        self._writer.transport.abort()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's
    ) -> httpcore.AsyncNetworkStream:
        """Go on with TLS; the certificate is verified for the name."""
        with _errors(httpcore.ConnectError, httpcore.ConnectTimeout):
            try:
                async with asyncio.timeout(timeout):
                    await self._writer.start_tls(ssl_context, server_hostname=server_hostname)
            except BaseException:
                await self.aclose()
                raise
        return self

    def get_extra_info(self, info: str) -> Any:
        """What httpcore asks for: whether an idle connection has something to say, mostly its end.

        Others are those of asyncio's transports.
        """
        if info == "is_readable":
            return self._is_readable()
        return self._writer.get_extra_info(info)

    def _is_readable(self) -> bool:
        socket = self._writer.get_extra_info("socket")
        is_over = self._writer.is_closing() or self._reader.at_eof()
        if is_over or self._reader.exception() is not None or socket.fileno() < 0:
            return True
        if self._reader._buffer:  # type: ignore[attr-defined]  # noqa: SLF001 - the loop has read it
            return True
        waiting = select.poll()  # the loop may not have seen it yet
        waiting.register(socket.fileno(), select.POLLIN)
        return bool(waiting.poll(0))


@contextmanager
def _errors(kind: type[Exception], timeout: type[Exception]) -> Iterator[None]:
    try:
        yield
    except TimeoutError as error:  # an OSError, too
        raise timeout(str(error)) from error
    except (OSError, EOFError) as error:  # also what TLS says
        raise kind(str(error)) from error
    except RuntimeError as error:  # asyncio's word for a transport that was closed meanwhile
        raise kind(str(error)) from error
