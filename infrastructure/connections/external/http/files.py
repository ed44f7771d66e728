"""Files on their way out, as parts of a form, and on their way in; both piece by piece."""

import asyncio
import mimetypes
import secrets
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass, field
from pathlib import Path

from infrastructure.errors import UnsupportedError

_PIECE_BYTES = 262_144
_WRITTEN_BYTES = 1_048_576


@dataclass(frozen=True, slots=True)
class Upload:
    """A file to send.

    Attributes:
        content: Its bytes, or where it is on disk; from there it is read while it is sent.
        filename: What the service calls it; the name of the path when empty.
        content_type: Guessed from the name when empty.
    """

    content: bytes | Path = field(repr=False)
    filename: str = ""
    content_type: str = ""

    @property
    def name(self) -> str:
        """What the service calls it."""
        return self.filename or (self.content.name if isinstance(self.content, Path) else "file")

    @property
    def kind(self) -> str:
        """Its media type."""
        guessed = mimetypes.guess_type(self.name)[0]
        return self.content_type or guessed or "application/octet-stream"

    async def size(self) -> int:
        """Its length in bytes."""
        if isinstance(self.content, bytes):
            return len(self.content)
        return (await asyncio.to_thread(self.content.stat)).st_size

    async def pieces(self) -> AsyncGenerator[bytes, None]:
        """Its bytes; a file is read in a thread."""
        if isinstance(self.content, bytes):
            yield self.content
            return
        with self.content.open("rb") as file:
            while piece := await asyncio.to_thread(file.read, _PIECE_BYTES):
                yield piece


class Form:
    """A body of multipart/form-data (RFC 7578), which can be sent more than once.

    Args:
        files: The name of each part, and its file.
        fields: Names and values beside them.

    Raises:
        UnsupportedError: A content type is none: it would write headers of its own.
    """

    def __init__(
        self, files: Sequence[tuple[str, Upload]], fields: Mapping[str, str] | None = None
    ) -> None:
        for _, each in files:
            if not (each.kind.isascii() and each.kind.isprintable()):
                raise UnsupportedError(f"the content type of '{each.name}' is none")
        boundary = secrets.token_hex(16)
        self.content_type = f"multipart/form-data; boundary={boundary}"
        line = f"--{boundary}\r\nContent-Disposition: form-data; name="
        self._fields = b"".join(
            f'{line}"{_quoted(name)}"\r\n\r\n{value}\r\n'.encode()
            for name, value in (fields or {}).items()
        )
        self._files = [
            (
                f'{line}"{_quoted(name)}"; filename="{_quoted(each.name)}"\r\n'
                f"Content-Type: {each.kind}\r\n\r\n".encode(),
                each,
            )
            for name, each in files
        ]
        self._end = f"--{boundary}--\r\n".encode()

    async def size(self) -> int:
        """Its length in bytes."""
        size = len(self._fields) + len(self._end)
        for head, each in self._files:
            size += len(head) + await each.size() + len(b"\r\n")
        return size

    async def pieces(self) -> AsyncGenerator[bytes, None]:
        """Its bytes."""
        if self._fields:
            yield self._fields
        for head, each in self._files:
            yield head
            async with aclosing(each.pieces()) as pieces:
                async for piece in pieces:
                    yield piece
            yield b"\r\n"
        yield self._end


def _quoted(text: str) -> str:
    """As browsers write a name: only what would end it is escaped."""
    return text.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")


async def written(pieces: AsyncIterator[bytes], file: Path) -> int:
    """Write pieces to a file beside it, which takes its place at the end; give their length."""
    part = file.with_name(f".{file.name}.{secrets.token_hex(4)}.part")
    length, waiting = 0, bytearray()
    # one that a thread opens would stay behind where the call is cancelled meanwhile
    sink = part.open("xb")
    try:
        async for piece in pieces:
            waiting += piece
            length += len(piece)
            if len(waiting) >= _WRITTEN_BYTES:
                await asyncio.to_thread(sink.write, bytes(waiting))
                waiting.clear()
        await asyncio.to_thread(sink.write, bytes(waiting))
        sink.close()
        part.replace(file)
    except BaseException:
        sink.close()
        with suppress(OSError):
            part.unlink()
        raise
    return length
