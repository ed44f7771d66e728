"""A value in bytes and back: what is read equals what was written, types too.

It writes str, bytes, bool, int of any size, float, None, Decimal, datetime, date, time,
timedelta, UUID, list, tuple, set, frozenset, dict with any of these as keys, members of enums,
dataclasses, pydantic models and msgspec Structs, nested. Types are taken exactly: a subclass of
a built-in one, such as a named tuple, is refused rather than flattened. An aware datetime keeps
its instant and offset, and its zone if that is a `ZoneInfo`.

Objects of data are stored by their fields, the private attributes of a pydantic model among
them, and come back as they were, without `__init__` or a validator running (a Struct's
`__post_init__` alone does). Their class must stand at the top of an imported module, or be
registered; when its fields have changed, what was stored before is not read.

The form is msgpack with extension types between a mark with a version and a checksum, so that
bytes that are foreign, cut or damaged are told apart. Reading runs no code of the stored value.
"""

from typing import Any, Final

from infrastructure.serialization.errors import Reason, UnreadableError
from infrastructure.serialization.reading import read
from infrastructure.serialization.signing import CHECKSUM_BYTES, checksum, has_checksum
from infrastructure.serialization.writing import write

#: 0xc1 starts no msgpack value, so plain msgpack is never taken for ours; the last byte is the
#: version of the form.
_MARK: Final = b"\xc1SG\x01"
_MARK_BYTES: Final = len(_MARK)


def encode(value: Any, *, where: str = "") -> bytes:
    """Write a value.

    Raises:
        UnsupportedError: It holds something of a type that is not listed above, is nested deeper
            than 64 levels, or contains itself; names the type and the path to it.
    """
    content = _MARK + write(value, where=where)
    return content + checksum(content, b"")


def decode(data: bytes, *, where: str = "") -> Any:
    """Read a value written by `encode`.

    Raises:
        UnreadableError: The bytes are not ours, of another version, cut, or damaged, or of a
            class that is not here or has other fields now. It is a DataError.
    """
    if not data.startswith(_MARK):
        what = "the stored bytes were not written by this codec"
        raise UnreadableError(Reason.FOREIGN, what, where=where)
    if not has_checksum(data, b""):
        raise UnreadableError(Reason.DAMAGED, "the stored bytes are cut or damaged", where=where)
    return read(data[_MARK_BYTES:-CHECKSUM_BYTES], where=where)
