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
    AuditConfig,
    AuditFile,
    LogFile,
    LogFormat,
    LoggingConfig,
    LogLevel,
    LogQueue,
    Stream,
    StreamConfig,
    Streams,
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


def settings(folder: Path) -> LoggingConfig:
    """Files for the app, and for three streams in different ways."""

    def file(name: str, queue: LogQueue | None = None) -> LogFile:
        return LogFile(path=folder / name, format=LogFormat.JSON, max_bytes=10**9, queue=queue)

    streams = Streams(
        api=StreamConfig(file=file("api.log")),
        performance=StreamConfig(file=file("performance.log", LogQueue(max_lines=100_000))),
        audit=AuditConfig(file=AuditFile(path=folder / "audit.log", max_bytes=10**9)),
    )
    return LoggingConfig(level=LogLevel.INFO, console=False, file=file("ours.log"), streams=streams)


def line_of(stream: Stream) -> Callable[[], None]:
    """Writes one line to a stream."""
    ours = get_logger("benchmark.ours", stream=stream)
    return lambda: ours.info("order accepted", order=4711, region="eu-west", total=12.5)


def main() -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory() as folder:
        stdlib = stdlib_logger(Path(folder) / "stdlib.log")
        ours = get_logger("benchmark.ours")
        text = "order accepted order=%s region=%s total=%s"
        ways: dict[str, Callable[[], None]] = {
            "stdlib text line": lambda: stdlib.info(text, 4711, "eu-west", 12.5),
            "JSON line, redacted": line_of(Stream.APP),
            "the same in a stream": line_of(Stream.API),
            "behind a queue": line_of(Stream.PERFORMANCE),
            "audit line, chained": line_of(Stream.AUDIT),
            "nested field": lambda: ours.info("order accepted", order={"number": 4711}),
            "below the level": lambda: ours.debug("order accepted", order=4711),
        }
        with setup_logging(settings(Path(folder)), secrets=SECRETS):
            figures = measured(ways)
    base = figures["stdlib text line"]
    for name, microseconds in figures.items():
        print(f"{name:24}{microseconds:8.2f} us{microseconds / base:8.2f} x")


if __name__ == "__main__":
    main()
