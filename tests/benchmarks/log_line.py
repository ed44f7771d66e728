"""What one redacted JSON line costs, against a text line of the standard library.

Run it with `python tests/benchmarks/log_line.py`. The ways are interleaved, so that a busy
machine slows all of them; the middle of the rounds counts.
"""

import logging
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from infrastructure.observability.logging import (
    LogFile,
    LogFormat,
    LoggingConfig,
    LogLevel,
    get_logger,
    setup_logging,
)

ROUNDS = 15
LINES = 2_000
SECRETS = [f"made-up-secret-{number}" for number in range(5)]


def stdlib_logger(path: Path) -> logging.Logger:
    """A logger with one file and the usual text line."""
    handler = logging.FileHandler(path)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s %(message)s"))
    logger = logging.getLogger("benchmark.stdlib")
    logger.propagate = False
    logger.setLevel(logging.INFO)
    logger.addHandler(handler)
    return logger


def measured(ways: dict[str, Callable[[], None]]) -> dict[str, float]:
    """Microseconds a line, the median of interleaved rounds."""
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(ROUNDS):
        for name, way in ways.items():
            started = time.process_time()
            for _ in range(LINES):
                way()
            taken[name].append((time.process_time() - started) / LINES * 1e6)
    return {name: statistics.median(times) for name, times in taken.items()}


def main() -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory() as folder:
        stdlib = stdlib_logger(Path(folder) / "stdlib.log")
        ours = get_logger("benchmark.ours")
        text = "order accepted order=%s region=%s total=%s"
        file = LogFile(path=Path(folder) / "ours.log", format=LogFormat.JSON, max_bytes=10**9)
        config = LoggingConfig(level=LogLevel.INFO, console=False, file=file)
        ways: dict[str, Callable[[], None]] = {
            "stdlib text line": lambda: stdlib.info(text, 4711, "eu-west", 12.5),
            "JSON line, redacted": lambda: ours.info(
                "order accepted", order=4711, region="eu-west", total=12.5
            ),
            "below the level": lambda: ours.debug("order accepted", order=4711),
        }
        with setup_logging(config, secrets=SECRETS):
            figures = measured(ways)
    base = figures["stdlib text line"]
    for name, microseconds in figures.items():
        print(f"{name:24}{microseconds:8.2f} us{microseconds / base:8.2f} x")


if __name__ == "__main__":
    main()
