"""The periods after which a file rotates, counted from midnight."""

import datetime as dt

DAY_SECONDS = 86_400
#: Clocks change at such moments, so a period is looked at anew.
QUARTER_SECONDS = 900


def period_start(moment: float, every_seconds: int, *, utc: bool) -> float:
    """When the period began that the moment is in, in seconds since the epoch.

    From a day on, periods are whole days; shorter ones begin anew each midnight, so that days on
    which the clock changes have one more or one less.
    """
    now = dt.datetime.fromtimestamp(moment, dt.UTC if utc else None)
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
    if every_seconds >= DAY_SECONDS:
        days = every_seconds // DAY_SECONDS
        return (midnight - dt.timedelta(days=midnight.toordinal() % days)).timestamp()
    start = midnight.timestamp()
    return start + (moment - start) // every_seconds * every_seconds


class Periods:
    """Says at each write whether a new period has begun since the one before.

    Args:
        every_seconds: How long one is.
        utc: Whether midnight is UTC's.
    """

    def __init__(self, every_seconds: int, *, utc: bool) -> None:
        self._every = every_seconds
        self._utc = utc
        self._start = float("-inf")
        # Until then nothing can have changed.
        self._until = float("-inf")

    def is_over(self, written: float, now: float) -> bool:
        """Whether the last write was in an earlier period than now."""
        if now >= self._until:
            self._start = period_start(now, self._every, utc=self._utc)
            quarter = now // QUARTER_SECONDS * QUARTER_SECONDS + QUARTER_SECONDS
            self._until = min(self._start + self._every, quarter)
        return written < self._start
