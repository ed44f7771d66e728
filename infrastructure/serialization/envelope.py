"""What wraps the bytes of a value that leaves this process.

    magic (3) | form (1) | flags (1) | codec (1) | schema version (4) | body | check (4 or 32)

The check is a checksum or, with secrets, a signature; it covers the key and all that stands before.
"""

import struct
from collections.abc import Callable, Sequence
from typing import Any, Final, Self
from zlib import crc32

from infrastructure.config.models.serialization import MIN_SECRET_CHARS, EnvelopeSettings
from infrastructure.errors import ConfigurationError, MissingExtraError, UnsupportedError
from infrastructure.serialization import compression, signing
from infrastructure.serialization.errors import Reason, UnreadableError
from infrastructure.serialization.reading import read, unpack
from infrastructure.serialization.signing import CHECKSUM_BYTES, RESIDUE, has_checksum
from infrastructure.serialization.writing import write

#: 0xc1 starts no msgpack value, no text and no pickle.
_MAGIC: Final = b"\xc1SE"
_FORM: Final = 1
_CODEC: Final = 1
_COMPRESSED: Final = 1
_SIGNED: Final = 2
_HEADER: Final = struct.Struct(">3sBBBI")
_HEADER_BYTES: Final = _HEADER.size
#: Stands for a value until `open` has read it.
_UNREAD: Final = object()


class Envelope:
    """Seals values and opens them again, for keys.

    Args:
        schema_version: A number of the caller's; what another one sealed is not opened.
        compress_over_bytes: Larger bodies are compressed, where that makes them smaller.
        max_bytes: Bound on a body before compression.
        secrets: The first signs; all open. Without any, a checksum stands for the signature.
        where: The provider path for errors.

    Raises:
        MissingExtraError: Compression is asked for, and the extra zstd is not installed.
        ConfigurationError: A secret is so short that it can be guessed.
    """

    def __init__(
        self,
        *,
        schema_version: int = 0,
        compress_over_bytes: int | None = None,
        max_bytes: int = 64 * 2**20,
        secrets: Sequence[str] = (),
        where: str = "",
    ) -> None:
        if compress_over_bytes is not None and not compression.is_installed:
            raise MissingExtraError("zstd", "backports.zstd", where=where)
        if any(len(secret) < MIN_SECRET_CHARS for secret in secrets):
            what = f"a secret that signs is shorter than {MIN_SECRET_CHARS} characters"
            raise ConfigurationError(what, where=where, hint="Give a list of longer ones.")
        self._schema_version = schema_version
        self._plain_header = self._header(0)
        self._compress_over_bytes = compress_over_bytes
        self._max_bytes = max_bytes
        self._secrets = [secret.encode() for secret in secrets]
        self._check_bytes = signing.MAC_BYTES if self._secrets else CHECKSUM_BYTES
        self._where = where

    @classmethod
    def of(cls, settings: EnvelopeSettings, *, where: str = "") -> Self:
        """The envelope that a block `envelope:` asks for."""
        return cls(
            schema_version=settings.schema_version,
            compress_over_bytes=settings.compress_over_bytes,
            max_bytes=settings.max_bytes,
            secrets=[secret.get_secret_value() for secret in settings.secrets],
            where=where,
        )

    def seal(self, value: Any, key: str) -> bytes:
        """The value in bytes that `open` reads for the same key only.

        Raises:
            UnsupportedError: It holds what cannot be stored, or is larger than `max_bytes`.
        """
        body = write(value, where=self._where)
        if len(body) > self._max_bytes:
            raise UnsupportedError(
                f"a value of {len(body)} bytes is larger than {self._max_bytes}",
                where=self._where,
                hint="Store less under one key, or raise envelope.max_bytes.",
            )
        flags, body = self._smaller(body)
        content = (self._header(flags) if flags else self._plain_header) + body
        return content + self._check(content, signing.named(key))

    def open(self, data: bytes, key: str) -> Any:
        """The value that was sealed for the key.

        Raises:
            UnreadableError: The bytes are foreign, cut, changed, of another version, or sealed
                for another key; its `reason` says which. It is a DataError.
        """
        try:
            name = key.encode()
        except UnicodeEncodeError:
            name = signing.named(key)
        if (
            not self._secrets
            and data.startswith(self._plain_header)
            and has_checksum(data, name)
            and len(data) <= self._max_bytes
        ):
            return read(data[_HEADER_BYTES:-CHECKSUM_BYTES], where=self._where)
        return self._open(data, name)

    def open_all(
        self,
        keys: Sequence[str],
        stored: Sequence[bytes | None],
        otherwise: Callable[[str, bytes | None], Any],
    ) -> list[Any]:
        """The values of many keys, in a loop without a call for each.

        Args:
            keys: What the values were sealed for.
            stored: The bytes of each; None where there are none.
            otherwise: Gives what stands for all but the usual: for what is not there, is
                compressed or signed, and for what `open` would raise an error about.
        """
        usual, most = self._plain_header, 0 if self._secrets else self._max_bytes
        values = []
        for key, data in zip(keys, stored, strict=True):
            try:
                if (
                    data is not None
                    and data.startswith(usual)
                    and crc32(data, crc32(key.encode())) == RESIDUE
                    and len(data) <= most
                ):
                    value = unpack(data[_HEADER_BYTES:-CHECKSUM_BYTES])
                else:
                    value = _UNREAD
            except Exception:  # noqa: BLE001 - `open` says what is wrong, and its error is ours
                value = _UNREAD
            values.append(otherwise(key, data) if value is _UNREAD else value)
        return values

    def _open(self, data: bytes, name: bytes) -> Any:
        """The same for what is compressed, signed or has something wrong with it."""
        try:
            flags = self._flags(data)
            self._verify(data, name)
            self._refuse_other_versions(data)
            body = self._larger(flags, memoryview(data)[_HEADER_BYTES : -self._check_bytes])
        except UnreadableError as error:
            error.where = self._where
            raise
        return read(body, where=self._where)

    def _header(self, flags: int) -> bytes:
        return _HEADER.pack(_MAGIC, _FORM, flags, _CODEC, self._schema_version)

    def _smaller(self, body: bytes) -> tuple[int, bytes]:
        signed = _SIGNED if self._secrets else 0
        if self._compress_over_bytes is None or len(body) <= self._compress_over_bytes:
            return signed, body
        packed = compression.compress(body)
        return (signed | _COMPRESSED, packed) if len(packed) < len(body) else (signed, body)

    def _larger(self, flags: int, body: memoryview) -> bytes | memoryview:
        if flags & _COMPRESSED:
            if not compression.is_installed:
                what = "the stored value is compressed, and the extra zstd is not installed"
                raise UnreadableError(Reason.COMPRESSED, what)
            return compression.decompress(body, self._max_bytes)
        if len(body) > self._max_bytes:
            what = f"the stored value is larger than {self._max_bytes} bytes"
            raise UnreadableError(Reason.TOO_LARGE, what)
        return body

    def _check(self, content: bytes, name: bytes) -> bytes:
        if self._secrets:
            return signing.signature(self._secrets[0], signing.bound(name, content))
        return signing.checksum(content, name)

    def _verify(self, data: bytes, name: bytes) -> None:
        if self._secrets:
            content, given = data[: -signing.MAC_BYTES], data[-signing.MAC_BYTES :]
            signing.check_signature(self._secrets, signing.bound(name, content), given)
        elif not has_checksum(data, name):
            what = "the stored bytes are cut or damaged, or were stored under another key"
            raise UnreadableError(Reason.DAMAGED, what)

    def _flags(self, data: bytes) -> int:
        """The flags of bytes that look like ours; nothing is believed yet but their form."""
        if not data.startswith(_MAGIC) or len(data) < _HEADER_BYTES:
            raise UnreadableError(Reason.FOREIGN, "the stored bytes were not written by us")
        _, form, flags, *_ = _HEADER.unpack_from(data)
        if form != _FORM or flags & ~(_COMPRESSED | _SIGNED):
            what = f"the stored bytes have the form {form}.{flags}, which is not known here"
            raise UnreadableError(Reason.VERSION, what)
        if self._secrets and not flags & _SIGNED:
            raise UnreadableError(Reason.UNSIGNED, "the stored value has no signature")
        if flags & _SIGNED and not self._secrets:
            what = "the stored value is signed, and no secret is configured"
            raise UnreadableError(Reason.SIGNED, what, hint="Set envelope.secrets.")
        return int(flags)

    def _refuse_other_versions(self, data: bytes) -> None:
        codec, version = _HEADER.unpack_from(data)[3:]
        if codec != _CODEC:
            what = f"the stored value was written by codec {codec}, not {_CODEC}"
            raise UnreadableError(Reason.VERSION, what)
        if version != self._schema_version:
            what = f"the stored value has schema version {version}, not {self._schema_version}"
            raise UnreadableError(Reason.SCHEMA, what)
