"""Real servers, started once a run and only when a test asks for them.

They are everybody's: a test that ends, freezes or fills a server starts one of its own.
"""

import gc
from collections.abc import Iterator
from typing import TypeVar

import hypothesis
import pytest

from containers.testing.services import Services
from infrastructure.servers.base import LocalServer
from infrastructure.servers.chroma import ChromaServer
from infrastructure.servers.memcached import MemcachedServer
from infrastructure.servers.mongodb import MongodbServer
from infrastructure.servers.moto import MotoServer
from infrastructure.servers.seaweedfs import SeaweedServer
from infrastructure.servers.valkey_cluster import ValkeyCluster
from infrastructure.servers.valkey_sentinel import ValkeySentinels
from tests.warm_python import ENVIRONMENT, WarmPython

pytest_plugins = ["pytester"]

hypothesis.settings.register_profile("untimed", deadline=None)  # a busy machine is no defect
hypothesis.settings.load_profile("untimed")

ServerT = TypeVar("ServerT", bound=LocalServer)
#: Fixtures that are slow to make or large: one process of pytest has them, and all their tests.
LARGE = (
    "chroma",
    "jira",
    "llama",
    "mongodb",
    "moto",
    "seaweed",
    "valkey_cluster",
    "valkey_sentinels",
    "warm_python",
)


def pytest_collection_finish() -> None:
    """What collecting has made stays to the end: no garbage collection need look at it again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 20)


@pytest.hookimpl(tryfirst=True)  # the node ids are given their group by a later one
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """With `--dist loadgroup`, the tests of a large fixture go to one process."""
    for item in items:
        asked = [name for name in LARGE if name in getattr(item, "fixturenames", ())]
        if asked:
            item.add_marker(pytest.mark.xdist_group(asked[0]))


@pytest.fixture(scope="session")
def warm_python() -> Iterator[WarmPython]:
    """Runs programs as a reader would, without the wait for what they import."""
    with WarmPython(ENVIRONMENT) as python:
        yield python


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
def mongodb() -> Iterator[MongodbServer]:
    """A server that speaks MongoDB's protocol and fails on request (`configureFailPoint`)."""
    if reason := MongodbServer.reason_missing():
        pytest.skip(f"server 'mongodb' cannot be had: {reason}")
    with MongodbServer(["--enable-test-commands"]) as server:
        yield server


@pytest.fixture(scope="session")
def postgres(service: Services) -> LocalServer:
    """A PostgreSQL server with pgvector, over TCP with a password."""
    return service("postgres")


@pytest.fixture(scope="session")
def jira(service: Services) -> LocalServer:
    """A stand-in for Jira Data Center."""
    return service("jira")


@pytest.fixture(scope="session")
def seaweed(service: Services) -> SeaweedServer:
    """An object store with one key and one bucket."""
    server = service("s3")
    assert isinstance(server, SeaweedServer)
    return server


@pytest.fixture(scope="session")
def moto(service: Services) -> MotoServer:
    """DynamoDB's protocol, which checks keys and signatures."""
    server = service("dynamodb")
    assert isinstance(server, MotoServer)
    return server


@pytest.fixture(scope="session")
def chroma(service: Services) -> ChromaServer:
    """A Chroma server."""
    server = service("chromadb")
    assert isinstance(server, ChromaServer)
    return server


@pytest.fixture(scope="session")
def llama(service: Services) -> LocalServer:
    """The llama.cpp server with a small real model."""
    return service("openai")


def _running(kind: type[ServerT]) -> Iterator[ServerT]:
    if reason := kind.reason_missing():
        pytest.skip(f"server '{kind.kind}' cannot be had: {reason}")
    with kind() as server:
        yield server
