"""Run every checker, the failed ones shown whole, and say at the end which failed."""

import subprocess
import sys
import time

CHECKS = {
    "style": ["ruff", "check", "--quiet"],
    "format": ["ruff", "format", "--check", "--quiet"],
    "types": ["mypy"],
    "layers": ["lint-imports"],
    "dependencies": ["deptry", "."],
    "dead code": ["vulture"],
    "spelling": ["codespell"],
}


def main() -> int:
    """Run them one after the other; exit code 1 when any failed."""
    failed = []
    for name, command in CHECKS.items():
        started = time.perf_counter()
        result = subprocess.run(command, capture_output=True, text=True, check=False)
        seconds = time.perf_counter() - started
        print(f"{name:13} {'ok' if result.returncode == 0 else 'FAILED':7} {seconds:5.1f} s", flush=True)
        if result.returncode:
            failed.append(name)
            print(result.stdout + result.stderr, flush=True)
    print(f"failed: {', '.join(failed)}" if failed else "all checks passed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
