"""What is stored, cut into parts of one length: bytes, a file, or whatever comes in pieces."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from io import BufferedReader
from pathlib import Path

from infrastructure.resilience.budget import GivenUp

Source = bytes | Path | AsyncIterable[bytes]
_BYTES = (bytes, bytearray, memoryview)


async def length_of(source: Source) -> int | None:
    """In bytes; None where only the end will tell."""
    if isinstance(source, Path):
        return (await asyncio.to_thread(source.stat)).st_size
    return len(source) if isinstance(source, _BYTES) else None


@asynccontextmanager
async def parts_of(source: Source, part_bytes: int) -> AsyncIterator[AsyncGenerator[bytes, None]]:
    """Parts of exactly `part_bytes`, the last one maybe shorter; of nothing, one empty part.

    What comes in pieces comes once: where the body fails, no retry around it begins it again, for
    what was read already would be missing.
    """
    if isinstance(source, Path):
        parts = _of_file(source, part_bytes)
    elif isinstance(source, _BYTES):
        parts = _of_bytes(memoryview(source), part_bytes)
    else:
        parts = _of_pieces(source, part_bytes)
    async with aclosing(parts), aclosing(_at_least_one(parts)) as given:
        try:
            yield given
        except BaseException as error:
            if not isinstance(source, (Path, *_BYTES)):
                GivenUp.put_on(error, "")  # type: ignore[arg-type]  # a deadline's cause is seen, too
            raise


async def _at_least_one(parts: AsyncIterator[bytes]) -> AsyncGenerator[bytes, None]:
    is_empty = True
    async for part in parts:
        is_empty = False
        yield part
        del part  # its reader alone decides how long it is kept
    if is_empty:
        yield b""


async def _of_file(path: Path, part_bytes: int) -> AsyncGenerator[bytes, None]:
    """Read in a thread, since a disk may take its time."""
    opening = asyncio.create_task(asyncio.to_thread(path.open, "rb"))
    try:
        file = await asyncio.shield(opening)
        while part := await asyncio.to_thread(file.read, part_bytes):
            yield part
    finally:
        opening.add_done_callback(_close)  # also what opens after its reader has gone


def _close(opening: asyncio.Task[BufferedReader]) -> None:
    """In a thread: it waits for one that still reads, lest its number become another file's."""
    if not opening.cancelled() and not opening.exception():
        asyncio.get_running_loop().run_in_executor(None, opening.result().close)


async def _of_bytes(data: memoryview, part_bytes: int) -> AsyncGenerator[bytes, None]:
    for at in range(0, len(data), part_bytes):
        yield bytes(data[at : at + part_bytes])


async def _of_pieces(pieces: AsyncIterable[bytes], part_bytes: int) -> AsyncGenerator[bytes, None]:
    held = bytearray()
    async for piece in pieces:
        held += piece
        while len(held) >= part_bytes:
            with memoryview(held) as view:
                part = bytes(view[:part_bytes])
            del held[:part_bytes]
            yield part
            del part  # its reader alone decides how long it is kept
    if held:
        yield bytes(held)
