import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from infrastructure.errors import UnavailableError
from infrastructure.servers.memcached import MemcachedServer


@pytest.fixture
def server() -> Iterator[MemcachedServer]:
    if reason := MemcachedServer.reason_missing():
        pytest.skip(f"server 'memcached' cannot be had: {reason}")
    server = MemcachedServer()
    yield server
    server.stop()


def _said(server: MemcachedServer, command: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", server.port), timeout=5) as line:
        line.sendall(command)
        return line.recv(4000)


def test_a_started_server_answers_at_its_url(server: MemcachedServer) -> None:
    server.start()
    assert server.url == f"memcached://127.0.0.1:{server.port}"
    assert _said(server, b"version\r\n").startswith(b"VERSION ")


def test_it_listens_on_loopback_only(server: MemcachedServer) -> None:
    server.start()
    settings = _said(server, b"stats settings\r\n")
    assert b"STAT inter 127.0.0.1\r\n" in settings
    assert b"STAT udpport 0\r\n" in settings


def test_after_a_kill_it_comes_back_on_its_port_without_its_data(server: MemcachedServer) -> None:
    server.start()
    port = server.port
    assert _said(server, b"set a 0 0 1\r\n1\r\n") == b"STORED\r\n"
    server.kill()
    with pytest.raises(ConnectionRefusedError):
        _said(server, b"version\r\n")
    server.start()
    assert server.port == port
    assert _said(server, b"get a\r\n") == b"END\r\n"


def test_stop_ends_the_process_and_removes_its_folder_also_when_frozen(
    server: MemcachedServer,
) -> None:
    server.start()
    assert server._process is not None
    pid, folder = server._process.pid, server._process.folder
    assert pid is not None
    server.freeze()
    server.stop()
    server.stop()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    assert not folder.exists()
    assert server.url == ""


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs /proc")
def test_it_does_not_run_as_root(server: MemcachedServer) -> None:
    server.start()
    assert server._process is not None
    assert Path(f"/proc/{server._process.pid}").stat().st_uid != 0


def test_a_missing_binary_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert "no 'memcached' on PATH" in MemcachedServer.reason_missing()
    with pytest.raises(UnavailableError, match="cannot be had"):
        MemcachedServer().start()


def test_what_was_not_started_cannot_be_killed() -> None:
    with pytest.raises(UnavailableError, match="was not started"):
        MemcachedServer().kill()
