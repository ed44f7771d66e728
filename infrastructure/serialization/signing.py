"""What tells whether stored bytes are as they were written: a checksum, or a signature.

Both cover the key the bytes are stored under, so that a value put under another key is noticed.
The checksum finds accidents; only the signature finds intent.
"""

import hmac
import zlib
from collections.abc import Sequence

from infrastructure.serialization.errors import Reason, UnreadableError

MAC_BYTES = 32
CHECKSUM_BYTES = 4
RESIDUE = 0x2144DF1C


def signature(secret: bytes, content: bytes) -> bytes:
    """HMAC-SHA256."""
    return hmac.digest(secret, content, "sha256")


def check_signature(secrets: Sequence[bytes], content: bytes, given: bytes) -> None:
    """Compare with the signature of each secret, in a time that says nothing.

    Raises:
        UnreadableError: None of them made it.
    """
    if not any(hmac.compare_digest(signature(secret, content), given) for secret in secrets):
        what = "the stored value is signed by no secret of these, or for another key"
        raise UnreadableError(Reason.FORGED, what)


def checksum(content: bytes, name: bytes) -> bytes:
    """CRC-32 of the name and the content, to stand behind the content."""
    return zlib.crc32(content, zlib.crc32(name)).to_bytes(CHECKSUM_BYTES, "little")


def has_checksum(data: bytes, name: bytes) -> bool:
    """Whether the data end with the checksum of all before."""
    # A CRC over what ends with its own CRC is always the same: no slice, and no number to read.
    return zlib.crc32(data, zlib.crc32(name)) == RESIDUE


def named(key: str) -> bytes:
    """The key in bytes."""
    try:
        return key.encode()
    except UnicodeEncodeError:  # a lone surrogate
        return key.encode(errors="surrogatepass")


def bound(name: bytes, content: bytes) -> bytes:
    """What is signed: the name and the content, each with a certain end."""
    return b"".join((len(name).to_bytes(4, "big"), name, content))
