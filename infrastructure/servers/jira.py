"""A stand-in for Jira Data Center 8.20 of our own, from the wheel `jira820`.

It speaks the REST interface 2 with issues, workflow and files of its own making, and the searches
of Confluence. It lets everybody in, whatever the credentials.
"""

import importlib.util
import socket
import sys
from typing import ClassVar

from infrastructure.errors import UnavailableError
from infrastructure.servers.base import LocalServer
from infrastructure.servers.process import ServerProcess, free_port

_PACKAGE = "jira820"
_PROBE_SECONDS = 2.0
_PROBE = b"GET /rest/api/2/serverInfo HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n"


class JiraServer(LocalServer):
    """Listens on 127.0.0.1 only and keeps its data in memory.

    Attributes:
        port: Where it listens, after `start()`.
        project: The key of its project.
    """

    kind: ClassVar[str] = "jira"
    project: ClassVar[str] = "JIRA820"

    def __init__(self) -> None:
        self.port = 0
        self._process: ServerProcess | None = None

    @classmethod
    def reason_missing(cls) -> str:
        """Why it cannot be had here; empty when it can."""
        if importlib.util.find_spec(_PACKAGE) is not None:
            return ""
        return f"the package '{_PACKAGE}' is not installed"

    def start(self) -> None:
        """Start and wait until it says its version.

        Raises:
            UnavailableError: The package is missing, or it did not answer in time.
        """
        if reason := self.reason_missing():
            raise UnavailableError(f"server 'jira' cannot be had: {reason}")
        if self._process is None:
            self._process = ServerProcess(self.kind)
            self.port = free_port()
            self.url = f"http://127.0.0.1:{self.port}"
        # of our own environment it needs nothing, and should see nothing
        here = {"JIRA820_HOST": "127.0.0.1", "JIRA820_PORT": str(self.port)}
        self._process.start(
            [sys.executable, "-m", _PACKAGE],
            is_ready=self._answers,
            environ=here,
        )

    def stop(self) -> None:
        """End the process and remove its files; harmless when nothing runs."""
        process, self._process = self._process, None
        self.url, self.port = "", 0
        if process is not None:
            process.kill()  # it has nothing to save
            process.close()

    def _answers(self) -> bool:
        address = ("127.0.0.1", self.port)
        with socket.create_connection(address, timeout=_PROBE_SECONDS) as line:
            line.sendall(_PROBE)
            return line.recv(100).startswith(b"HTTP/1.1 200")
