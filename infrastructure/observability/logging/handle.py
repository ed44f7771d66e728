"""What one set-up of the logs has put in place, and which lines are its own."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import TYPE_CHECKING, Self

from loguru import logger as _loguru

from infrastructure.config.models.logging import AuditFailure, LogFormat, LoggingConfig, Stream
from infrastructure.observability.logging.destinations import Destination
from infrastructure.observability.logging.entries import Entry, entry_of
from infrastructure.observability.logging.facade import Logger, get_logger
from infrastructure.observability.logging.fallback import Fallback
from infrastructure.observability.logging.levels import Levels
from infrastructure.observability.logging.origin import Origin, origin_of
from infrastructure.observability.logging.process import current_handle, process
from infrastructure.observability.logging.sinks import LineSink, Sink, unwritten
from infrastructure.observability.metrics import Instrument, Measurement

if TYPE_CHECKING:
    from loguru import Record

Claims = Callable[[], bool]


class LoggingHandle:
    """One set-up of the logs; `close()` removes what it has put in place and nothing else.

    Attributes:
        config: The settings.
        secrets: What no line of this process may show while the handle is open.
        claims: Says whether the line being written comes from where this set-up belongs.
        levels: Which lines are taken.
    """

    def __init__(self, config: LoggingConfig, secrets: Iterable[str], claims: Claims) -> None:
        self.config = config
        self.secrets = frozenset(secrets)
        self.claims = claims
        self.levels = Levels(config)
        self._sinks: list[Sink] = []
        self._own: dict[Stream, list[Sink]] = {}
        # By the streams' words: an enum's hash costs a call for each line.
        self._routes: dict[str, list[Sink]] = {stream.value: [] for stream in Stream}
        self._is_uniform = self.levels.is_uniform
        self._unreadable = 0
        self._number: int | None = None

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
    def loses_audit_lines(self) -> bool:
        """Whether it is closed, and its settings say that a caller is to know."""
        audit = self.config.streams.audit
        is_told = audit is not None and audit.file.on_failure is AuditFailure.RAISE
        return self._number is None and is_told

    @property
    def failures(self) -> int:
        """How many lines did not reach their destination."""
        return self._unreadable + sum(sink.fallback.failures for sink in self._sinks)

    @property
    def dropped(self) -> int:
        """How many lines were dropped because a queue was full, or was closed with lines in it."""
        return sum(sink.dropped for sink in self._sinks)

    def get_logger(self, name: str, *, stream: Stream | str = Stream.APP) -> Logger:
        """A logger whose lines reach this set-up's sinks and no other's."""
        return get_logger(name, stream=stream, handle=self)

    @contextmanager
    def current(self) -> Iterator[Self]:
        """Inside the block, and the tasks begun there, lines reach this set-up's sinks only."""
        token = current_handle.set(self)
        try:
            yield self
        finally:
            current_handle.reset(token)

    def open(self) -> None:
        """Begin to take lines."""
        process.enter(self)
        self._number = _loguru.add(
            _nowhere,
            level=self.levels.lowest,
            format="",
            filter=self.take,
            diagnose=False,
            backtrace=False,
            catch=True,
        )

    def close(self) -> None:
        """Remove the sinks, writing what waits; may be called twice."""
        number, self._number = self._number, None
        if number is not None:
            with suppress(ValueError):  # `logger.remove()` was called before
                _loguru.remove(number)
        for sink in self._sinks:
            try:
                sink.close()
            except Exception as error:  # noqa: BLE001  # the others are to be closed all the same
                sink.fallback.troubled(error)
        # Last: until then a destination may tell of a failure, and the secrets must be known.
        process.leave(self)

    def fallback(self, name: str = "") -> Fallback:
        """What a new sink of this process tells its failures to."""
        return Fallback(process.redactor, name)

    def measurements(self) -> Iterator[Measurement]:
        """Lines that were lost, for whoever counts."""
        lost = {"switchgear.log.failures": self.failures, "switchgear.log.drops": self.dropped}
        for name, lines in lost.items():
            yield Measurement(name, Instrument.COUNTER, lines, unit="{line}")

    def add(
        self, destination: Destination, line_format: LogFormat, stream: Stream = Stream.APP
    ) -> LineSink:
        """Send lines to one more destination.

        Those of the app go there with all streams that have no destinations of their own.
        """
        sink = LineSink(destination, line_format, self.fallback())
        self.add_sink(sink, stream)
        return sink

    def add_sink(self, sink: Sink, stream: Stream) -> None:
        """Send the entries of a stream to one more sink."""
        self._sinks.append(sink)
        self._own.setdefault(stream, []).append(sink)
        app = self._own.get(Stream.APP, [])
        self._routes = {each.value: list(self._own.get(each, app)) for each in Stream}

    def take(self, record: Record) -> bool:
        """Write the record, and answer False: given to loguru as its filter, it is all that runs.

        As a loguru sink it would come after loguru's own formatting of the exception, under a
        lock that forbids a field's `__repr__` to log, and inside an error handler that prints the
        record with its secrets.
        """
        origin = _NOBODY
        try:
            origin = origin_of(record["extra"], record["name"])
            if not self._is_uniform and record["level"].no < self.levels.least(origin):
                return False
            if process.is_shared and not process.is_for(self, origin):
                return False
            entry = entry_of(record, origin, process.redactor)
            for sink in self._routes[origin.stream_name]:
                sink.take(entry, origin.failures)
        except Exception as error:  # noqa: BLE001  # whatever was logged must not stop the caller
            self._give_up(record, origin, error)
        return False

    def _give_up(self, record: Record, origin: Origin, error: Exception) -> None:
        """Say that there was a record, and to an auditor that it was not written."""
        self._unreadable += 1
        if origin.failures is not None:
            origin.failures.append(unwritten(error))
        # At the end of the stack, not even this can be done.
        with suppress(RecursionError, MemoryError):
            entry = _unreadable(record, origin, error)
            for sink in self._routes[origin.stream_name]:
                sink.take(entry, None)


def _nowhere(_: object) -> None:
    """Receives nothing: the filter has written before loguru formats."""


#: Of a record that does not say where it comes from.
_NOBODY = Origin(__name__)


def _unreadable(record: Record, origin: Origin, error: Exception) -> Entry:
    """What can be said about a record without looking at what it holds."""
    return Entry(
        ts=record["time"].isoformat(),
        level=record["level"].name,
        stream=origin.stream_name,
        logger=__name__,
        event="a log record could not be read",
        caller=f"{record['name']}:{record['function']}:{record['line']}",
        fields={"raised": type(error).__qualname__},
    )
