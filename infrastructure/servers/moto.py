"""The moto server: DynamoDB's protocol on this machine, in memory."""

import http.client
import importlib.util
import json
import secrets
import sys
from pathlib import Path
from typing import ClassVar

from infrastructure.servers.base import LocalServer
from infrastructure.servers.process import ServerProcess, free_port

_PROBE_SECONDS = 5.0


class MotoServer(LocalServer):
    """Serves AWS interfaces from a child process; what it holds is gone with it.

    It checks keys and signatures, as AWS does.

    Attributes:
        access_key_id: The key that may do everything; made by the constructor.
        secret_access_key: Its secret.
    """

    kind: ClassVar[str] = "dynamodb"

    def __init__(self) -> None:
        self.access_key_id = f"AKIA{secrets.token_hex(8).upper()}"
        self.secret_access_key = secrets.token_urlsafe(24)
        self._process: ServerProcess | None = None
        self._port = 0

    @classmethod
    def reason_missing(cls) -> str:
        """Why it cannot be had here; empty when it can."""
        if importlib.util.find_spec("moto") and importlib.util.find_spec("werkzeug"):
            return ""
        return 'the package moto is not installed: pip install "moto[server]"'

    def start(self) -> None:
        """Start, and load what answers for DynamoDB.

        Raises:
            UnavailableError: It ended, or did not answer in time; with the end of its log.
        """
        if self._process is None:
            self._process = ServerProcess(self.kind)
            self._port = free_port()
            self.url = f"http://127.0.0.1:{self._port}"
            self._write_wishes(self._process.folder)
        program = Path(__file__).with_name("moto_main.py")
        self._process.start([sys.executable, "-P", str(program)], is_ready=self._answers)

    def stop(self) -> None:
        """End the process and remove its folder; harmless when nothing runs."""
        process, self._process = self._process, None
        self.url = ""
        if process is not None:
            process.kill()  # it has nothing to save
            process.close()

    def _write_wishes(self, folder: Path) -> None:
        wanted = {
            "port": self._port,
            "access_key_id": self.access_key_id,
            "secret_access_key": self.secret_access_key,
        }
        file = folder / "moto.json"
        file.touch(mode=0o600)
        file.write_text(json.dumps(wanted), encoding="utf-8")

    def _answers(self) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=_PROBE_SECONDS)
        try:
            connection.request("GET", "/moto-api/data.json")
            return connection.getresponse().status == http.client.OK
        finally:
            connection.close()
