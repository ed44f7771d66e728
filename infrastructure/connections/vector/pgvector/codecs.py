"""How records travel to and from pgvector: vectors as its bytes, fields as JSON.

Bytes both ways are several times cheaper than text, and what a COPY needs.
"""

import struct
from array import array
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from infrastructure.connections.vector.records import Match, Place, Record
from infrastructure.connections.vector.sparse import MAX_INDEX, SparseVector
from infrastructure.connections.vector.values import MAX_WHOLE, dates_of

#: Keys of the JSON that a record's fields are kept in; one letter, since each record has them.
FIELDS: Final = "f"
DATES: Final = "d"

_VECTOR = struct.Struct(">HH")  # dimensions, unused
_SPARSE = struct.Struct(">iii")  # dimensions, entries, unused

#: PostgreSQL keeps no U+0000. It is written as two characters that Unicode keeps for such uses.
_ESCAPE: Final = "\ufdd0"
_ESCAPES: Final = str.maketrans({"\0": f"{_ESCAPE}\ufdd1", _ESCAPE: f"{_ESCAPE}\ufdd2"})
_ESCAPE_BYTES: Final = _ESCAPE.encode()


def vector_bytes(vector: Sequence[float]) -> bytes:
    """A `vector` in the format its type sends."""
    floats = array("f", vector)
    floats.byteswap()
    return _VECTOR.pack(len(floats), 0) + floats.tobytes()


def vector_of(data: bytes) -> "array[float]":
    """A `vector` from the format its type sends."""
    floats = array("f")
    floats.frombytes(memoryview(data)[_VECTOR.size :])
    floats.byteswap()
    return floats


def sparse_bytes(sparse: SparseVector) -> bytes:
    """A `sparsevec` in the format its type sends."""
    indices, values = array("i", sparse.indices), array("f", sparse.values)
    indices.byteswap()
    values.byteswap()
    head = _SPARSE.pack(MAX_INDEX, len(indices), 0)
    return b"".join((head, indices.tobytes(), values.tobytes()))


def sparse_of(data: bytes) -> SparseVector:
    """A `sparsevec` from the format its type sends."""
    indices, values = array("i"), array("f")
    middle = (len(data) + _SPARSE.size) // 2
    indices.frombytes(memoryview(data)[_SPARSE.size : middle])
    values.frombytes(memoryview(data)[middle:])
    indices.byteswap()
    values.byteswap()
    return SparseVector(indices, values)


def row_of(place: Place, record: Record) -> tuple[Any, ...]:
    """A record's row, in the order of the table's columns."""
    return (
        kept_text(place.tenant),
        kept_text(record.id),
        kept_text(record.text),
        payload_of(record.fields),
        vector_bytes(record.vector),
        None if record.sparse is None else sparse_bytes(record.sparse),
    )


def record_of(row: Any) -> Record:
    """A record of a row with its vectors."""
    id_, text, payload, vector, sparse = row
    return Record(given_text(id_), vector, given_text(text), fields_of(payload), sparse)


def match_of(row: Any) -> Match:
    """A match of a row with its distance."""
    id_, text, payload, distance = row
    return Match(given_text(id_), -distance, given_text(text), fields_of(payload))


def payload_of(fields: Mapping[str, Any]) -> str:
    """The fields as JSON, and beside them the seconds of their dates, which filters ask about."""
    dates = dates_of(fields)
    found = msgspec.json.encode({FIELDS: fields, DATES: dates} if dates else {FIELDS: fields})
    if b"\\u0000" in found or _ESCAPE_BYTES in found:
        whole = {FIELDS: _mapped(fields, kept_text), DATES: _mapped(dates, kept_text)}
        found = msgspec.json.encode(whole)
    return found.decode()


def fields_of(payload: str) -> dict[str, Any]:
    """The fields that `payload_of` was given."""
    fields: dict[str, Any] = msgspec.json.decode(payload)[FIELDS]
    if _ESCAPE in payload:
        fields = _mapped(fields, given_text)
    return {name: _as_it_was(value) for name, value in fields.items()}


def kept_text(text: str) -> str:
    """Text as the database can keep it."""
    return text.translate(_ESCAPES) if "\0" in text or _ESCAPE in text else text


def given_text(text: str) -> str:
    """Text that `kept_text` was given."""
    if _ESCAPE not in text:
        return text
    return text.replace(f"{_ESCAPE}\ufdd1", "\0").replace(f"{_ESCAPE}\ufdd2", _ESCAPE)


def _as_it_was(value: Any) -> Any:
    """As a float what no field has as a whole number: the database spells 1e300 out."""
    if isinstance(value, list):
        return [_as_it_was(one) for one in value]
    return float(value) if type(value) is int and abs(value) > MAX_WHOLE else value


def _mapped(value: Any, change: Any) -> Any:
    match value:
        case str():
            return change(value)
        case list():
            return [_mapped(one, change) for one in value]
        case Mapping():
            return {change(name): _mapped(one, change) for name, one in value.items()}
        case _:
            return value
