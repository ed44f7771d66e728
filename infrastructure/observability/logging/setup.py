"""Sets the logs up from settings, and takes them down again."""

import threading
from collections.abc import Iterable
from contextlib import suppress
from types import TracebackType
from typing import Self

from loguru import logger as _loguru

from infrastructure.config.models.logging import LogFormat, LoggingConfig
from infrastructure.observability.logging.destinations import Console, Destination, RotatingFile
from infrastructure.observability.logging.interception import Interception
from infrastructure.observability.logging.redaction import Redactor
from infrastructure.observability.logging.sinks import Sink


class LoggingHandle:
    """What one `setup_logging` has put in place; `close()` removes that and nothing else."""

    def __init__(self, config: LoggingConfig, secrets: Iterable[str]) -> None:
        self.config = config
        self.secrets = frozenset((secrets,) if isinstance(secrets, str) else secrets)
        self._sinks: dict[int, Sink] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def failures(self) -> int:
        """How many lines did not reach their destination."""
        return sum(sink.failures for sink in self._sinks.values())

    @property
    def level_number(self) -> int:
        """The severity of the configured level."""
        return _loguru.level(self.config.level.value).no

    def close(self) -> None:
        """Remove the sinks of this handle and close its files; may be called twice."""
        _process.leave(self)
        for number, sink in self._sinks.items():
            with suppress(ValueError):  # removed by `logger.remove()` or closed before
                _loguru.remove(number)
            sink.close()

    def add(self, destination: Destination, line_format: LogFormat) -> Sink:
        """Send lines to one more destination; every sink there is was built here."""
        sink = Sink(destination, line_format, _process.redactor)
        number = _loguru.add(
            _nowhere,
            level=self.config.level.value,
            format="",
            filter=sink.take,
            diagnose=False,
            backtrace=False,
            catch=True,
        )
        self._sinks[number] = sink
        return sink


class _Process:
    """What the handles of a process share, since loguru and the root logger are global.

    A line reaches the sinks of every handle, so each sink masks the secrets of all of them.
    """

    def __init__(self) -> None:
        self.redactor = Redactor()
        self._handles: list[LoggingHandle] = []
        self._interception = Interception()
        self._lock = threading.Lock()

    def enter(self, handle: LoggingHandle) -> None:
        with self._lock:
            self._handles.append(handle)
            self._changed()

    def leave(self, handle: LoggingHandle) -> None:
        with self._lock:
            if handle in self._handles:
                self._handles.remove(handle)
                self._changed()

    def _changed(self) -> None:
        self.redactor.learn(secret for handle in self._handles for secret in handle.secrets)
        levels = [handle.level_number for handle in self._handles if handle.config.intercept_stdlib]
        if levels:
            self._interception.install(min(levels))
        else:
            self._interception.uninstall()


_process = _Process()


def _nowhere(_: object) -> None:
    """Receives nothing: the sink has written before loguru formats."""


def setup_logging(config: LoggingConfig, *, secrets: Iterable[str] = ()) -> LoggingHandle:
    """Write logs as the settings say, until the handle is closed.

    Loguru's own default handler is removed; handlers that others have added stay.

    Args:
        config: The block `logging:`.
        secrets: Values that must not stand in any line, such as passwords from the settings;
            those shorter than four characters are not searched for.

    Raises:
        ConfigurationError: The log file cannot be opened.
    """
    file = RotatingFile(config.file) if config.file else None
    with suppress(ValueError):  # somebody has removed it before
        _loguru.remove(0)
    handle = LoggingHandle(config, secrets)
    _process.enter(handle)
    if config.console:
        handle.add(Console(), config.format)
    if config.file and file:
        handle.add(file, config.file.format)
    return handle
