"""Haystack's documents as records and back, and its filters as filters."""

import base64
from collections.abc import Collection, Mapping, Sequence
from dataclasses import fields
from typing import Any

from haystack.dataclasses import ByteStream, Document, SparseEmbedding
from haystack.errors import FilterError

from infrastructure.connections.vector.adapters.metadata import packed, refuse_taken, unpacked
from infrastructure.connections.vector.base import Match, Record, SparseVector
from infrastructure.connections.vector.filters import (
    MAX_DEPTH,
    ORDER,
    AllOf,
    AnyOf,
    Condition,
    Filter,
    Not,
    Operator,
)
from infrastructure.errors import RejectedError

#: True in a record whose document has no embedding: it is in no vector search.
BARE = "_bare"
_META = "meta."
_ATTRIBUTES = frozenset(field.name for field in fields(Document)) - {"meta"}
_OPERATORS = {
    str(operator): operator
    for operator in Operator
    if operator not in {Operator.EXISTS, Operator.TEXT}
}
_LISTS = (Operator.IN, Operator.NOT_IN)


def record_of(document: Document, dimensions: int) -> Record:
    """A record that holds all of the document but its score.

    Raises:
        RejectedError: The metadata holds what is no JSON, or a name that is taken.
    """
    refuse_taken(document.meta, BARE)
    beside: dict[str, Any] = {}
    if document.content is None:
        beside["content"] = None
    if document.blob is not None:
        beside["blob"] = {
            "data": base64.b64encode(document.blob.data).decode(),
            "meta": document.blob.meta,
            "mime_type": document.blob.mime_type,
        }
    found = packed(document.meta, **beside)
    vector: Sequence[float] | None = document.embedding
    if vector is None:
        found[BARE] = True
        vector = [1.0] + [0.0] * (dimensions - 1)
    sparse = document.sparse_embedding
    weights = None if sparse is None else dict(zip(sparse.indices, sparse.values, strict=True))
    return Record(
        document.id,
        vector,
        document.content or "",
        found,
        SparseVector.of(weights) if weights else None,
    )


def document_of(found: Record | Match) -> Document:
    """The document of a record, or of a match with its score."""
    own = dict(found.fields)
    is_bare = own.pop(BARE, False)
    meta, beside = unpacked(own)
    blob = beside.get("blob")
    return Document(
        id=found.id,
        content=beside.get("content", found.text),
        meta=meta,
        blob=ByteStream(**{**blob, "data": base64.b64decode(blob["data"])}) if blob else None,
        score=found.score if isinstance(found, Match) else None,
        embedding=list(found.vector) if isinstance(found, Record) and not is_bare else None,
        sparse_embedding=_sparse_embedding(found),
    )


def filter_of(filters: Mapping[str, Any] | None) -> Filter | None:
    """Our filter for Haystack's; None for none.

    Raises:
        FilterError: (Haystack) It is malformed, or asks what no filter can.
    """
    return _translated(filters, 0) if filters else None


def field_of(name: str) -> str:
    """The name of a metadata field, with or without `meta.` before it.

    Raises:
        FilterError: (Haystack) It is an attribute of documents, and no metadata, or no name.
    """
    if not isinstance(name, str):
        raise FilterError(f"a field is a name, found {name!r}")
    if name in _ATTRIBUTES:
        raise FilterError(f"'{name}' is no metadata; filters ask about meta.<name>")
    return name.removeprefix(_META)


def _translated(filters: Any, depth: int) -> Filter:
    if depth > MAX_DEPTH:
        raise FilterError(f"a filter is at most {MAX_DEPTH} levels deep")
    if not isinstance(filters, Mapping):
        raise FilterError(f"a filter is a dictionary, found {filters!r}")
    try:
        return _condition(filters) if "field" in filters else _combination(filters, depth)
    except RejectedError as error:
        raise FilterError(error.what) from error


def _condition(filters: Mapping[str, Any]) -> Filter:
    field, value = (_needed(filters, key) for key in ("field", "value"))
    word = _word(filters, _OPERATORS)
    operator = _OPERATORS[word]
    if operator in _LISTS and not isinstance(value, list):
        raise FilterError(f"the value of '{word}' is a list, found {value!r}")
    if operator in ORDER and value is None:
        return AnyOf()  # nothing is more or less than nothing
    return Condition(field_of(field), operator, value)


def _combination(filters: Mapping[str, Any], depth: int) -> Filter:
    conditions = _needed(filters, "conditions")
    if not isinstance(conditions, list):
        raise FilterError(f"conditions are a list, found {conditions!r}")
    parts = tuple(_translated(one, depth + 1) for one in conditions)
    match _word(filters, ("AND", "OR", "NOT")):
        case "AND":
            return AllOf(parts)
        case "OR":
            return AnyOf(parts)
        case _:
            return Not(AllOf(parts))


def _word(filters: Mapping[str, Any], known: Collection[str]) -> str:
    word = _needed(filters, "operator")
    if not isinstance(word, str) or word not in known:
        raise FilterError(f"unknown operator {word!r}; there are {', '.join(known)}")
    return word


def _needed(filters: Mapping[str, Any], key: str) -> Any:
    if key not in filters:
        raise FilterError(f"'{key}' is missing in {dict(filters)!r}")
    return filters[key]


def _sparse_embedding(found: Record | Match) -> SparseEmbedding | None:
    if isinstance(found, Match) or found.sparse is None:
        return None
    return SparseEmbedding(list(found.sparse.indices), list(found.sparse.values))
