"""How long loading the settings takes, warm: `python tests/benchmarks/config_load.py`.

CPU milliseconds of one `load_settings` of each shipped profile, the median of many, beside the
time PyYAML's C parser needs to read the same files once into plain objects.
"""

import statistics
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import yaml

from infrastructure.config import load_settings
from infrastructure.config.resources import packaged_folder

PRODUCTION = {
    "DATABASE_URL": "postgresql://u:p@db/app",
    "REDIS_HOST": "cache",
    "QDRANT_URL": "https://vectors",
    "OPENAI_API_KEY": "key",
    "OPENAI_MODEL": "model",
}
LIMIT_MS = 5.0


def cpu_ms(call: Callable[[], object], times: int = 200) -> float:
    """The median of `times` calls after two to warm up."""
    call(), call()
    taken = []
    for _ in range(times):
        started = time.process_time_ns()
        call()
        taken.append(time.process_time_ns() - started)
    return statistics.median(taken) / 1e6


def parse_all(profile: str) -> list[object]:
    """What any loader must do at least when it keeps nothing."""
    folder = packaged_folder()
    files = [*folder.glob("*.yaml"), folder / "profiles" / f"{profile}.yaml"]
    return [yaml.load(file.read_text(), Loader=yaml.CSafeLoader) for file in files]


def main() -> None:
    """Print the table."""
    print(f"{'profile':10} {'load ms':>8} {'parse ms':>9}   limit {LIMIT_MS} ms")
    for profile in ("embedded", "test", "dev", "prod"):
        load = cpu_ms(partial(load_settings, profile, environ=PRODUCTION))
        parse = cpu_ms(partial(parse_all, profile))
        print(f"{profile:10} {load:8.2f} {parse:9.2f}   {'ok' if load <= LIMIT_MS else 'OVER'}")


if __name__ == "__main__":
    main()
