"""The parts of an upload: how long they are, and which are there already."""

import zlib
from base64 import b64encode
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from hashlib import md5
from typing import Any

from infrastructure.connections.external.s3.objects import bare

#: S3 takes no more (Amazon S3 User Guide, "multipart upload limits").
MOST_PARTS = 10_000
_SMALLEST_PART_BYTES = 5 * 1024 * 1024
_MD5_DIGITS = 32


@dataclass(frozen=True, slots=True)
class SentPart:
    """What the store tells of a part it has.

    Attributes:
        number: From 1 on.
        size_bytes: Its length.
        etag: The MD5 of its bytes, unless the store encrypts with keys of its own.
        crc32: Its checksum, in base64; empty where the store does not tell it.
    """

    number: int
    size_bytes: int
    etag: str
    crc32: str

    def is_of(self, data: bytes, crc32: str) -> bool:
        """Whether it has these bytes; where nothing tells it for certain, it has not."""
        if self.size_bytes != len(data):
            return False
        if self.crc32:
            return self.crc32 == crc32
        is_md5 = len(self.etag) == _MD5_DIGITS
        return is_md5 and self.etag == md5(data, usedforsecurity=False).hexdigest()


def told_part(found: Mapping[str, Any]) -> SentPart:
    """One entry of a listing of parts."""
    crc32 = found.get("ChecksumCRC32", "")
    return SentPart(found["PartNumber"], found["Size"], bare(found["ETag"]), crc32)


def part_bytes_for(size: int | None, usual: int) -> int:
    """The length of parts of `size` bytes in all: the usual one, unless that made too many."""
    return max(usual, -(-(size or 0) // MOST_PARTS))


def part_bytes_before(there: Mapping[int, SentPart], size: int | None, usual: int) -> int:
    """The length the parts that are there were cut to, unless that made too many by now."""
    first = there.get(1)
    is_cut = first is not None and first.size_bytes >= _SMALLEST_PART_BYTES
    return part_bytes_for(size, first.size_bytes if first and is_cut else usual)


def checksum(data: bytes) -> str:
    """CRC-32, as S3 has it in a header."""
    return b64encode(zlib.crc32(data).to_bytes(4, "big")).decode()


async def first_two(parts: AsyncIterator[bytes]) -> list[bytes]:
    """Two parts, or one where there is no other."""
    held = [await anext(parts)]
    async for part in parts:
        return [*held, part]
    return held


async def chained(held: list[bytes], rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Parts of which some were looked at already; none is kept once it is handed on."""
    while held:
        yield held.pop(0)
    async for part in rest:
        yield part
