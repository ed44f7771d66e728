"""What importing the project costs, against importing dependency-injector alone.

Each import runs in a fresh process; process CPU time, interleaved rounds, medians.
"""

import statistics
import subprocess
import sys

ROUNDS = 9
IMPORTS = {
    "dependency_injector": "import dependency_injector.containers, dependency_injector.wiring",
    "containers": "import containers",
    "containers.Container": "from containers import Container",
    "infrastructure.config": "from infrastructure.config import load_settings; load_settings",
}


def cpu_ms(statement: str) -> float:
    code = f"import time; t = time.process_time(); {statement}; print(time.process_time() - t)"
    return float(subprocess.check_output([sys.executable, "-c", code])) * 1000


def main() -> None:
    figures: dict[str, list[float]] = {name: [] for name in IMPORTS}
    for _ in range(ROUNDS):
        for name, statement in IMPORTS.items():
            figures[name].append(cpu_ms(statement))
    base = statistics.median(figures["dependency_injector"])
    for name, values in figures.items():
        median = statistics.median(values)
        print(f"{name:24} {median:7.1f} ms CPU  {median / base:5.2f}x")


if __name__ == "__main__":
    main()
