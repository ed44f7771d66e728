"""One child process of ours: spawned, waited for, ended by its own pid, leaving nothing behind."""

import atexit
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from infrastructure.errors import UnavailableError

_LOOPBACK = "127.0.0.1"
_LOG_TAIL_BYTES = 4000
_LOWEST_PORT, _HIGHEST_PORT = 12_000, 32_000
_TRIES = 100


def free_port() -> int:
    """A TCP port on 127.0.0.1 that nothing listens on now.

    It lies below the ports that systems give to outgoing connections, so that none of ours
    takes it before the server does.

    Raises:
        UnavailableError: None of many was free.
    """
    for _ in range(_TRIES):
        port = _LOWEST_PORT + secrets.randbelow(_HIGHEST_PORT - _LOWEST_PORT)
        with socket.socket() as probe, suppress(OSError):
            probe.bind((_LOOPBACK, port))
            return port
    raise UnavailableError(f"no free port found between {_LOWEST_PORT} and {_HIGHEST_PORT}")


class ServerProcess:
    """A server process and its private folder.

    The folder exists from construction, so that a command can name files in it. What the
    process prints goes to `server.log` in it. The process may be started again after `end()`;
    `close()`, or the end of the interpreter, ends it and removes the folder.

    Attributes:
        kind: Names the server in errors.
        folder: Private (mode 700), removed by `close()`.
    """

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.folder = Path(tempfile.mkdtemp(prefix=f"switchgear-{kind}-"))
        self._child: subprocess.Popen[bytes] | None = None
        atexit.register(self.close)

    @property
    def pid(self) -> int | None:
        """The process id while it runs."""
        child = self._child
        return child.pid if child is not None and child.poll() is None else None

    @property
    def is_running(self) -> bool:
        """Whether the process was started and has not ended."""
        return self.pid is not None

    def start(
        self,
        command: Sequence[str],
        *,
        is_ready: Callable[[], bool],
        timeout_seconds: float = 20.0,
        environ: Mapping[str, str] | None = None,
        user: str | int | None = None,
    ) -> None:
        """Spawn `command` and wait until `is_ready()` says True; nothing happens where it runs.

        Args:
            command: The program and its arguments; no shell. Passwords belong into a file in
                `folder`, since arguments can be seen by other users.
            is_ready: Tries one real operation, quickly; an OSError means "not yet".
            timeout_seconds: Bound on the whole wait.
            environ: The environment of the process; None inherits ours.
            user: Run as this user; only root can.

        Raises:
            UnavailableError: It ended, or did not answer in time; with the end of its log.
        """
        if self.is_running:
            return
        with (self.folder / "server.log").open("ab") as log:
            self._child = subprocess.Popen(  # noqa: S603 - no shell, and the caller is our own code
                list(command),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self.folder,
                env=None if environ is None else dict(environ),
                user=user,
                start_new_session=True,  # Ctrl-C reaches us alone, and we end the server in order
            )
        try:
            self._wait(is_ready, timeout_seconds)
        except BaseException:
            self.end()
            raise

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the process; nothing happens when it does not run."""
        if self._child is not None and self.is_running:
            self._child.send_signal(number)

    def end(self, *, timeout_seconds: float = 10.0) -> None:
        """Ask the process to end, and kill it if it does not in time; the folder stays."""
        child, self._child = self._child, None
        if child is None:
            return
        child.terminate()
        try:
            child.wait(timeout_seconds)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()

    def kill(self) -> None:
        """End the process at once, as a crash would."""
        child, self._child = self._child, None
        if child is not None:
            child.kill()
            child.wait()

    def close(self) -> None:
        """End the process and remove its folder; harmless when done already."""
        self.end()
        shutil.rmtree(self.folder, ignore_errors=True)
        atexit.unregister(self.close)

    def log_tail(self) -> str:
        """The end of what the process printed."""
        log = self.folder / "server.log"
        if not log.exists():
            return ""
        return log.read_bytes()[-_LOG_TAIL_BYTES:].decode(errors="replace").strip()

    def _wait(self, is_ready: Callable[[], bool], timeout_seconds: float) -> None:
        give_up = time.monotonic() + timeout_seconds
        pause = 0.005
        while not _answers(is_ready):
            if not self.is_running:
                raise UnavailableError(f"server '{self.kind}' ended at start: {self.log_tail()}")
            if time.monotonic() > give_up:
                raise UnavailableError(
                    f"server '{self.kind}' gave no answer within {timeout_seconds:g} s: "
                    f"{self.log_tail()}"
                )
            time.sleep(pause)
            pause = min(pause * 1.5, 0.1)


def _answers(is_ready: Callable[[], bool]) -> bool:
    try:
        return is_ready()
    except OSError:
        return False
