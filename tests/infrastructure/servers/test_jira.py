import socket
import urllib.request

import pytest

from infrastructure.servers.base import LocalServer
from infrastructure.servers.jira import JiraServer


def version_at(url: str) -> bytes:
    with urllib.request.urlopen(f"{url}/rest/api/2/serverInfo", timeout=5) as answer:
        found: bytes = answer.read()
    return found


def test_it_answers_once_started(jira: LocalServer):
    assert b'"version":"8.20.8"' in version_at(jira.url)


def test_it_is_gone_once_stopped_and_can_be_started_anew():
    with JiraServer() as server:
        port, url = server.port, server.url
        assert version_at(url)
    assert (server.url, server.port) == ("", 0)
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.1", port), timeout=1)
    server.stop()
