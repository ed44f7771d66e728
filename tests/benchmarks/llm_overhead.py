"""What our layer adds to the raw openai SDK: CPU for a call and for a streamed chunk.

Run: python tests/benchmarks/llm_overhead.py [rounds] [calls]

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
from typing import Any

import openai

from infrastructure.llm import LLMRegistry

CHUNKS = 200
TARGET = 1.10
Ask = Callable[[], Awaitable[None]]


async def serve() -> None:
    """Answer every POST: a completion, or a stream of CHUNKS deltas when the body asks for one."""
    server = await asyncio.start_server(_connection, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


async def _connection(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(asyncio.IncompleteReadError):  # the client leaves
        await _answer_all(reader, writer)
    writer.close()


async def _answer_all(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    whole, stream = _whole(), _stream()
    while head := await reader.readuntil(b"\r\n\r\n"):
        length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
        body = await reader.readexactly(length)
        writer.write(stream if b'"stream":true' in body else whole)
        await writer.drain()


def _whole() -> bytes:
    message = {"role": "assistant", "content": "word " * CHUNKS}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    body = {"id": "x", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice]}
    return _http("application/json", json.dumps({**body, "usage": _USAGE}).encode())


def _stream() -> bytes:
    deltas = [{"index": 0, "delta": {"content": "word "}, "finish_reason": None}] * CHUNKS
    last = {"index": 0, "delta": {}, "finish_reason": "stop"}
    events = [_event([choice]) for choice in [*deltas, last]]
    return _http("text/event-stream", b"".join([*events, _event([], _USAGE), b"data: [DONE]\n\n"]))


def _event(choices: list[dict[str, Any]], usage: dict[str, int] | None = None) -> bytes:
    body = {"id": "x", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    return b"data: " + json.dumps({**body, "choices": choices, "usage": usage}).encode() + b"\n\n"


def _http(kind: str, body: bytes) -> bytes:
    head = f"HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\ncontent-length: {len(body)}\r\n\r\n"
    return head.encode() + body


_USAGE = {"prompt_tokens": 5, "completion_tokens": CHUNKS, "total_tokens": 5 + CHUNKS}


async def measure(url: str, rounds: int, calls: int) -> None:
    """Print the table for whole answers and for chunks."""
    kind: Any = LLMRegistry.resolve("openai")
    ours = kind(kind.Settings(base_url=url, model="m"))
    raw = openai.AsyncOpenAI(api_key="none", base_url=url, max_retries=0, http_client=None)
    async with ours:
        answers = await _ratios(_raw_answer(raw), _our_answer(ours), rounds, calls)
        chunks = await _ratios(_raw_stream(raw), _our_stream(ours), rounds, max(1, calls // 10))
    await raw.close()
    _show("a whole answer", answers, 1)
    _show("a streamed chunk", chunks, CHUNKS)


def _raw_answer(raw: openai.AsyncOpenAI) -> Ask:
    async def ask() -> None:
        answer = await raw.chat.completions.create(
            model="m", messages=[{"role": "user", "content": "Hi"}], temperature=0, max_tokens=512
        )
        assert answer.choices[0].message.content

    return ask


def _our_answer(ours: Any) -> Ask:
    async def ask() -> None:
        assert (await ours.generate("Hi")).content

    return ask


def _raw_stream(raw: openai.AsyncOpenAI) -> Ask:
    async def ask() -> None:
        stream = await raw.chat.completions.create(
            model="m",
            messages=[{"role": "user", "content": "Hi"}],
            temperature=0,
            max_tokens=512,
            stream=True,
            stream_options={"include_usage": True},
        )
        text = [event.choices[0].delta.content or "" async for event in stream if event.choices]
        assert len("".join(text)) == 5 * CHUNKS

    return ask


def _our_stream(ours: Any) -> Ask:
    async def ask() -> None:
        text = [piece async for piece in ours.stream_generate("Hi")]
        assert len("".join(text)) == 5 * CHUNKS

    return ask


async def _ratios(raw: Ask, ours: Ask, rounds: int, calls: int) -> list[tuple[float, float]]:
    """CPU seconds a call of (raw, ours), round by round, after one round to warm up."""
    found = []
    for number in range(rounds + 1):
        order = (raw, ours) if number % 2 else (ours, raw)
        spent = {ask: await _spent(ask, calls) for ask in order}
        found.append((spent[raw], spent[ours]))
    return found[1:]


async def _spent(ask: Ask, calls: int) -> float:
    started = time.process_time()
    for _ in range(calls):
        await ask()
    return (time.process_time() - started) / calls


def _show(what: str, found: list[tuple[float, float]], parts: int) -> None:
    raw, ours = (statistics.median(column) / parts * 1e6 for column in zip(*found, strict=True))
    ratio = statistics.median(mine / theirs for theirs, mine in found)
    verdict = "ok" if ratio <= TARGET else f"over {TARGET:.2f}"
    print(f"{what:18} openai {raw:7.1f} us   ours {ours:7.1f} us   ratio {ratio:.3f}  {verdict}")


def main() -> None:
    """Start the server in its own process, and measure against it."""
    if sys.argv[1:] == ["serve"]:
        asyncio.run(serve())
        return
    rounds, calls = (*map(int, sys.argv[1:]), *(15, 50)[len(sys.argv) - 1 :])
    child = subprocess.Popen([sys.executable, __file__, "serve"], stdout=subprocess.PIPE)
    try:
        port = int(child.stdout.readline()) if child.stdout else 0
        asyncio.run(measure(f"http://127.0.0.1:{port}/v1", rounds, calls))
    finally:
        child.terminate()
        child.wait()
        if child.stdout:
            child.stdout.close()


if __name__ == "__main__":
    main()
