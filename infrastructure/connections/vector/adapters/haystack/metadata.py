"""What Haystack asks about the metadata of documents, answered from the documents one by one."""

from collections.abc import AsyncIterator, Sequence
from typing import Any

from haystack.dataclasses import Document

from infrastructure.connections.vector.adapters.haystack.documents import field_of

_TYPES: dict[type, str] = {bool: "boolean", int: "int", float: "float"}


async def counts_of(
    documents: AsyncIterator[Document], metadata_fields: Sequence[str]
) -> dict[str, int]:
    """How many different values each field has."""
    found: dict[str, set[str]] = {field_of(name): set() for name in metadata_fields}
    async for document in documents:
        for name, values in found.items():
            if document.meta.get(name) is not None:
                values.add(_identity(document.meta[name]))
    return {name: len(values) for name, values in found.items()}


async def types_of(documents: AsyncIterator[Document]) -> dict[str, dict[str, str]]:
    """The type of each field, in Haystack's words; of the last document that has it."""
    found: dict[str, dict[str, str]] = {}
    async for document in documents:
        for name, value in document.meta.items():
            if value is not None:
                found[name] = {"type": _TYPES.get(type(value), "keyword")}
    return found


async def extremes_of(documents: AsyncIterator[Document], metadata_field: str) -> dict[str, Any]:
    """The least and the greatest value; None where there is none, or they do not compare."""
    field, least, greatest = field_of(metadata_field), None, None
    async for document in documents:
        value = document.meta.get(field)
        if not isinstance(value, (int, float, str)):
            continue
        try:
            least = value if least is None else min(least, value)
            greatest = value if greatest is None else max(greatest, value)
        except TypeError:  # text beside numbers
            return {"min": None, "max": None}
    return {"min": least, "max": greatest}


async def values_of(
    documents: AsyncIterator[Document], metadata_field: str, term: str | None
) -> list[Any]:
    """The different values whose text has the term in it, in the order of their text."""
    field = field_of(metadata_field)
    found: dict[str, Any] = {}
    async for document in documents:
        value = document.meta.get(field)
        if value is not None and (not term or term.lower() in str(value).lower()):
            found.setdefault(_identity(value), value)
    return sorted(found.values(), key=lambda value: (str(value), type(value).__name__))


def _identity(value: Any) -> str:
    """Tells 1, 1.0, True and "1" apart, and works for lists and mappings."""
    return f"{type(value).__name__} {value!r}"
