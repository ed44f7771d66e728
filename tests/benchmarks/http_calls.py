"""What our HTTP client adds to plain httpx: CPU and wall time of a call and of a download.

Run: python tests/benchmarks/http_calls.py [rounds] [calls]

A loopback server in its own process gives fixed answers. Rounds of both are interleaved; the
figures are medians of the ratios inside a round, so that a busy machine changes both alike.
"""

import asyncio
import contextlib
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable

import httpx

from infrastructure.connections.external.http import HttpConnectionManager, HttpSettings

TARGET = 1.10
BODY = json.dumps({"items": [{"id": number, "name": f"item {number}"} for number in range(20)]})
FILE_BYTES = 4_000_000
Ask = Callable[[], Awaitable[None]]


async def serve() -> None:
    """Answer everything with the same JSON, and `/file` with a file."""
    server = await asyncio.start_server(_connection, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


async def _connection(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    small, big = _http("application/json", BODY.encode()), _http("image/png", bytes(FILE_BYTES))
    with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):  # the client leaves
        while head := await reader.readuntil(b"\r\n\r\n"):
            length = head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0]
            await reader.readexactly(int(length or 0))
            writer.write(big if b" /api/file " in head else small)
            await writer.drain()
    writer.close()


def _http(kind: str, body: bytes) -> bytes:
    head = f"HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\ncontent-length: {len(body)}\r\n\r\n"
    return head.encode() + body


async def measure(url: str, rounds: int, calls: int) -> None:
    """Print the table."""
    settings = HttpSettings.model_validate(
        {"base_url": url, "allow_private": True, "auth": {"kind": "bearer", "token": "token"}}
    )
    ours = HttpConnectionManager(settings, name="external.instances.bench")
    headers = {"Authorization": "Bearer token"}
    async with ours, httpx.AsyncClient(base_url=url, headers=headers, trust_env=False) as raw:
        print(f"{'':28}{'CPU':>8}{'wall':>8}")
        pairs: list[tuple[str, Ask, Ask, int]] = [
            ("a GET of JSON", _raw_get(raw), _our_get(ours), calls),
            ("a POST of JSON", _raw_post(raw), _our_post(ours), calls),
            (f"a download of {FILE_BYTES:,} B", _raw_file(raw), _our_file(ours), calls // 20),
        ]
        for name, theirs, mine, number in pairs:
            cpu, wall = await _ratios(theirs, mine, rounds, max(1, number))
            verdict = "ok" if cpu <= TARGET else "OVER"
            print(f"{name:28}{cpu:8.2f}{wall:8.2f}  x httpx ({verdict}, target {TARGET:.2f})")


def _raw_get(raw: httpx.AsyncClient) -> Ask:
    async def ask() -> None:
        answer = await raw.get("items", params={"page": 1})
        answer.raise_for_status()
        assert answer.json()["items"]

    return ask


def _our_get(ours: HttpConnectionManager) -> Ask:
    async def ask() -> None:
        assert (await ours.get_json("items", {"page": 1}))["items"]

    return ask


def _raw_post(raw: httpx.AsyncClient) -> Ask:
    async def ask() -> None:
        answer = await raw.post("items", json={"name": "new", "tags": ["a", "b"]})
        answer.raise_for_status()
        assert answer.json()["items"]

    return ask


def _our_post(ours: HttpConnectionManager) -> Ask:
    async def ask() -> None:
        answer = await ours.request("POST", "items", json={"name": "new", "tags": ["a", "b"]})
        assert answer.json()["items"]

    return ask


def _raw_file(raw: httpx.AsyncClient) -> Ask:
    async def ask() -> None:
        async with raw.stream("GET", "file") as answer:
            assert sum([len(piece) async for piece in answer.aiter_bytes()]) == FILE_BYTES

    return ask


def _our_file(ours: HttpConnectionManager) -> Ask:
    async def ask() -> None:
        assert sum([len(piece) async for piece in ours.download("file")]) == FILE_BYTES

    return ask


async def _ratios(theirs: Ask, mine: Ask, rounds: int, calls: int) -> tuple[float, float]:
    await _timed(theirs, calls)
    await _timed(mine, calls)
    found = []
    for number in range(rounds):
        order = (theirs, mine) if number % 2 else (mine, theirs)
        times = {ask: await _timed(ask, calls) for ask in order}
        found.append([ours / raw for ours, raw in zip(times[mine], times[theirs], strict=True)])
    cpu, wall = (statistics.median(each) for each in zip(*found, strict=True))
    return cpu, wall


async def _timed(ask: Ask, calls: int) -> tuple[float, float]:
    cpu, wall = time.process_time(), time.perf_counter()
    for _ in range(calls):
        await ask()
    return time.process_time() - cpu, time.perf_counter() - wall


def main() -> None:
    """Start the server and measure against it."""
    if sys.argv[1:2] == ["serve"]:
        asyncio.run(serve())
        return
    rounds, calls = (int(each) for each in (*sys.argv[1:3], *("11", "200")[len(sys.argv) - 1 :]))
    with subprocess.Popen(
        [sys.executable, __file__, "serve"], stdout=subprocess.PIPE, text=True
    ) as server:
        assert server.stdout is not None
        url = f"http://127.0.0.1:{int(server.stdout.readline())}/api"
        try:
            asyncio.run(measure(url, rounds, calls))
        finally:
            server.terminate()


if __name__ == "__main__":
    main()
