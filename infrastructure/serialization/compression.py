"""Zstandard, from the extra zstd."""

import threading

from infrastructure.serialization.errors import Reason, UnreadableError

try:
    from backports import zstd
except ImportError:  # the extra is not installed
    is_installed = False
else:
    is_installed = True

_LEVEL = 1  # a cache asks for speed; higher levels gain little below some KB
_own = threading.local()


def compress(data: bytes) -> bytes:
    """The data in one frame."""
    if not hasattr(_own, "packer"):  # to make one takes six times as long as to compress 1 KB
        _own.packer = zstd.ZstdCompressor(level=_LEVEL)
    packed: bytes = _own.packer.compress(data, zstd.ZstdCompressor.FLUSH_FRAME)
    return packed


def decompress(data: bytes | memoryview, max_bytes: int) -> bytes:
    """What `compress` was given, as long as it is no larger than `max_bytes`.

    Raises:
        UnreadableError: It is larger, cut, or no such data. Never more than `max_bytes` and a
            little are unpacked to find out.
    """
    unpacker = zstd.ZstdDecompressor()
    try:
        found = unpacker.decompress(data, max_length=max_bytes + 1)
    except zstd.ZstdError as error:
        what = "the stored bytes cannot be decompressed"
        raise UnreadableError(Reason.DAMAGED, what) from error
    if len(found) > max_bytes:
        what = f"the stored value is larger than {max_bytes} bytes once decompressed"
        raise UnreadableError(Reason.TOO_LARGE, what, hint="Raise max_bytes if it may be.")
    if not unpacker.eof or unpacker.unused_data:
        raise UnreadableError(Reason.DAMAGED, "the compressed bytes have another end")
    return found
