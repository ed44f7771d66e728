import importlib.util
import socket
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from infrastructure.errors import UnavailableError
from infrastructure.servers import valkey as module
from infrastructure.servers.base import LocalServer
from infrastructure.servers.process import free_port
from infrastructure.servers.valkey import ValkeyServer


@pytest.fixture
def server() -> Iterator[ValkeyServer]:
    if reason := ValkeyServer.reason_missing():
        pytest.skip(reason)
    with ValkeyServer() as server:
        yield server


def _ask(url: str, *commands: str) -> str:
    parts = urlsplit(url)
    with socket.create_connection((parts.hostname, parts.port), timeout=2) as line:
        line.sendall("".join(f"{command}\r\n" for command in commands).encode())
        return line.recv(10_000).decode()


def test_it_answers_on_loopback_and_only_with_its_password(valkey: LocalServer) -> None:
    parts = urlsplit(valkey.url)
    assert (parts.scheme, parts.hostname) == ("redis", "127.0.0.1")
    assert _ask(valkey.url, "PING").startswith("-NOAUTH")
    assert _ask(valkey.url, f"AUTH {parts.password}").startswith("+OK")


def test_a_restart_keeps_the_url_and_loses_the_data(server: ValkeyServer) -> None:
    url = server.url
    login = f"AUTH {urlsplit(url).password}"
    _ask(url, login, "SET key 1")
    server.restart()
    assert server.url == url
    assert _ask(url, login, "EXISTS key").endswith(":0\r\n")


def test_after_a_kill_it_can_be_started_again(server: ValkeyServer) -> None:
    url = server.url
    server.kill()
    with pytest.raises(ConnectionRefusedError):
        _ask(url, "PING")
    server.start()
    assert server.url == url


def test_stop_ends_it_also_when_frozen_and_again_is_harmless(server: ValkeyServer) -> None:
    process = server._running()
    folder = process.folder
    server.freeze()
    server.stop()
    server.stop()
    assert (process.is_running, folder.exists(), server.url) == (False, False, "")


def test_a_given_one_is_used_and_never_stopped(valkey: LocalServer) -> None:
    with ValkeyServer(valkey.url) as given:
        assert given.url == valkey.url
    assert _ask(valkey.url, "PING").startswith("-NOAUTH")


@pytest.mark.parametrize("password", ["wrong", ""])
def test_a_given_one_that_does_not_let_us_in_is_an_error_without_the_password(
    valkey: LocalServer, password: str
) -> None:
    url = f"redis://:{password}@127.0.0.1:{urlsplit(valkey.url).port}/0"
    with pytest.raises(UnavailableError) as caught:
        ValkeyServer(url).start()
    assert "wrong" not in str(caught.value)


def test_a_given_one_that_is_not_there_is_an_error() -> None:
    with pytest.raises(UnavailableError, match="does not answer"):
        ValkeyServer(f"redis://127.0.0.1:{free_port()}").start()


def test_without_any_binary_the_reason_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_binary", lambda: None)
    assert "pip install" in ValkeyServer.reason_missing()
    with pytest.raises(UnavailableError, match="pip install"):
        ValkeyServer().start()


def test_a_binary_on_the_path_serves_when_the_wheel_is_not_there(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    binary = tmp_path / "redis-server"
    binary.touch(mode=0o755)
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert module._binary() == binary
