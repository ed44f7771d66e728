"""A server on 127.0.0.1 that answers what it is told, and remembers what it was asked."""

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Asked:
    method: str
    path: str
    headers: dict[str, str]
    body: Any


@dataclass
class ScriptedServer:
    """Answers by `METHOD /path`, without the query string; a list of collections by default.

    Attributes:
        status: Answers every request with it instead, when set.
        is_silent: Reads requests and never answers.
    """

    url: str = ""
    answers: dict[str, Any] = field(
        default_factory=lambda: {"GET /collections": {"collections": []}}
    )
    status: int = 0
    text: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    is_silent: bool = False
    asked: list[Asked] = field(default_factory=list)

    def bodies(self, method: str, path: str) -> list[Any]:
        return [one.body for one in self.asked if (one.method, one.path) == (method, path)]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while line := await reader.readline():
                asked = await _read(line.decode(), reader)
                self.asked.append(asked)
                if self.is_silent:
                    await reader.read()
                    return
                writer.write(self._answer(asked))
                await writer.drain()
        except ConnectionError:
            pass  # the client has left
        finally:
            writer.close()

    def _answer(self, asked: Asked) -> bytes:
        status, result = 200, self.answers.get(f"{asked.method} {asked.path}")
        body = json.dumps({"result": result, "status": "ok", "time": 0.0})
        if result is None:
            status, body = 404, json.dumps({"status": {"error": "Not found: `x` doesn't exist!"}})
        if self.status:
            status, body = self.status, self.text
        return self._reply(status, body)

    def _reply(self, status: int, body: str) -> bytes:
        extra = "".join(f"{name}: {value}\r\n" for name, value in self.headers.items())
        head = f"HTTP/1.1 {status} X\r\nContent-Type: application/json\r\n{extra}"
        return f"{head}Content-Length: {len(body.encode())}\r\n\r\n{body}".encode()


async def _read(line: str, reader: asyncio.StreamReader) -> Asked:
    method, target, _ = line.split()
    headers = {}
    while header := (await reader.readline()).decode().strip():
        name, _, value = header.partition(": ")
        headers[name.lower()] = value
    raw = await reader.readexactly(int(headers.get("content-length", "0")))
    return Asked(method, target.partition("?")[0], headers, json.loads(raw) if raw else None)


@contextmanager
def scripted_server() -> Iterator[ScriptedServer]:
    """A server that answers what it is told."""
    script = ScriptedServer()
    with served(script):
        yield script


@contextmanager
def served(script: ScriptedServer) -> Iterator[None]:
    """Runs in a thread and a loop of its own, so that the test's loop has the client alone."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    opening = asyncio.start_server(script.serve, "127.0.0.1", 0)
    server = asyncio.run_coroutine_threadsafe(opening, loop).result()
    script.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield
    finally:
        asyncio.run_coroutine_threadsafe(_stop(server), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def _stop(server: asyncio.Server) -> None:
    server.close()
    handlers = asyncio.all_tasks() - {asyncio.current_task()}
    for handler in handlers:
        handler.cancel()
    await asyncio.gather(*handlers, return_exceptions=True)
