"""Where a line comes from: which logger, for which stream, of whose set-up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from infrastructure.config.models.logging import Stream
from infrastructure.errors import ConfigurationError, did_you_mean

if TYPE_CHECKING:
    from infrastructure.observability.logging.handle import LoggingHandle
    from infrastructure.observability.logging.sinks import Failures


class Origin:
    """What our loggers leave in a record, under `origin`.

    Attributes:
        name: What the lines say under `logger`.
        stream: The stream they go to; `stream_name` is its word.
        handle: The only set-up they reach; None for loggers that are nobody's own.
        is_vendor: They came through the standard library.
        failures: Takes what the caller must be told; None where nothing is.
    """

    __slots__ = ("failures", "handle", "is_vendor", "name", "stream", "stream_name")

    def __init__(
        self,
        name: str,
        stream: Stream = Stream.APP,
        handle: LoggingHandle | None = None,
        *,
        is_vendor: bool = False,
        failures: Failures | None = None,
    ) -> None:
        self.name = name
        self.stream = stream
        # An enum's hash and value cost a call each, for each line.
        self.stream_name = stream.value
        self.handle = handle
        self.is_vendor = is_vendor
        self.failures = failures

    def __repr__(self) -> str:
        return f"<{self.name}, {self.stream_name}>"

    def __reduce__(self) -> tuple[Any, ...]:
        """Another's handler may pickle the record, and a set-up cannot be."""
        return Origin, (self.name, self.stream)


def stream_named(name: Stream | str) -> Stream:
    """The stream of this name.

    Raises:
        ConfigurationError: There is none.
    """
    try:
        return Stream(name)
    except ValueError as error:
        known = [stream.value for stream in Stream]
        raise ConfigurationError(
            f"unknown log stream '{name}'",
            where="logging.streams",
            hint=f"{did_you_mean(str(name), known)}Known: {', '.join(known)}.",
        ) from error


def origin_of(extra: dict[str, Any], name: str | None) -> Origin:
    """The origin in a record, or what plain loguru's `bind(logger=..., stream=...)` says."""
    origin = extra.get("origin")
    if isinstance(origin, Origin):
        return origin
    stream = _STREAMS.get(str(extra.get("stream")), Stream.APP)
    return Origin(str(extra.get("logger") or name), stream)


_STREAMS = {stream.value: stream for stream in Stream}
