"""What a cache in this process holds: entries by key, bounded in number and in bytes."""

import heapq
import sys
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Final

Entry = tuple[float, Any, bool, int]
"""Until when, the value or its bytes, whether it is bytes of a value, and the size."""

#: What an entry takes beside its key and value: its record, and its places in the two orders.
_ENTRY_BYTES: Final = 250
_bytes_of = sys.getsizeof


def size_of(key: str, value: Any) -> int:
    """What an entry takes, approximately; `value` is bytes, or cannot change."""
    size = _bytes_of(value) + len(key) + _ENTRY_BYTES
    return size + _inner_size(value) if type(value) is tuple else size


def _inner_size(value: tuple[Any, ...]) -> int:
    """What a tuple that is kept as it is holds, beside itself."""
    return sum(
        _bytes_of(each) + (_inner_size(each) if type(each) is tuple else 0) for each in value
    )


class BoundedEntries:
    """Entries of which the expired go first, then those that were not used for longest.

    Writers hold a lock of the caller's; readers look into `by_key`, and move what they used to
    its end, without one.

    Attributes:
        by_key: The entries, the one used last at the end.
        bytes: The size of all.
        evictions: How many had to go before their time.
    """

    def __init__(self, max_entries: int, max_bytes: int, clock: Callable[[], float]) -> None:
        self.by_key: OrderedDict[str, Entry] = OrderedDict()
        self.bytes = 0
        self.evictions = 0
        self._max_entries = max_entries
        self._max_bytes = max_bytes
        self._clock = clock
        self._deadlines: list[tuple[float, str]] = []

    def live(self, key: str) -> Entry | None:
        """The entry of a key, unless it has expired."""
        entry = self.by_key.get(key)
        return None if entry is None or entry[0] <= self._clock() else entry

    def file(self, key: str, entry: Entry) -> None:
        """Keep it; among the deadlines each entry has one that is not later than its own."""
        entries, deadlines = self.by_key, self._deadlines
        old = entries.get(key)
        entries[key] = entry
        if old is None:
            self.bytes += entry[3]
            heapq.heappush(deadlines, (entry[0], key))
        else:
            self.bytes += entry[3] - old[3]
            entries.move_to_end(key)
            if entry[0] < old[0]:
                heapq.heappush(deadlines, (entry[0], key))
                self._tidy()
        if deadlines[0][0] <= self._clock():
            self._drop_expired()
        if entry[3] > self._max_bytes:
            self.remove(key)  # it alone would push out all others
        elif self.bytes > self._max_bytes or len(entries) > self._max_entries:
            self._make_room()

    def remove(self, key: str) -> None:
        """Drop the entry of a key; harmless when there is none."""
        entry = self.by_key.pop(key, None)
        if entry is not None:
            self.bytes -= entry[3]
            self._tidy()

    def clear(self) -> None:
        """Drop all."""
        self.by_key.clear()
        self._deadlines.clear()
        self.bytes = 0

    def _tidy(self) -> None:
        """Drop deadlines of what is gone, once they are most of them."""
        if len(self._deadlines) > 2 * len(self.by_key) + 1000:
            entries = self.by_key  # not gone through: readers move entries without the lock
            live = {key: entries[key][0] for _, key in self._deadlines if key in entries}
            self._deadlines[:] = [(until, key) for key, until in live.items()]
            heapq.heapify(self._deadlines)

    def _make_room(self) -> None:
        while len(self.by_key) > self._max_entries or self.bytes > self._max_bytes:
            _, entry = self.by_key.popitem(last=False)
            self.bytes -= entry[3]
            self.evictions += 1
        self._tidy()

    def _drop_expired(self) -> None:
        now = self._clock()
        while self._deadlines and self._deadlines[0][0] <= now:
            key = heapq.heappop(self._deadlines)[1]
            entry = self.by_key.get(key)
            if entry is not None and entry[0] > now:
                heapq.heappush(self._deadlines, (entry[0], key))
            elif entry is not None:
                self.remove(key)
