"""What happened in one namespace so far."""

from collections import Counter
from collections.abc import Iterator

from infrastructure.observability.metrics import Measurement, counter

_WORDS = {
    "hits": "{hit}",
    "misses": "{miss}",
    "loads": "{load}",
    "load_failures": "{failure}",
    "stale_answers": "{answer}",
    "refreshes": "{refresh}",
    "refreshes_refused": "{refresh}",
    "unkept": "{value}",
}


class Counts:
    """Plain ints, which only rise.

    Attributes:
        hits: Reads that gave a value.
        misses: Reads that found none, or one that may not be given.
        loads: Runs of a loader.
        load_failures: Runs that raised, or took too long.
        stale_answers: Values given after their lifetime, for want of a newer one.
        refreshes: Runs begun before the lifetime was over.
        refreshes_refused: Those not begun, because too many went on already.
        unkept: Loaded values that were not stored: changed meanwhile, too large, too late, or
            loaded while the cache was down; or because the loader said so.
        fallbacks: Calls that went on without the cache, by operation and category of the error.
    """

    __slots__ = (*_WORDS, "fallbacks")

    def __init__(self) -> None:
        self.hits = self.misses = self.loads = self.load_failures = self.unkept = 0
        self.stale_answers = self.refreshes = self.refreshes_refused = 0
        self.fallbacks: Counter[tuple[str, str]] = Counter()

    def measurements(self, labels: dict[str, str]) -> Iterator[Measurement]:
        """All of them, under their names."""
        for word, unit in _WORDS.items():
            yield counter(f"switchgear.cache.{word}", getattr(self, word), labels, unit=unit)
        for (operation, category), count in self.fallbacks.items():
            told = {**labels, "operation": operation, "outcome": category}
            yield counter("switchgear.cache.fallbacks", count, told, unit="{call}")
