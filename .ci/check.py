"""Run every checker, the failed ones shown whole, and say at the end which failed."""

import subprocess
import sys
import time
from pathlib import Path

CHECKS = {
    "style": ["ruff", "check", "--quiet", "."],
    "format": ["ruff", "format", "--check", "--quiet", "."],
    "types": ["mypy"],
    "layers": ["lint-imports", "--no-logo"],
    "dependencies": ["deptry", "--no-ansi", "."],
    "dead code": ["vulture"],
    "spelling": ["codespell"],
}


def main() -> int:
    """Run them one after the other; exit code 1 when any failed."""
    failed = [name for name, command in CHECKS.items() if not _passes(name, command)]
    print(f"failed: {', '.join(failed)}" if failed else "all checks passed")
    return 1 if failed else 0


def _passes(name: str, command: list[str]) -> bool:
    program = Path(sys.executable).with_name(command[0])
    started = time.perf_counter()
    result = subprocess.run(
        [program, *command[1:]],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    seconds = time.perf_counter() - started
    word = "FAILED" if result.returncode else "ok"
    print(f"{name:13} {word:7} {seconds:5.1f} s", flush=True)
    if result.returncode:
        print(result.stdout + result.stderr, flush=True)
    return not result.returncode


if __name__ == "__main__":
    sys.exit(main())
