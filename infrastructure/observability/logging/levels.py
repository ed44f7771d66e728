"""Which lines a set-up takes: by stream, by logger, and by whether a vendor speaks."""

from loguru import logger as _loguru

from infrastructure.config.models.logging import LoggingConfig, LogLevel, Stream
from infrastructure.observability.logging.origin import Origin

MAX_KNOWN = 2_000
_Key = tuple[str, str, bool]


def severity(level: LogLevel) -> int:
    """The number of a level."""
    return _loguru.level(level.value).no


class Levels:
    """The least severity of each logger's lines.

    A logger named in `levels:`, or below one that is, has that level. The others have their
    stream's; a vendor's at least `vendor_level`. Audit lines from INFO on are always taken.

    Attributes:
        lowest: What any line at all must have.
        stdlib_lowest: What a line of the standard library must have, loggers in `named` aside.
        named: The loggers with levels of their own.
        is_uniform: Whether what has the lowest severity is always taken.
    """

    def __init__(self, config: LoggingConfig) -> None:
        self.named = {name: severity(level) for name, level in config.levels.items()}
        self._streams = {stream: severity(_level(config, stream)) for stream in Stream}
        self._vendor = severity(config.vendor_level)
        self._known: dict[_Key, int] = {}
        self.lowest = min([*self._streams.values(), *self.named.values()])
        self.is_uniform = {self.lowest, *self.named.values(), *self._streams.values()} == {
            max(self._vendor, self.lowest)
        }
        self.stdlib_lowest = max(self._streams[Stream.APP], self._vendor)

    def least(self, origin: Origin) -> int:
        """The severity from which this logger's lines are taken."""
        key = (origin.name, origin.stream_name, origin.is_vendor)
        found = self._known.get(key)
        if found is None:
            if len(self._known) >= MAX_KNOWN:
                self._known.clear()
            found = self._known[key] = self._found(origin)
        return found

    def _found(self, origin: Origin) -> int:
        least = self._streams[origin.stream]
        if origin.stream is Stream.AUDIT:
            return least
        way = origin.name
        while way:
            if way in self.named:
                return self.named[way]
            way = way.rpartition(".")[0]
        return max(least, self._vendor) if origin.is_vendor else least


def _level(config: LoggingConfig, stream: Stream) -> LogLevel:
    if stream is Stream.AUDIT:
        return LogLevel.INFO if config.streams.audit else config.level
    block = getattr(config.streams, stream.value, None)
    return block.level or config.level if block else config.level
