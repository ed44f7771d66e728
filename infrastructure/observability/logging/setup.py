"""Sets the logs up from settings."""

from collections.abc import Callable, Iterable
from contextlib import suppress

from loguru import logger as _loguru

from infrastructure.config.models.logging import (
    LogFile,
    LogFormat,
    LoggingConfig,
    LogQueue,
    LogRemote,
    Stream,
)
from infrastructure.config.secrets import secret_values
from infrastructure.observability.logging.audit import ChainedFile
from infrastructure.observability.logging.destinations import Console, Destination, RotatingFile
from infrastructure.observability.logging.fallback import Fallback
from infrastructure.observability.logging.handle import LoggingHandle
from infrastructure.observability.logging.queued import Queued
from infrastructure.observability.logging.remote import Remote
from infrastructure.observability.logging.sinks import AuditSink, LineSink


def _nobody() -> bool:
    return False


def setup_logging(
    config: LoggingConfig,
    *,
    secrets: Iterable[str] = (),
    claims: Callable[[], bool] = _nobody,
) -> LoggingHandle:
    """Write logs as the settings say, until the handle is closed.

    Loguru's own default handler is removed; handlers that others have added stay.

    Args:
        config: The block `logging:`.
        secrets: Values that must not stand in any line, such as passwords from the settings;
            those shorter than four characters are not searched for. Those in `config` itself are
            known without.
        claims: Says, while a line is written, whether it comes from where this set-up belongs,
            such as a scope of its container; asked only when the process has several set-ups.

    Raises:
        ConfigurationError: A log file cannot be opened.
    """
    given = {secrets} if isinstance(secrets, str) else set(secrets)
    handle = LoggingHandle(config, given | secret_values(config), claims)
    try:
        _add_sinks(handle)
    except BaseException:
        handle.close()
        raise
    with suppress(ValueError):  # somebody has removed it before
        _loguru.remove(0)
    handle.open()
    return handle


def _add_sinks(handle: LoggingHandle) -> None:
    config, streams = handle.config, handle.config.streams
    building = _Building(handle, Stream.APP, config.format)
    building.console(config.console, config.console_queue)
    building.file(config.file)
    building.remote(config.remote)
    for stream in (Stream.CONVERSATION, Stream.API, Stream.PERFORMANCE):
        block = getattr(streams, stream.value)
        if block is not None and block.has_destinations:
            building = _Building(handle, stream, block.format or config.format)
            building.console(block.console, config.console_queue)
            building.file(block.file)
            building.remote(block.remote)
    if streams.audit is not None:
        fallback = handle.fallback(str(streams.audit.file.path))
        file = ChainedFile(streams.audit.file, failed=fallback.troubled)
        handle.add_sink(AuditSink(file, fallback), Stream.AUDIT)


class _Building:
    """Adds the sinks of one stream."""

    def __init__(self, handle: LoggingHandle, stream: Stream, line_format: LogFormat) -> None:
        self._handle = handle
        self._stream = stream
        self._format = line_format

    def console(self, wanted: bool, queue: LogQueue | None) -> None:
        if wanted:
            self._add(Console(), self._format, queue, self._handle.fallback())

    def file(self, settings: LogFile | None) -> None:
        if settings is not None:
            fallback = self._handle.fallback(str(settings.path))
            file = RotatingFile(settings, failed=fallback.troubled)
            self._add(file, settings.format, settings.queue, fallback)

    def remote(self, settings: LogRemote | None) -> None:
        if settings is not None:
            fallback = self._handle.fallback()
            self._add(Remote(settings, fallback), LogFormat.JSON, None, fallback)

    def _add(
        self,
        destination: Destination,
        line_format: LogFormat,
        queue: LogQueue | None,
        fallback: Fallback,
    ) -> None:
        if queue is not None:
            destination = Queued(destination, queue, fallback)
        self._handle.add_sink(LineSink(destination, line_format, fallback), self._stream)
