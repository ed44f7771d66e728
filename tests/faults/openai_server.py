"""An HTTP server on 127.0.0.1 that answers as OpenAI does, or as OpenAI should not.

    async with OpenAIServer(stream(delta("Hel"), delta("lo"), finish(), usage())) as server:
        client = connect(server.url)

A reply is kept for all calls; assign `server.reply` to change it.
"""

import asyncio
import contextlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

STALL = object()
"""A part of a body: nothing more is sent until the client leaves."""
DROP = object()
"""A part of a body: the connection is cut."""


@dataclass(frozen=True)
class Reply:
    """An HTTP answer; `parts` are sent one by one."""

    parts: Sequence[Any] = ()
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


class OpenAIServer:
    """Gives the same reply to every call.

    Attributes:
        requests: The JSON bodies that came, oldest first.
        left: Set when a client leaves during a STALL.
    """

    def __init__(self, reply: Reply) -> None:
        self.reply = reply
        self.requests: list[Any] = []
        self.left = asyncio.Event()
        self.accepted = 0
        self._port = 0
        self._server: asyncio.Server | None = None
        self._links: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self._port)
        self._port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._server is not None
        self._server.close()
        for link in self._links:
            link.cancel()
        await asyncio.gather(*self._links, return_exceptions=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}/v1"

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        task = asyncio.current_task()
        assert task is not None
        self._links.add(task)
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            while await self._exchange(reader, writer):
                pass
        self._links.discard(task)
        writer.transport.abort()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """One call; says whether the connection may serve another."""
        head = await reader.readuntil(b"\r\n\r\n")
        length = _content_length(head)
        body = await reader.readexactly(length)
        self.requests.append(json.loads(body) if body else None)
        writer.write(_head(self.reply))
        for part in self.reply.parts:
            if part is DROP:
                await writer.drain()
                return False
            if part is STALL:
                await writer.drain()
                await reader.read()
                self.left.set()
                return False
            writer.write(b"%x\r\n%s\r\n" % (len(part), part))
        writer.write(b"0\r\n\r\n")
        await writer.drain()
        return True


def _head(reply: Reply) -> bytes:
    headers = {"content-type": "application/json", "transfer-encoding": "chunked", **reply.headers}
    lines = [f"HTTP/1.1 {reply.status} X", *(f"{name}: {text}" for name, text in headers.items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def _content_length(head: bytes) -> int:
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return int(line.partition(b":")[2])
    return 0


def completion(content: str = "Hello", **changes: Any) -> Reply:
    """A whole answer; `changes` are merged into the JSON."""
    choice = {
        "index": 0,
        "message": {"role": "assistant", "content": content},
        "finish_reason": "stop",
    }
    answer = {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": "gpt-test",
        "choices": [choice],
        "usage": TOKENS,
    }
    return answered({**answer, **changes})


def answered(body: Any, status: int = 200, **headers: str) -> Reply:
    """Any JSON; header names are written with `_` for `-`."""
    named = {name.replace("_", "-"): text for name, text in headers.items()}
    return Reply([json.dumps(body).encode()], status, named)


def refused(status: int, code: str | None, message: str = "no", **headers: str) -> Reply:
    """An error in OpenAI's shape."""
    error = {"message": message, "type": "error", "param": None, "code": code}
    return answered({"error": error}, status, **headers)


def stream(*parts: Any) -> Reply:
    """A stream of events."""
    return Reply(parts, headers={"content-type": "text/event-stream"})


def event(body: Any) -> bytes:
    """One server-sent event."""
    return b"data: " + json.dumps(body).encode() + b"\n\n"


def delta(text: str, reason: str | None = None) -> bytes:
    """A piece of an answer."""
    return _chunk([{"index": 0, "delta": {"content": text}, "finish_reason": reason}])


def finish(reason: str = "stop") -> bytes:
    """The chunk that says why the model stopped."""
    return _chunk([{"index": 0, "delta": {}, "finish_reason": reason}])


def usage() -> bytes:
    """The chunk that comes with `include_usage`."""
    return _chunk([], usage=TOKENS)


def _chunk(choices: list[Any], **more: Any) -> bytes:
    return event(
        {
            "id": "chatcmpl-1",
            "object": "chat.completion.chunk",
            "created": 1,
            "model": "gpt-test",
            "choices": choices,
            **more,
        }
    )


TOKENS = {
    "prompt_tokens": 11,
    "completion_tokens": 3,
    "total_tokens": 14,
    "prompt_tokens_details": {"cached_tokens": 8},
}
DONE = b"data: [DONE]\n\n"
