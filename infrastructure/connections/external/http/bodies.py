"""What a body may be: bounded on its way in, also where it is packed."""

import zlib
from collections.abc import AsyncGenerator, AsyncIterable
from typing import cast

import httpx

from infrastructure.errors import DataError, StreamTruncatedError

#: What answers may be packed with; asked for, so that nothing else should come.
ACCEPTED_ENCODING = "gzip"
_GZIP = 16 + zlib.MAX_WBITS
_PIECE_BYTES = 65_536
_PACKED = frozenset({"gzip", "x-gzip"})


async def pieces_of(
    response: httpx.Response, *, max_bytes: int, where: str
) -> AsyncGenerator[bytes, None]:
    """The body in pieces, unpacked; at most 64 KiB of it are in memory at once.

    Args:
        response: Not read yet; it is closed at the end of its body by nobody but the caller.
        max_bytes: The longest body, unpacked.
        where: The provider path, for errors.

    Raises:
        DataError: The body is longer, or packed in a way that was not asked for.
        StreamTruncatedError: A packed body ends too early.
    """
    encoding = response.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in {*_PACKED, "identity", ""}:
        raise DataError(f"the answer is packed by '{encoding[:50]}', not gzip", where=where)
    stated = response.headers.get("content-length", "")
    if stated.isdecimal() and len(stated) < _MOST_DIGITS and int(stated) > max_bytes:
        raise _too_long(max_bytes, where)
    raw = cast("AsyncIterable[bytes]", response.stream)
    pieces = _unpacked(raw, where) if encoding in _PACKED else raw
    length = 0
    async for piece in pieces:
        length += len(piece)
        if length > max_bytes:
            raise _too_long(max_bytes, where)
        yield piece


async def whole_body(response: httpx.Response, *, max_bytes: int, where: str) -> bytes:
    """The whole body; see `pieces_of`."""
    first, others = b"", bytearray()  # most are of one piece; many are not kept one by one
    async for piece in pieces_of(response, max_bytes=max_bytes, where=where):
        if first:
            others += piece
        else:
            first = piece
    return first + others if others else first


_MOST_DIGITS = 19


def _too_long(max_bytes: int, where: str) -> DataError:
    return DataError(
        f"the answer is longer than {max_bytes} bytes",
        where=where,
        hint="Raise the bound where such answers are wanted, or stream it with download().",
    )


async def _unpacked(raw: AsyncIterable[bytes], where: str) -> AsyncGenerator[bytes, None]:
    """Unpack gzip by pieces of bounded length, however much is packed into a few bytes."""
    unpacker, is_begun = zlib.decompressobj(_GZIP), False
    async for packed in raw:
        waiting = packed
        while waiting:
            if unpacker.eof:  # another member follows
                unpacker, is_begun = zlib.decompressobj(_GZIP), False
            try:
                piece = unpacker.decompress(waiting, _PIECE_BYTES)
            except zlib.error as error:
                raise DataError("the answer is not gzip, as it says", where=where) from error
            is_begun = True
            waiting = unpacker.unused_data if unpacker.eof else unpacker.unconsumed_tail
            if piece:
                yield piece
    while is_begun and not unpacker.eof:
        piece = unpacker.decompress(b"", _PIECE_BYTES)
        if not piece:
            raise StreamTruncatedError("the packed answer ends too early", where=where)
        yield piece
