"""The loggers keep the port's promises: the real one, and the one for tests."""

from collections.abc import Callable

import pytest

from infrastructure.observability.logging import LoggerPort, RecordingLogger, get_logger
from tests.contracts.logger_contract import Line, LoggerContract
from tests.infrastructure.observability.logging.conftest import Written


class TestLogger(LoggerContract):
    @pytest.fixture
    def logger(self) -> LoggerPort:
        return get_logger("contract")

    @pytest.fixture
    def lines(self, written: Written) -> Callable[[], list[Line]]:
        return lambda: [
            Line(
                line["level"],
                line["event"],
                line.get("fields", {}),
                line.get("error", {}).get("message"),
            )
            for line in written.lines
        ]


class TestRecordingLogger(LoggerContract):
    @pytest.fixture
    def logger(self) -> RecordingLogger:
        return RecordingLogger()

    @pytest.fixture
    def lines(self, logger: RecordingLogger) -> Callable[[], list[Line]]:
        return lambda: [
            Line(level, event, fields, str(error) if error else None)
            for level, event, fields, error, _ in logger.lines
        ]
