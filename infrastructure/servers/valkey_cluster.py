"""A cluster of Valkey servers of our own: three masters on this machine that hold all slots."""

import secrets
import signal
import time
from typing import ClassVar, Final
from urllib.parse import urlsplit

from infrastructure.errors import UnavailableError
from infrastructure.servers.base import LocalServer
from infrastructure.servers.process import ServerProcess, free_port
from infrastructure.servers.valkey import ValkeyServer, answers_ping, ask, found_binary

_SLOTS: Final = 16384
_START_SECONDS: Final = 30.0
_CONFIGURATION: Final = """\
bind 127.0.0.1
port {port}
cluster-enabled yes
cluster-port {bus_port}
cluster-config-file nodes.conf
cluster-node-timeout {node_timeout_milliseconds}
cluster-announce-ip 127.0.0.1
requirepass {password}
primaryauth {password}
save ""
appendonly no
dir {folder}
"""


class ValkeyCluster(LocalServer):
    """`masters` servers that share the slots evenly, without replicas.

    Attributes:
        urls: Of every member; `url` is the first.
    """

    kind: ClassVar[str] = "redis cluster"

    def __init__(self, masters: int = 3, *, node_timeout_milliseconds: int = 2000) -> None:
        self.urls: list[str] = []
        self._masters = masters
        self._node_timeout_milliseconds = node_timeout_milliseconds
        self._processes: list[ServerProcess] = []

    @classmethod
    def reason_missing(cls) -> str:
        """As for one server."""
        return ValkeyServer.reason_missing()

    def start(self) -> None:
        """Start the members, join them, and wait until each says that the cluster is whole."""
        try:
            self._start(secrets.token_hex(16))
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End every process that was started and remove its files."""
        processes, self._processes = self._processes, []
        self.urls, self.url = [], ""
        for process in processes:
            process.kill()  # they keep nothing, and an orderly end takes a second each
            process.close()

    @property
    def nodes(self) -> list[str]:
        """Every member as host:port."""
        parts = [urlsplit(url) for url in self.urls]
        return [f"{part.hostname}:{part.port}" for part in parts]

    def kill(self, member: int) -> None:
        """End one member as a crash would."""
        self._processes[member].kill()

    def freeze(self, member: int) -> None:
        """Stop the execution of one member: it accepts, and answers nothing."""
        self._processes[member].send(signal.SIGSTOP)

    def thaw(self, member: int) -> None:
        """Go on after `freeze()`."""
        self._processes[member].send(signal.SIGCONT)

    def revive(self, member: int) -> None:
        """Start a killed member again, with the slots it had and no data, and wait for all."""
        self._spawn(self._processes[member], self.urls[member])
        self._wait()

    def ask(self, member: int, *command: str) -> bytes:
        """One command to one member, and its raw answer."""
        return ask(self.urls[member], *command)

    def _start(self, password: str) -> None:
        for _ in range(self._masters):
            self._add(password)
        self.url = self.urls[0]
        self._join()
        self._wait()

    def _add(self, password: str) -> None:
        process = ServerProcess("redis")
        self._processes.append(process)
        port = free_port()
        file = process.folder / "valkey.conf"
        file.write_text(
            _CONFIGURATION.format(
                port=port,
                bus_port=free_port(),
                node_timeout_milliseconds=self._node_timeout_milliseconds,
                password=password,
                folder=process.folder,
            )
        )
        file.chmod(0o600)
        self.urls.append(f"redis://:{password}@127.0.0.1:{port}/0")
        self._spawn(process, self.urls[-1])

    def _spawn(self, process: ServerProcess, url: str) -> None:
        configuration = str(process.folder / "valkey.conf")
        process.start([found_binary(), configuration], is_ready=lambda: answers_ping(url))

    def _join(self) -> None:
        share = -(-_SLOTS // self._masters)
        for at, process in enumerate(self._processes):
            last = min(_SLOTS, (at + 1) * share) - 1
            self.ask(at, "CLUSTER", "ADDSLOTSRANGE", str(at * share), str(last))
            configuration = (process.folder / "valkey.conf").read_text().splitlines()
            values = dict(line.split(" ", 1) for line in configuration)
            self.ask(0, "CLUSTER", "MEET", "127.0.0.1", values["port"], values["cluster-port"])

    def _wait(self) -> None:
        give_up = time.monotonic() + _START_SECONDS
        while not all(self._is_whole(at) for at in range(self._masters)):
            if time.monotonic() > give_up:
                tails = "\n".join(process.log_tail()[-500:] for process in self._processes)
                raise UnavailableError(f"server 'redis cluster' did not become whole: {tails}")
            time.sleep(0.02)

    def _is_whole(self, member: int) -> bool:
        state = self.ask(member, "CLUSTER", "INFO")
        known = f"cluster_known_nodes:{self._masters}\r".encode()
        return b"cluster_state:ok" in state and known in state
