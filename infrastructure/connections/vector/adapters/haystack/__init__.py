"""A vector store as Haystack has them."""

from infrastructure.connections.vector.adapters.haystack.retriever import HaystackEmbeddingRetriever
from infrastructure.connections.vector.adapters.haystack.store import Filters, HaystackDocumentStore

__all__ = ["Filters", "HaystackDocumentStore", "HaystackEmbeddingRetriever"]
