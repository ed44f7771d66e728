"""Real servers, started once a run and only when a test asks for them."""

from collections.abc import Iterator
from importlib import import_module

import pytest

from infrastructure.servers.base import LocalServer


def _running(module: str, name: str) -> Iterator[LocalServer]:
    server_type: type[LocalServer] = getattr(
        import_module(f"infrastructure.servers.{module}"), name
    )
    if reason := server_type.reason_missing():
        pytest.skip(f"server '{server_type.kind}' cannot be had: {reason}")
    with server_type() as server:
        yield server


@pytest.fixture(scope="session")
def valkey() -> Iterator[LocalServer]:
    """A Valkey server with a password."""
    yield from _running("valkey", "ValkeyServer")


@pytest.fixture(scope="session")
def postgres() -> Iterator[LocalServer]:
    """A PostgreSQL server with pgvector, over TCP with a password."""
    yield from _running("postgres", "PostgresServer")


@pytest.fixture(scope="session")
def llama() -> Iterator[LocalServer]:
    """The llama.cpp server with a small real model."""
    yield from _running("llama", "LlamaServer")
