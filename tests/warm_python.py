"""Programs run by an interpreter that has imported the drivers' packages and this project already.

Each program gets a fork of it: a process of its own, in a folder of its own. Importing takes a
second, which hundreds of programs of a line or two would pay again each.

    with WarmPython(environment) as python:
        done = python.run(["program.py"], folder)

The arguments begin with the program's file.
"""

import atexit
import contextlib
import importlib
import json
import os
import runpy
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Any, Self

TIMEOUT_SECONDS = 60
#: Where the commands of this environment are.
SCRIPTS = Path(sys.executable).parent
#: What a program of a reader sees: a terminal of a common width, and no setting of anybody.
ENVIRONMENT = {
    **{name: value for name, value in os.environ.items() if name in {"HOME", "LANG"}},
    "PATH": f"{SCRIPTS}:{os.environ['PATH']}",
    "COLUMNS": "140",
    "HAYSTACK_TELEMETRY_ENABLED": "False",
}
#: What programs of this project import sooner or later; none of it does anything by that.
PACKAGES = (
    "aiosqlite",
    "asyncpg",
    "dependency_injector.containers",
    "dependency_injector.wiring",
    "fastapi",
    "httpx",
    "loguru",
    "msgspec",
    "openai",
    "opentelemetry.sdk.trace",
    "pydantic",
    "qdrant_client",
    "redis.asyncio",
    "rich.console",
    "sqlalchemy.ext.asyncio",
    "starlette",
    "typer",
    "yaml",
    "containers.application",
    "containers.cli.app",
)


@dataclass(frozen=True, slots=True)
class Done:
    """How a program ended."""

    returncode: int
    stdout: str
    stderr: str


class WarmPython:
    """Starts the interpreter when the block begins, and ends it with the block.

    Args:
        environment: All the variables that the programs see.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = dict(environment)

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, "-W", "error", str(Path(__file__))],
            env=self._environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.close()
        self._process.wait(TIMEOUT_SECONDS)
        self._process.stdout.close()

    def run(self, arguments: Sequence[str], folder: Path) -> Done:
        """Run a program and wait for it; it is ended after a minute."""
        assert self._process.stdin
        assert self._process.stdout
        with TemporaryDirectory() as kept:
            out, err = Path(kept, "out"), Path(kept, "err")
            order = {"arguments": list(arguments), "folder": str(folder)}
            order |= {"out": str(out), "err": str(err)}
            self._process.stdin.write(json.dumps(order).encode() + b"\n")
            self._process.stdin.flush()
            code = int(self._process.stdout.readline())
            return Done(code, out.read_text(), err.read_text())


def _serve() -> None:
    """Take orders from stdin, a line each, and answer each with the exit code."""
    for package in PACKAGES:
        with contextlib.suppress(ImportError):
            importlib.import_module(package)
    for line in sys.stdin:
        order = json.loads(line)
        sys.stdout.flush()
        pid = os.fork()
        if not pid:
            _become(order)
        sys.stdout.write(f"{_code_of(pid)}\n")
        sys.stdout.flush()


def _code_of(pid: int) -> int:
    """The exit code of the child; one that takes too long is ended."""
    child = os.pidfd_open(pid) if hasattr(os, "pidfd_open") else None
    if child is not None:
        ended, _, _ = select.select([child], [], [], TIMEOUT_SECONDS)
        os.close(child)
        if not ended:
            os.kill(pid, signal.SIGKILL)
    _, status = os.waitpid(pid, 0)
    return os.waitstatus_to_exitcode(status)


def _become(order: Mapping[str, Any]) -> None:
    """Be the program, to the end of the process."""
    code = 1
    try:
        os.chdir(order["folder"])
        nothing = os.open(os.devnull, os.O_RDONLY)
        out, err = (os.open(order[name], os.O_WRONLY | os.O_CREAT) for name in ("out", "err"))
        for opened, number in ((nothing, 0), (out, 1), (err, 2)):
            os.dup2(opened, number)
        code = _run(order["arguments"])
        threading._shutdown()  # type: ignore[attr-defined]  # waits for threads, as an interpreter's end does
        atexit._run_exitfuncs()
    finally:
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError):
                stream.flush()
        os._exit(code)


def _run(arguments: Sequence[str]) -> int:
    try:
        sys.argv = list(arguments)
        sys.path[0] = str(Path(arguments[0]).absolute().parent)
        runpy.run_path(arguments[0], run_name="__main__")
    except SystemExit as end:
        if end.code is None or isinstance(end.code, int):
            return end.code or 0
        sys.stderr.write(f"{end.code}\n")
        return 1
    except BaseException:  # noqa: BLE001 - told as an interpreter tells it
        sys.excepthook(*sys.exc_info())
        return 1
    return 0


if __name__ == "__main__":
    _serve()
