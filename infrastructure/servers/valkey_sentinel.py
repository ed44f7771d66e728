"""A master, a replica and sentinels of our own that watch them."""

import secrets
import signal
import time
from collections.abc import Callable
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
save ""
appendonly no
dir {folder}
"""
_SENTINEL: Final = """\
bind 127.0.0.1
port {port}
dir {folder}
protected-mode no
sentinel monitor {name} 127.0.0.1 {master_port} {quorum}
sentinel auth-pass {name} {password}
sentinel down-after-milliseconds {name} {down_after_milliseconds}
sentinel failover-timeout {name} 3000
"""


class ValkeySentinels(LocalServer):
    """Two servers, one the replica of the other, and `count` sentinels.

    Attributes:
        url: Of the server that is master at first.
        urls: Of both servers, the first master first.
        sentinels: Each as host:port; they need no password.
        master_name: The name the sentinels know the master by.
    """

    kind: ClassVar[str] = "redis sentinel"
    master_name: ClassVar[str] = "mymaster"

    def __init__(self, count: int = 1, *, down_after_milliseconds: int = 500) -> None:
        self.urls: list[str] = []
        self.sentinels: list[str] = []
        self._count = count
        self._down_after_milliseconds = down_after_milliseconds
        self._password = ""
        self._servers: list[ServerProcess] = []
        self._watchers: list[ServerProcess] = []

    @classmethod
    def reason_missing(cls) -> str:
        """As for one server."""
        return ValkeyServer.reason_missing()

    def start(self) -> None:
        """Start all, and wait until each sentinel knows the replica and its fellows."""
        self._password = secrets.token_hex(16)
        try:
            self._start()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End every process that was started and remove its files."""
        processes = [*self._watchers, *self._servers]
        self._watchers, self._servers, self.urls, self.sentinels, self.url = [], [], [], [], ""
        for process in processes:
            process.kill()  # they keep nothing, and an orderly end takes a second each
            process.close()

    @property
    def master(self) -> str:
        """Where the first sentinel says that the master is, as host:port."""
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

    def revive(self, server: int) -> None:
        """Start a killed server again, as a replica of the present master, and wait for it."""
        host, _, port = self.master.partition(":")
        file = self._servers[server].folder / "valkey.conf"
        kept = [line for line in file.read_text().splitlines() if "replicaof" not in line]
        file.write_text("\n".join([*kept, f"replicaof {host} {port}", ""]))
        self._spawn(self._servers[server], self.urls[server])
        self._wait(self._is_watched, "did not see the server again")

    def fail_over(self) -> None:
        """Have the sentinels make the replica master, while the master still runs."""
        answer = self.ask_sentinel("SENTINEL", "FAILOVER", self.master_name)
        if not answer.startswith(b"+OK"):
            raise UnavailableError(f"the sentinel would not fail over: {answer.decode().strip()}")

    def ask(self, server: int, *command: str) -> bytes:
        """One command to one of the two servers, and its raw answer."""
        return ask(self.urls[server], *command)

    def ask_sentinel(self, *command: str) -> bytes:
        """One command to the first sentinel, and its raw answer."""
        return ask(f"redis://{self.sentinels[0]}", *command)

    def _start(self) -> None:
        master_port = self._add_server("")
        self._add_server(f"replicaof 127.0.0.1 {master_port}\n")
        self.url = self.urls[0]
        for _ in range(self._count):
            self._add_sentinel(master_port)
        self._wait(self._is_watched, "did not come to know each other")

    def _add_server(self, role: str) -> int:
        process, port = ServerProcess("redis"), free_port()
        self._servers.append(process)
        text = _SERVER.format(port=port, password=self._password, folder=process.folder)
        self._configure(process, text + role)
        self.urls.append(f"redis://:{self._password}@127.0.0.1:{port}/0")
        self._spawn(process, self.urls[-1])
        return port

    def _add_sentinel(self, master_port: int) -> None:
        process, port = ServerProcess("redis-sentinel"), free_port()
        self._watchers.append(process)
        text = _SENTINEL.format(
            port=port,
            folder=process.folder,
            name=self.master_name,
            master_port=master_port,
            quorum=self._count // 2 + 1,
            password=self._password,
            down_after_milliseconds=self._down_after_milliseconds,
        )
        self._configure(process, text)
        self.sentinels.append(f"127.0.0.1:{port}")
        self._spawn(process, f"redis://{self.sentinels[-1]}", "--sentinel")

    def _configure(self, process: ServerProcess, text: str) -> None:
        file = process.folder / "valkey.conf"
        file.write_text(text)
        file.chmod(0o600)

    def _spawn(self, process: ServerProcess, url: str, *options: str) -> None:
        command = [found_binary(), str(process.folder / "valkey.conf"), *options]
        process.start(command, is_ready=lambda: answers_ping(url))

    def _is_watched(self) -> bool:
        state = [ask(f"redis://{place}", "INFO", "sentinel") for place in self.sentinels]
        whole = f"status=ok,address={self.master},slaves=1,sentinels={self._count}".encode()
        linked = ask(self.urls[1 - self.master_at], "INFO", "replication")
        return all(whole in each for each in state) and b"master_link_status:up" in linked

    def _wait(self, is_reached: Callable[[], bool], failure: str) -> None:
        give_up = time.monotonic() + _START_SECONDS
        while not is_reached():
            if time.monotonic() > give_up:
                tails = "\n".join(process.log_tail()[-800:] for process in self._watchers)
                raise UnavailableError(f"server 'redis sentinel' {failure}: {tails}")
            time.sleep(0.02)
