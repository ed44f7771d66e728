"""Real servers, started once a run and only when a test asks for them."""

import pytest

from containers.testing.services import Services
from infrastructure.servers.base import LocalServer

pytest_plugins = ["pytester"]


@pytest.fixture(scope="session")
def valkey(service: Services) -> LocalServer:
    """A Valkey server with a password."""
    return service("redis")


@pytest.fixture(scope="session")
def postgres(service: Services) -> LocalServer:
    """A PostgreSQL server with pgvector, over TCP with a password."""
    return service("postgres")


@pytest.fixture(scope="session")
def llama(service: Services) -> LocalServer:
    """The llama.cpp server with a small real model."""
    return service("openai")
