"""A server of our own that speaks MongoDB's protocol, from the wheel `secantusdb`."""

import importlib.util
import secrets
import socket
import sys
from collections.abc import Sequence
from typing import Any, ClassVar

from infrastructure.errors import UnavailableError
from infrastructure.servers.base import LocalServer
from infrastructure.servers.process import ServerProcess, free_port

_USER = "switchgear"
_PROBE_SECONDS = 1.0
_BOUNDS = ("connectTimeoutMS", "serverSelectionTimeoutMS", "socketTimeoutMS")


class MongodbServer(LocalServer):
    """SecantusDB, which is no mongod: no text indexes and no capped collections.

    It has sessions, transactions and change streams, on one member of a replica set. Its licence
    is the GPL's, so it runs in a process of its own and is imported by nothing of ours. `url` has
    a user and a password; who connects without any is let in, too.

    Args:
        options: Of its command line, such as `--standalone`.

    Attributes:
        port: Where it listens, after `start()`; the same until `stop()`.
    """

    kind: ClassVar[str] = "mongodb"

    def __init__(self, options: Sequence[str] = ()) -> None:
        self.port = 0
        self._options = tuple(options)
        self._process: ServerProcess | None = None
        self._password = secrets.token_hex(16)
        self._databases = 0

    @classmethod
    def reason_missing(cls) -> str:
        """Why this server cannot be had here, and what would help; empty when it can."""
        for package, name in (("secantus", "secantusdb"), ("pymongo", "pymongo")):
            if importlib.util.find_spec(package) is None:
                return f"the package '{name}' is not installed; pip install {name}"
        return ""

    def start(self) -> None:
        """Start and wait until its user is let in.

        Raises:
            UnavailableError: It cannot be had, ended, or did not answer in time.
        """
        if reason := self.reason_missing():
            raise UnavailableError(f"server 'mongodb' cannot be had: {reason}")
        if self._process is None:
            self._process = ServerProcess(self.kind)
            self.port = free_port()
        self._process.start(
            [sys.executable, "-m", "secantus", *self._arguments(self._process)],
            is_ready=self._lets_its_user_in,
        )
        self.url = f"mongodb://{_USER}:{self._password}@127.0.0.1:{self.port}/test?authSource=admin"

    def stop(self) -> None:
        """End the process and remove its files; harmless when nothing runs."""
        process, self._process = self._process, None
        self.url, self.port = "", 0
        if process is not None:
            process.kill()  # its files go anyway, and its way to end in order takes seconds
            process.close()

    def kill(self) -> None:
        """End it as a crash would; `start()` brings it back on the same port."""
        self._running().kill()

    def restart(self) -> None:
        """End every connection and the server, and start it on the same port and data."""
        self.kill()
        self.start()

    def create_database(self) -> str:
        """The URL of a database nobody has used yet."""
        self._running()
        self._databases += 1
        return self.url.replace("/test?", f"/test_{self._databases}?")

    def _running(self) -> ServerProcess:
        if self._process is None:
            raise UnavailableError("server 'mongodb' was not started")
        return self._process

    def _arguments(self, process: ServerProcess) -> list[str]:
        return [
            *("--host", "127.0.0.1", "--port", str(self.port)),
            *("--storage-path", str(process.folder / "data"), "--sync-on-commit"),
            *("--log-level", "WARNING", "--cache-size", "64M", *self._options),
        ]

    def _lets_its_user_in(self) -> bool:
        from pymongo.errors import OperationFailure, PyMongoError

        # where nothing listens yet, the driver would look again after half a second only
        socket.create_connection(("127.0.0.1", self.port), timeout=_PROBE_SECONDS).close()
        try:
            with self._client() as client:
                if not client.admin.command("usersInfo", _USER)["users"]:
                    client.admin.command("createUser", _USER, pwd=self._password, roles=["root"])
            with self._client(username=_USER, password=self._password) as client:
                return bool(client.admin.command("ping")["ok"])
        except OperationFailure:
            raise
        except PyMongoError:
            return False

    def _client(self, **login: Any) -> Any:
        from pymongo import MongoClient

        bounds: Any = dict.fromkeys(_BOUNDS, int(1000 * _PROBE_SECONDS))
        return MongoClient("127.0.0.1", self.port, directConnection=True, **bounds, **login)
