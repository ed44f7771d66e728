"""One set-up of the logs a test, writing JSON and text files that can be read back."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from infrastructure.observability.logging import (
    LogFile,
    LogFormat,
    LoggingConfig,
    LoggingHandle,
    LogLevel,
    setup_logging,
)


class Written:
    """What was written to the file so far."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def text(self) -> str:
        return self.path.read_text(encoding="utf-8")

    @property
    def lines(self) -> list[Any]:
        return [msgspec.json.decode(line) for line in self.path.read_bytes().splitlines()]

    @property
    def last(self) -> Any:
        return self.lines[-1]


@pytest.fixture
def log_to(tmp_path: Path) -> Iterator[Callable[..., Written]]:
    """Set the logs up with a file of this format; everything is taken down after the test."""
    handles: list[LoggingHandle] = []

    def start(line_format: str = "json", secrets: tuple[str, ...] = (), **file: Any) -> Written:
        path = tmp_path / f"{len(handles)}.log"
        config = LoggingConfig(
            level=LogLevel.TRACE,
            console=False,
            file=LogFile(path=path, format=LogFormat(line_format), **file),
        )
        handles.append(setup_logging(config, secrets=secrets))
        return Written(path)

    yield start
    for handle in handles:
        handle.close()


@pytest.fixture
def written(log_to: Callable[..., Written]) -> Written:
    """The JSON file of one set-up."""
    return log_to()
