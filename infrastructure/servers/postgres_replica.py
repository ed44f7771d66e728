"""A PostgreSQL that follows another one of ours."""

import os
import shutil
from pathlib import Path

from infrastructure.errors import UnavailableError
from infrastructure.servers.postgres import PostgresServer, _complete, _output, _server_user


class PostgresReplica(PostgresServer):
    """A hot standby: copied from a primary that runs, and fed by it over the network.

    Its `url` and its password are those of the primary, but for the port.

    Args:
        primary: Whom it follows; it is not stopped with this one.
    """

    def __init__(self, primary: PostgresServer) -> None:
        super().__init__()
        self._primary = primary
        self._password = primary._password  # noqa: SLF001 - the primary is one of the same class

    def address_of(self, url: str) -> str:
        """Where a database of the primary is found here."""
        return url.replace(f":{self._primary._port}/", f":{self._port}/")  # noqa: SLF001 - as above

    def _reachable(self, programs: Path) -> Path:  # noqa: ARG002 - the primary has copied them
        return self._primary._programs  # noqa: SLF001 - as above

    def _create_data(self) -> None:
        folder, user = self._running().folder, _server_user()
        if user is not None:
            shutil.chown(folder, user)
        command = [
            str(self._programs / "pg_basebackup"),
            *("--pgdata", str(folder / "data"), "--host", "127.0.0.1"),
            *("--port", str(self._primary._port), "--username", "postgres"),  # noqa: SLF001 - as above
            *("--checkpoint", "fast", "--write-recovery-conf", "--no-sync", "--no-manifest"),
        ]
        environ = {"PGPASSWORD": self._password, "PGPASSFILE": os.devnull}
        done = _complete(command, folder, user=user, environ=environ)
        if done.returncode:
            raise UnavailableError(f"server 'postgres': pg_basebackup failed: {_output(done)}")
