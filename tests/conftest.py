"""Real servers, started once a run and only when a test asks for them.

They are everybody's: a test that ends, freezes or fills a server starts one of its own.
"""

from collections.abc import Iterator
from typing import TypeVar

import pytest

from containers.testing.services import Services
from infrastructure.servers.base import LocalServer
from infrastructure.servers.memcached import MemcachedServer
from infrastructure.servers.valkey_cluster import ValkeyCluster
from infrastructure.servers.valkey_sentinel import ValkeySentinels

pytest_plugins = ["pytester"]

ServerT = TypeVar("ServerT", bound=LocalServer)


@pytest.fixture(scope="session")
def valkey(service: Services) -> LocalServer:
    """A Valkey server with a password."""
    return service("redis")


@pytest.fixture(scope="session")
def valkey_cluster() -> Iterator[ValkeyCluster]:
    """Three masters that share the slots."""
    yield from _running(ValkeyCluster)


@pytest.fixture(scope="session")
def valkey_sentinels() -> Iterator[ValkeySentinels]:
    """A master, its replica and a sentinel."""
    yield from _running(ValkeySentinels)


@pytest.fixture(scope="session")
def memcached(service: Services) -> MemcachedServer:
    """A memcached server."""
    server = service("memcached")
    assert isinstance(server, MemcachedServer)
    return server


@pytest.fixture(scope="session")
def postgres(service: Services) -> LocalServer:
    """A PostgreSQL server with pgvector, over TCP with a password."""
    return service("postgres")


@pytest.fixture(scope="session")
def llama(service: Services) -> LocalServer:
    """The llama.cpp server with a small real model."""
    return service("openai")


def _running(kind: type[ServerT]) -> Iterator[ServerT]:
    if reason := kind.reason_missing():
        pytest.skip(f"server '{kind.kind}' cannot be had: {reason}")
    with kind() as server:
        yield server
