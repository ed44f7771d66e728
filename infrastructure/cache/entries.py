"""What is stored under a key: the value alone, or a record where more must be known of it."""

import math
from dataclasses import dataclass, replace
from typing import Any, Final, Self

#: Begins every record. A caller's own tuple that begins so is stored inside a record.
_MARK: Final = "\x00switchgear.entry.1"
_RECORD_LENGTH: Final = 7

Versions = tuple[tuple[str, str], ...]


class Missing:
    """The type of `MISSING`, which stands for a value that is not there: None is a value."""

    def __bool__(self) -> bool:
        return False

    def __repr__(self) -> str:
        return "MISSING"


MISSING: Final = Missing()


@dataclass(frozen=True, slots=True)
class Entry:
    """A value and until when it may be given.

    Attributes:
        value: What was loaded or set.
        fresh_until: By the wall clock; infinite when the storage's own lifetime says it all.
        kept_until: Until when it may be given, stale, if its loader fails.
        ttl_seconds: How long it was to be fresh.
        etag: What the loader said of its source's version.
        versions: Each tag, and what its marker held when the value began to be loaded.
    """

    value: Any
    fresh_until: float = math.inf
    kept_until: float = math.inf
    ttl_seconds: float = math.inf
    etag: str | None = None
    versions: Versions = ()

    def stored(self) -> Any:
        """What is put into the storage."""
        if self.fresh_until == math.inf and not is_record(self.value):
            return self.value
        times = (self.fresh_until, self.kept_until, self.ttl_seconds)
        return (_MARK, self.value, *times, self.etag, self.versions)

    def is_fresh(self, now: float) -> bool:
        """Whether it may be given as it is."""
        return now < self.fresh_until

    def is_kept(self, now: float) -> bool:
        """Whether it may be given when its loader fails."""
        return now < self.kept_until

    def wants_refresh(self, now: float, fraction: float | None) -> bool:
        """Whether that fraction of its lifetime is over."""
        return fraction is not None and now >= self.fresh_until - self.ttl_seconds * (1 - fraction)

    def until(self, fresh_until: float) -> Self:
        """The same, given as fresh for a while, and never longer than it is kept.

        It is loaded anew at the end of that while, and no sooner.
        """
        return replace(self, fresh_until=min(fresh_until, self.kept_until), ttl_seconds=0.0)

    def renewed(self, fresh_until: float) -> Self:
        """The same with another lifetime, and kept as much longer than that as before."""
        more = self.kept_until - self.fresh_until
        return replace(self, fresh_until=fresh_until, kept_until=fresh_until + max(more, 0.0))


def is_record(stored: Any) -> bool:
    """Whether what was found is a record, or a caller's tuple that looks like one."""
    return type(stored) is tuple and len(stored) > 0 and stored[0] == _MARK


def at_once(stored: Any, now: float, eager_refresh: float | None) -> Any:
    """The value of what was found if nothing more need be asked or done; else `MISSING`."""
    if type(stored) is not tuple:
        return stored
    if len(stored) != _RECORD_LENGTH or stored[0] != _MARK:
        return MISSING if is_record(stored) else stored
    _, value, fresh_until, _, ttl_seconds, _, versions = stored
    if versions or now >= fresh_until:
        return MISSING
    if eager_refresh is not None and now >= fresh_until - ttl_seconds * (1 - eager_refresh):
        return MISSING
    return value


def opened(stored: Any) -> Entry | None:
    """The entry of what was found; None when nothing was, or a record that cannot be read."""
    if stored is MISSING:
        return None
    if not is_record(stored):
        return Entry(stored)
    if len(stored) != _RECORD_LENGTH:
        return None
    return Entry(*stored[1:])
