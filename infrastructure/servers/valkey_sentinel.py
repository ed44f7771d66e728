"""A master, a replica and a sentinel of our own that watches them."""

import secrets
import signal
import time
from typing import ClassVar, Final
from urllib.parse import urlsplit

from infrastructure.errors import UnavailableError
from infrastructure.servers.base import LocalServer
from infrastructure.servers.process import ServerProcess, free_port
from infrastructure.servers.valkey import ValkeyServer, answers_ping, ask, found_binary

_START_SECONDS: Final = 30.0
_SERVER: Final = """\
bind 127.0.0.1
port {port}
requirepass {password}
primaryauth {password}
repl-diskless-sync-delay 0
repl-diskless-load swapdb
save ""
appendonly no
dir {folder}
"""
_SENTINEL: Final = """\
bind 127.0.0.1
port {port}
dir {folder}
protected-mode no
sentinel monitor {name} 127.0.0.1 {master_port} 1
sentinel auth-pass {name} {password}
sentinel down-after-milliseconds {name} {down_after_milliseconds}
sentinel failover-timeout {name} 3000
"""


class ValkeySentinels(LocalServer):
    """Two servers, one the replica of the other, and a sentinel.

    Attributes:
        url: Of the server that is master at first.
        urls: Of both servers, the first master first.
        sentinels: The one, as host:port; it needs no password.
        master_name: The name the sentinel knows the master by.
    """

    kind: ClassVar[str] = "redis sentinel"
    master_name: ClassVar[str] = "mymaster"

    def __init__(self, *, down_after_milliseconds: int = 500) -> None:
        self.urls: list[str] = []
        self.sentinels: list[str] = []
        self._down_after_milliseconds = down_after_milliseconds
        self._password = ""
        self._servers: list[ServerProcess] = []
        self._watcher: ServerProcess | None = None

    @classmethod
    def reason_missing(cls) -> str:
        """As for one server."""
        return ValkeyServer.reason_missing()

    def start(self) -> None:
        """Start all, and wait until the sentinel knows the replica."""
        self._password = secrets.token_hex(16)
        try:
            self._start()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End every process that was started and remove its files."""
        processes = [*([self._watcher] if self._watcher else []), *self._servers]
        self._watcher, self._servers, self.urls, self.sentinels, self.url = None, [], [], [], ""
        for process in processes:
            process.kill()  # they keep nothing, and an orderly end takes a second each
            process.close()

    @property
    def master(self) -> str:
        """Where the sentinel says that the master is, as host:port."""
        words = self.ask_sentinel("SENTINEL", "GET-MASTER-ADDR-BY-NAME", self.master_name).split()
        return f"{words[2].decode()}:{words[4].decode()}"

    @property
    def master_at(self) -> int:
        """The index in `urls` of the present master."""
        return [urlsplit(url).netloc.rpartition("@")[2] for url in self.urls].index(self.master)

    def kill(self, server: int) -> None:
        """End one of the two servers as a crash would."""
        self._servers[server].kill()

    def freeze(self, server: int) -> None:
        """Stop the execution of one of the two servers."""
        self._servers[server].send(signal.SIGSTOP)

    def thaw(self, server: int) -> None:
        """Go on after `freeze()`."""
        self._servers[server].send(signal.SIGCONT)

    def fail_over(self) -> None:
        """Have the sentinel make the replica master, while the master still runs."""
        answer = self.ask_sentinel("SENTINEL", "FAILOVER", self.master_name)
        if not answer.startswith(b"+OK"):
            raise UnavailableError(f"the sentinel would not fail over: {answer.decode().strip()}")

    def ask(self, server: int, *command: str) -> bytes:
        """One command to one of the two servers, and its raw answer."""
        return ask(self.urls[server], *command)

    def ask_sentinel(self, *command: str) -> bytes:
        """One command to the sentinel, and its raw answer."""
        return ask(f"redis://{self.sentinels[0]}", *command)

    def _start(self) -> None:
        master_port = self._add_server("")
        self._add_server(f"replicaof 127.0.0.1 {master_port}\n")
        self.url = self.urls[0]
        self._add_sentinel(master_port)
        self._wait()

    def _add_server(self, role: str) -> int:
        process, port = ServerProcess("redis"), free_port()
        self._servers.append(process)
        text = _SERVER.format(port=port, password=self._password, folder=process.folder)
        self._configure(process, text + role)
        self.urls.append(f"redis://:{self._password}@127.0.0.1:{port}/0")
        self._spawn(process, self.urls[-1])
        return port

    def _add_sentinel(self, master_port: int) -> None:
        self._watcher, port = ServerProcess("redis-sentinel"), free_port()
        text = _SENTINEL.format(
            port=port,
            folder=self._watcher.folder,
            name=self.master_name,
            master_port=master_port,
            password=self._password,
            down_after_milliseconds=self._down_after_milliseconds,
        )
        self._configure(self._watcher, text)
        self.sentinels.append(f"127.0.0.1:{port}")
        self._spawn(self._watcher, f"redis://{self.sentinels[0]}", "--sentinel")

    def _configure(self, process: ServerProcess, text: str) -> None:
        file = process.folder / "valkey.conf"
        file.write_text(text)
        file.chmod(0o600)

    def _spawn(self, process: ServerProcess, url: str, *options: str) -> None:
        command = [found_binary(), str(process.folder / "valkey.conf"), *options]
        process.start(command, is_ready=lambda: answers_ping(url))

    def _wait(self) -> None:
        give_up = time.monotonic() + _START_SECONDS
        while not self._is_watched():
            if time.monotonic() > give_up:
                tail = self._watcher.log_tail() if self._watcher else ""
                raise UnavailableError(
                    f"server 'redis sentinel' did not come to know the replica: {tail}"
                )
            time.sleep(0.02)

    def _is_watched(self) -> bool:
        """The sentinel has asked the replica itself, so that it would promote it."""
        known = self.ask_sentinel("SENTINEL", "REPLICAS", self.master_name)
        return b"master-link-status\r\n$2\r\nok" in known
