"""A memcached server of our own, from a binary on PATH."""

import os
import shutil
import signal
import socket
from typing import ClassVar

from infrastructure.errors import UnavailableError
from infrastructure.servers.base import LocalServer
from infrastructure.servers.process import ServerProcess, free_port

_BINARY = "memcached"
_UNPRIVILEGED = "nobody"
_PROBE_SECONDS = 1.0


class MemcachedServer(LocalServer):
    """Keeps values in memory only, and listens on 127.0.0.1 over TCP only.

    Args:
        megabytes: Bound on what it keeps.

    Attributes:
        port: Where it listens, after `start()`; the same until `stop()`.
    """

    kind: ClassVar[str] = "memcached"

    def __init__(self, *, megabytes: int = 64) -> None:
        self.port = 0
        self._megabytes = megabytes
        self._process: ServerProcess | None = None

    @classmethod
    def reason_missing(cls) -> str:
        """Why no binary can be had here; empty when one can."""
        if shutil.which(_BINARY):
            return ""
        return f"there is no '{_BINARY}' on PATH; a system's packages have it"

    def start(self) -> None:
        """Start and wait until it says its version.

        Raises:
            UnavailableError: There is no binary, or it did not answer in time.
        """
        binary = shutil.which(_BINARY)
        if binary is None:
            raise UnavailableError(f"server 'memcached' cannot be had: {self.reason_missing()}")
        if self._process is None:
            self._process = ServerProcess(self.kind)
            self.port = free_port()
            self.url = f"memcached://127.0.0.1:{self.port}"
        self._process.start([binary, *self._options()], is_ready=self._answers)

    def stop(self) -> None:
        """End the process and remove its files; harmless when nothing runs."""
        process, self._process = self._process, None
        self.url, self.port = "", 0
        if process is not None:
            process.kill()  # it has nothing to save, and would take a second to end by itself
            process.close()

    def kill(self) -> None:
        """End it as a crash would; `start()` brings it back on the same port, without its data."""
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
            raise UnavailableError("server 'memcached' was not started")
        return self._process

    def _options(self) -> list[str]:
        options = ["-l", "127.0.0.1", "-p", str(self.port), "-U", "0"]
        options += ["-m", str(self._megabytes), "-t", "2"]
        return [*options, "-u", _UNPRIVILEGED] if os.geteuid() == 0 else options

    def _answers(self) -> bool:
        address = ("127.0.0.1", self.port)
        with socket.create_connection(address, timeout=_PROBE_SECONDS) as line:
            line.sendall(b"version\r\n")
            return line.recv(100).startswith(b"VERSION ")
