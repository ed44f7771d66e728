"""A Chroma of our own: it answers, returns with its data, and leaves nothing behind."""

import json
from collections.abc import Iterator
from contextlib import closing
from http.client import HTTPConnection
from typing import Any

import pytest

from infrastructure.errors import UnavailableError
from infrastructure.servers.chroma import ChromaServer

COLLECTIONS = "/api/v2/tenants/default_tenant/databases/default_database/collections"


@pytest.fixture(scope="module")
def server() -> Iterator[ChromaServer]:
    if reason := ChromaServer.reason_missing():
        pytest.skip(f"server 'chromadb' cannot be had: {reason}")
    with ChromaServer() as server:
        yield server


def said(port: int, path: str, body: Any = None) -> Any:
    with closing(HTTPConnection("127.0.0.1", port, timeout=5)) as line:
        headers = {"Content-Type": "application/json"}
        line.request("POST" if body else "GET", path, json.dumps(body) if body else None, headers)
        return json.loads(line.getresponse().read())


def test_a_restart_and_a_kill_keep_the_port_and_the_data(server: ChromaServer) -> None:
    port = server.port
    assert server.url == f"http://127.0.0.1:{port}"
    said(port, COLLECTIONS, {"name": "notes"})
    server.restart()
    assert [one["name"] for one in said(port, COLLECTIONS)] == ["notes"]
    server.kill()
    with pytest.raises(ConnectionRefusedError):
        said(port, COLLECTIONS)
    server.start()
    assert [one["name"] for one in said(port, COLLECTIONS)] == ["notes"]


def test_starting_what_runs_starts_nothing(server: ChromaServer) -> None:
    pid = server._running().pid
    server.start()
    assert server._running().pid == pid


def test_stop_ends_it_and_removes_its_folder_also_when_frozen(server: ChromaServer) -> None:
    process = server._running()
    folder, pid = process.folder, process.pid
    server.freeze()
    server.stop()
    assert pid is not None
    assert not process.is_running
    assert not folder.exists()
    assert server.url == ""


def test_what_was_not_started_cannot_be_killed() -> None:
    with pytest.raises(UnavailableError, match="was not started"):
        ChromaServer().kill()
