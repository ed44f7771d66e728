"""Vector stores: collections of vectors, searched by likeness and filtered by fields."""

from infrastructure.connections.vector.base import (
    Match,
    Metric,
    Record,
    SparseVector,
    UpsertError,
    VectorRegistry,
    VectorStore,
)
from infrastructure.connections.vector.filters import Filter, where
from infrastructure.connections.vector.filters.parsing import parse as parse_filter

__all__ = [
    "Filter",
    "Match",
    "Metric",
    "Record",
    "SparseVector",
    "UpsertError",
    "VectorRegistry",
    "VectorStore",
    "parse_filter",
    "where",
]
