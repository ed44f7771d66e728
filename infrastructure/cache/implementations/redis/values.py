"""What a value is on the server."""

import struct
from collections.abc import Sequence
from typing import Any, Final

from infrastructure.cache.base import MISSING
from infrastructure.cache.implementations.whole_numbers import INT_MAX, INT_MIN
from infrastructure.config.models.serialization import EnvelopeSettings
from infrastructure.errors import DataError
from infrastructure.serialization import Envelope

#: What stands behind a number, so that one that was cut is told from a shorter one.
END: Final = b";"
_NUMBER: Final = b"\xc1SI"
_SCHEMA: Final = struct.Struct(">I")


class StoredValues:
    """Writes and reads stored values.

    A whole number of 64 bits is text between two marks, so that the server can add to it; where
    values are signed, and for everything else, the envelope.

    Attributes:
        unreadable: How many stored values could not be read so far.
        number_mark: What stands before a number; it has the schema version in it.
        are_signed: Whether the server could not write one itself.
    """

    def __init__(self, settings: EnvelopeSettings, *, where: str) -> None:
        self._envelope = Envelope.of(settings, where=where)
        self._open = self._envelope.open
        self.number_mark = _NUMBER + _SCHEMA.pack(settings.schema_version)
        self.are_signed = bool(settings.secrets)
        self.unreadable = 0

    def write(self, key: str, value: Any) -> bytes:
        """The bytes to store.

        Raises:
            UnsupportedError: The value is of a type that cannot be stored, or too large.
        """
        if type(value) is int and INT_MIN <= value <= INT_MAX and not self.are_signed:
            return b"%b%d%b" % (self.number_mark, value, END)
        return self._envelope.seal(value, key)

    def read(self, key: str, raw: bytes | None) -> Any:
        """The value, or `MISSING` for what is not there or cannot be read, which is counted."""
        if raw is None:
            return MISSING
        try:
            if raw.startswith(self.number_mark) and not self.are_signed:
                return self._number(raw)
            return self._open(raw, key)
        except (DataError, ValueError):
            self.unreadable += 1
            return MISSING

    def read_all(self, keys: Sequence[str], stored: Sequence[bytes | None]) -> list[Any]:
        """As `read` of each."""
        return self._envelope.open_all(keys, stored, self.read)

    def _number(self, raw: bytes) -> int:
        if not raw.endswith(END):
            raise ValueError("a number without its end")
        return int(raw[len(self.number_mark) : -len(END)])
