"""A TCP proxy on 127.0.0.1 that misbehaves on request.

    async with FaultProxy("127.0.0.1", server_port) as proxy:
        client = connect(proxy.port)
        proxy.black_hole()  # from the next byte on, on old and new connections alike
        ...
        await proxy.passes()  # and everything works again

It runs in the loop of the test. A fault set by a method counts for every connection, open or new.
"""

import asyncio
import contextlib
import socket
import struct
from collections.abc import Awaitable, Callable
from enum import Enum, auto
from types import TracebackType
from typing import Self

_CHUNK = 65536


class Fault(Enum):
    NONE = auto()
    REFUSE = auto()
    """Nothing listens; open connections are reset."""
    BLACK_HOLE = auto()
    """Connections are accepted, and nothing is forwarded in either direction."""
    RESET = auto()
    """The reply is cut after some bytes by a RST."""
    HALF_REPLY = auto()
    """The reply is cut after some bytes by an orderly close."""


class FaultProxy:
    """Stands before `host:port`.

    Attributes:
        port: Where it listens; the same for its whole life, through `refuse()` too.
        accepted: How many connections were accepted so far.
        commands: How many chunks were forwarded to the server so far.
    """

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._server: asyncio.Server | None = None
        self._links: set[_Link] = set()
        self._changed = asyncio.Event()
        self.port = 0
        self.fault = Fault.NONE
        self.reply_budget = 0
        self.delay_seconds = 0.0
        self.accepted = 0
        self.commands = 0

    async def __aenter__(self) -> Self:
        await self._listen()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop_listening()
        for _ in range(3):  # what is being accepted now is to be there, so that it is closed
            await asyncio.sleep(0)
        links = list(self._links)
        for link in links:
            link.task.cancel()
        await asyncio.gather(*(link.task for link in links), return_exceptions=True)

    @property
    def open_connections(self) -> int:
        return len(self._links)

    async def passes(self) -> None:
        """Forward everything; what a black hole held back is delivered."""
        if self._server is None:
            await self._listen()
        self._set(Fault.NONE)

    async def refuse(self) -> None:
        """Close the listener and reset what is open, as a server that is gone."""
        self._stop_listening()
        self._set(Fault.REFUSE)
        await self.drop_connections()

    def black_hole(self) -> None:
        """Accept, and forward nothing more, as a network that swallows packets."""
        self._set(Fault.BLACK_HOLE)

    def reset_after(self, reply_bytes: int) -> None:
        """Send a RST after so many bytes of the next reply; 0 cuts it before its first byte.

        The command has reached the server by then.
        """
        self._set(Fault.RESET, reply_bytes)

    def half_reply(self, reply_bytes: int) -> None:
        """Close in order after so many bytes of the next reply."""
        self._set(Fault.HALF_REPLY, reply_bytes)

    def delay(self, seconds: float) -> None:
        """Hold every reply back for so long; 0 ends it. Works beside `passes()`."""
        self.delay_seconds = seconds

    async def drop_connections(self) -> None:
        """Reset every open connection, now."""
        links = list(self._links)
        for link in links:
            link.reset()
            link.task.cancel()
        await asyncio.gather(*(link.task for link in links), return_exceptions=True)

    async def allowed(self) -> None:
        """Wait until bytes may pass."""
        while self.fault is Fault.BLACK_HOLE:
            self._changed.clear()
            await self._changed.wait()

    def _set(self, fault: Fault, reply_budget: int = 0) -> None:
        self.fault = fault
        self.reply_budget = reply_budget
        self._changed.set()

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    def _stop_listening(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self.accepted += 1
        link = _Link(self, task, reader, writer)
        self._links.add(link)
        try:
            await link.run(self._target)
        except (OSError, asyncio.CancelledError):
            link.reset()  # the end of a connection is not the end of the proxy
        finally:
            self._links.discard(link)


class _Link:
    """One client and its connection to the server."""

    def __init__(
        self,
        proxy: FaultProxy,
        task: "asyncio.Task[None]",
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        self.proxy = proxy
        self.task = task
        self._reader = reader
        self._writer = writer

    async def run(self, target: tuple[str, int]) -> None:
        await self.proxy.allowed()
        server_reader, server_writer = await asyncio.open_connection(*target)
        try:
            async with asyncio.TaskGroup() as pumps:
                pumps.create_task(self._pump(self._reader, server_writer, self._command))
                pumps.create_task(self._pump(server_reader, self._writer, self._reply))
        except* (OSError, _CutError):
            pass
        finally:
            await self._close(server_writer, self._writer)

    def reset(self) -> None:
        """Answer the client with a RST instead of an orderly close."""
        raw = self._writer.get_extra_info("socket")
        if raw is not None and raw.fileno() >= 0:
            linger_none = struct.pack("ii", 1, 0)
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger_none)
        self._writer.transport.abort()

    async def _close(self, *writers: asyncio.StreamWriter) -> None:
        for writer in writers:
            writer.close()
        try:
            for writer in writers:
                with contextlib.suppress(OSError):
                    await writer.wait_closed()
        except asyncio.CancelledError:
            for writer in writers:  # one whose other side reads nothing would stay open
                writer.transport.abort()
            raise

    async def _pump(
        self,
        source: asyncio.StreamReader,
        sink: asyncio.StreamWriter,
        through: Callable[[bytes], Awaitable[bytes]],
    ) -> None:
        while data := await source.read(_CHUNK):
            await self.proxy.allowed()
            sink.write(await through(data))
            await sink.drain()
        raise _CutError

    async def _command(self, data: bytes) -> bytes:
        self.proxy.commands += 1
        return data

    async def _reply(self, data: bytes) -> bytes:
        if self.proxy.delay_seconds:
            await asyncio.sleep(self.proxy.delay_seconds)
        if self.proxy.fault not in (Fault.RESET, Fault.HALF_REPLY):
            return data
        if len(data) <= self.proxy.reply_budget:
            self.proxy.reply_budget -= len(data)
            return data
        await self._cut(data[: self.proxy.reply_budget])
        raise _CutError

    async def _cut(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()
        if self.proxy.fault is Fault.RESET:
            self.reset()


class _CutError(Exception):
    """One direction has ended, so the other does too."""
