"""A Chroma server of our own, from the wheel `chromadb`."""

import importlib.util
import os
import signal
import socket
import sys
from typing import ClassVar

from infrastructure.errors import UnavailableError
from infrastructure.servers.base import LocalServer
from infrastructure.servers.process import ServerProcess, free_port

#: What its command `chroma run` does, without importing the whole client first.
_PROGRAM = "import sys, chromadb_rust_bindings; chromadb_rust_bindings.cli(sys.argv[1:])"
_PROBE_SECONDS = 1.0


class ChromaServer(LocalServer):
    """Keeps its data in a folder of its own, and listens on 127.0.0.1 over HTTP without a password.

    Attributes:
        port: Where it listens, after `start()`; the same until `stop()`.
    """

    kind: ClassVar[str] = "chromadb"

    def __init__(self) -> None:
        self.port = 0
        self._process: ServerProcess | None = None

    @classmethod
    def reason_missing(cls) -> str:
        """Why this server cannot be had here, and what would help; empty when it can."""
        if importlib.util.find_spec("chromadb_rust_bindings") is None:
            return "the package 'chromadb' is not installed; pip install \"switchgear[chromadb]\""
        return ""

    def start(self) -> None:
        """Start and wait until it gives a sign of life; harmless where it runs.

        Raises:
            UnavailableError: It cannot be had, ended, or did not answer in time; with the end of
                its log.
        """
        if reason := self.reason_missing():
            raise UnavailableError(f"server 'chromadb' cannot be had: {reason}")
        if self._process is None:
            self._process = ServerProcess(self.kind)
            self.port = free_port()
            self.url = f"http://127.0.0.1:{self.port}"
        place = ["--path", str(self._process.folder / "data")]
        place += ["--host", "127.0.0.1", "--port", str(self.port)]
        self._process.start(
            [sys.executable, "-c", _PROGRAM, "chroma", "run", *place], is_ready=self._answers
        )

    def stop(self) -> None:
        """End the process and remove its files; harmless when nothing runs."""
        process, self._process = self._process, None
        self.url, self.port = "", 0
        if process is not None:
            process.kill()  # its data goes anyway, and frozen it would not hear a request
            process.close()

    def restart(self) -> None:
        """End it and start it again on the same port, with the data it has."""
        self._running().end()
        self.start()

    def kill(self) -> None:
        """End it as a crash would; `start()` brings it back on the same port."""
        self._running().kill()

    def freeze(self) -> None:
        """Stop its execution: connections are accepted by the system, and nothing answers."""
        process = self._running()
        process.send(signal.SIGSTOP)
        if process.pid is not None:
            os.waitpid(process.pid, os.WUNTRACED)  # until it is so

    def thaw(self) -> None:
        """Go on after `freeze()`."""
        self._running().send(signal.SIGCONT)

    def _running(self) -> ServerProcess:
        if self._process is None:
            raise UnavailableError("server 'chromadb' was not started")
        return self._process

    def _answers(self) -> bool:
        address = ("127.0.0.1", self.port)
        with socket.create_connection(address, timeout=_PROBE_SECONDS) as line:
            line.sendall(b"GET /api/v2/heartbeat HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n")
            return line.recv(100).startswith(b"HTTP/1.0 200")
