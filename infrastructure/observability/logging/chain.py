"""The chain of the audit lines: how one hangs on the one before, and where it ends."""

import gzip
import hashlib
import hmac
import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import msgspec

#: What stands before the first line of all.
FIRST = "0" * 64
_SEAL, _SEAL_END = b',"hash":"', b'"}\n'
_TAIL_BYTES = 16_384
#: One that was cut, and a whole one behind several that crashes have torn.
_ENOUGH = 8


class Link(NamedTuple):
    """What the next line must know: the last number, and the hash of the last line."""

    seq: int
    hash: str


class Numbered(msgspec.Struct):
    """What a line of the chain says about its place.

    Attributes:
        hash: Of the line without it; it stands last.
        key: The id of the secret that the hash was made with; empty for none.
    """

    seq: int
    prev: str
    hash: str
    key: str = ""


def sealed(line: bytes, secret: bytes | None) -> tuple[bytes, str]:
    """The line with its own hash as its last key, and the hash: an HMAC where there is a secret."""
    body = line.removesuffix(b"}\n")
    made = hashlib.sha256(body) if secret is None else hmac.new(secret, body, hashlib.sha256)
    seal = made.hexdigest()
    return b"%b%b%b%b" % (body, _SEAL, seal.encode(), _SEAL_END), seal


def is_whole(line: bytes, seal: str, secret: bytes | None) -> bool:
    """Whether the line is byte for byte what was sealed; a crash may have kept its newline."""
    end = _SEAL + seal.encode() + _SEAL_END
    line = line if line.endswith(b"\n") else line + b"\n"
    found = sealed(line.removesuffix(end) + b"}\n", secret)[1]
    return line.endswith(end) and hmac.compare_digest(found.encode(), seal.encode())


def hash_of(line: bytes) -> str:
    """The hash of bytes, a newline at the end left out."""
    return hashlib.sha256(line.rstrip(b"\n")).hexdigest()


def hash_of_torn(before: str, half: bytes) -> str:
    """The hash of half a line: it has no `prev` to trust, so the hash before goes into its own."""
    return hash_of(before.encode() + half)


class End(NamedTuple):
    """The last whole line, and the halves behind it, oldest first."""

    link: Link | None
    torn: list[bytes]


def link_after(link: Link, torn: list[bytes]) -> Link:
    """The link behind these halves."""
    for half in torn:
        link = Link(link.seq, hash_of_torn(link.hash, half))
    return link


def end_in(lines: Iterator[bytes]) -> End:
    """The end of the chain in lines that come backwards."""
    torn: list[bytes] = []
    for line in lines:
        if (numbered := numbered_of(line)) is not None:
            return End(Link(numbered.seq, numbered.hash), torn)
        torn.insert(0, line)
    return End(None, torn)


def end_of(backup: Path) -> End:
    """The end of the chain in a backup, compressed or not."""
    if backup.suffix == ".gz":
        return end_in(reversed(list(lines_of(backup))))
    with backup.open("rb") as file:
        return end_in(backwards(file.fileno(), os.fstat(file.fileno()).st_size))


def backwards(descriptor: int, size: int) -> Iterator[bytes]:
    """The last lines, the last first; more than one of them whole, if there are."""
    chunk = _TAIL_BYTES
    while True:
        start = max(size - chunk, 0)
        lines = os.pread(descriptor, size - start, start).removesuffix(b"\n").split(b"\n")
        # The first may have begun before: it is used only if the chunk has it whole.
        if not start or len(lines) > _ENOUGH:
            yield from filter(None, reversed(lines if not start else lines[1:]))
            return
        chunk *= 4


def numbered_of(line: bytes) -> Numbered | None:
    """What a line says about its place; None of half a line."""
    try:
        return msgspec.json.decode(line, type=Numbered)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def lines_of(path: Path) -> Iterator[bytes]:
    """The lines of a file or of a compressed backup, with their newlines."""
    with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
        yield from file
