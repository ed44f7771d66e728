"""An HTTP/1.1 server whose answers are written byte by byte by the test."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

from infrastructure.connections.external.http import HttpConnectionManager, HttpSettings


@dataclass
class Seen:
    """A request as it came."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]


Answer = Callable[[Seen], bytes | Awaitable[bytes]]


@dataclass
class RawServer:
    """Keeps connections open; `answer` gives each answer, empty bytes close the connection."""

    answer: Answer
    seen: list[Seen] = field(default_factory=list)
    asked: asyncio.Event = field(default_factory=asyncio.Event)
    connections: int = 0
    port: int = 0
    _server: asyncio.Server | None = None
    _links: dict["asyncio.Task[None]", asyncio.StreamWriter] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def left(self) -> None:
        """Wait until the other side has closed every connection, for a second."""
        async with asyncio.timeout(1):
            await asyncio.gather(*self._links)

    def say(self, data: bytes) -> None:
        """Write to every open connection, unasked."""
        for writer in self._links.values():
            writer.write(data)

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._server is not None
        self._server.close()
        for _ in range(3):  # what is being accepted now is to be there, so that it is closed
            await asyncio.sleep(0)
        tasks = list(self._links)
        for task in tasks:
            self._links[task].close()  # one that did not begin yet would not do so itself
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        task = asyncio.create_task(self._serve(reader, writer))
        self._links[task] = writer
        task.add_done_callback(self._links.pop)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with suppress(asyncio.IncompleteReadError, OSError):
                await self._serve_all(reader, writer)
        finally:
            writer.close()

    async def _serve_all(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            seen = await _read(reader)
            self.seen.append(seen)
            self.asked.set()
            answer = self.answer(seen)
            answered = answer if isinstance(answer, bytes) else await answer
            if not answered:
                return
            writer.write(answered)
            await writer.drain()


async def _read(reader: asyncio.StreamReader) -> Seen:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    method, target, _ = head[0].split(" ")
    pairs = (line.partition(": ") for line in head[1:] if line)
    headers = {name.lower(): value for name, _, value in pairs}
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    return Seen(method, target, headers, body)


def answer(
    body: bytes = b"", status: int = 200, *, kind: str = "text/plain", **headers: str
) -> bytes:
    """An answer of its length; `retry_after="1"` is the header `retry-after`."""
    lines = [f"HTTP/1.1 {status} X", f"content-type: {kind}", f"content-length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + body


def json_answer(found: Any, status: int = 200, **headers: str) -> bytes:
    return answer(json.dumps(found).encode(), status, kind="application/json", **headers)


def client_of(url: str, **changed: Any) -> HttpConnectionManager:
    found = {"base_url": url, "allow_private": True, "timeout_seconds": 5, **changed}
    return HttpConnectionManager(
        HttpSettings.model_validate(found), name="external.instances.tools"
    )
