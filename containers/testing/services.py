"""Real servers for tests: started when first asked for, shared by the session, ended by pid."""

from contextlib import ExitStack
from importlib import import_module
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from infrastructure.servers.base import LocalServer

#: Where the server of each kind lives.
SERVERS = {
    "chromadb": "infrastructure.servers.chroma:ChromaServer",
    "dynamodb": "infrastructure.servers.moto:MotoServer",
    "jira": "infrastructure.servers.jira:JiraServer",
    "memcached": "infrastructure.servers.memcached:MemcachedServer",
    "mongodb": "infrastructure.servers.mongodb:MongodbServer",
    "openai": "infrastructure.servers.llama:LlamaServer",
    "postgres": "infrastructure.servers.postgres:PostgresServer",
    "redis": "infrastructure.servers.valkey:ValkeyServer",
    "s3": "infrastructure.servers.seaweedfs:SeaweedServer",
}


def server_type(kind: str) -> "type[LocalServer]":
    """The class of the server for a kind; a kind that has none fails the test."""
    if kind not in SERVERS:
        pytest.fail(f"no server '{kind}'; there are: {', '.join(SERVERS)}", pytrace=False)
    module, _, name = SERVERS[kind].partition(":")
    found: type[LocalServer] = getattr(import_module(module), name)
    return found


class Services:
    """The servers of one session, by kind; call it with a kind to have that server.

    Under xdist each worker has its own, on ports of its own.
    """

    def __init__(self) -> None:
        self._running: dict[str, LocalServer] = {}
        self._failed: dict[str, str] = {}
        self._ends = ExitStack()

    def __call__(self, kind: str) -> "LocalServer":
        """The running server; `.url` says where. Skips the test where it cannot be had."""
        if kind not in self._running:
            self._start(kind)
        return self._running[kind]

    def close(self) -> None:
        """End every server, the last started first; each has its turn."""
        self._running.clear()
        self._ends.close()

    def _start(self, kind: str) -> None:
        found = server_type(kind)
        if reason := found.reason_missing():
            pytest.skip(f"server '{kind}' cannot be had: {reason}")
        if kind in self._failed:
            pytest.fail(f"server '{kind}' did not start before: {self._failed[kind]}")
        try:
            self._running[kind] = self._ends.enter_context(found())
        except Exception as error:
            self._failed[kind] = str(error)
            raise
