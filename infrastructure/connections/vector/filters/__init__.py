"""One filter language for every vector store: a small tree, a builder, a plain form, a meaning."""

from infrastructure.connections.vector.filters.language import Field, all_of, matches, where
from infrastructure.connections.vector.filters.nodes import (
    MAX_DEPTH,
    AllOf,
    AnyOf,
    Condition,
    Filter,
    Not,
    operators,
)
from infrastructure.connections.vector.filters.operators import ORDER, Operator

__all__ = [
    "MAX_DEPTH",
    "ORDER",
    "AllOf",
    "AnyOf",
    "Condition",
    "Field",
    "Filter",
    "Not",
    "Operator",
    "all_of",
    "matches",
    "operators",
    "where",
]
