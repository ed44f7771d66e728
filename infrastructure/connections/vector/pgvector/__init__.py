"""pgvector: vectors in PostgreSQL, in a schema of their own."""

from infrastructure.connections.vector.pgvector.connection import PgvectorSettings
from infrastructure.connections.vector.pgvector.store import PgvectorVectorStore

__all__ = ["PgvectorSettings", "PgvectorVectorStore"]
