"""What a start did, and when."""

from dataclasses import dataclass

_BAR = 24


@dataclass(frozen=True, slots=True)
class Started:
    """One line of the start-up timeline.

    Attributes:
        path: The provider.
        began_seconds: When its start began, counted from the start of the container.
        took_seconds: How long it took, without waiting for its dependencies.
        phase: The phase it was started in.
    """

    path: str
    began_seconds: float
    took_seconds: float
    phase: int = 0


class Timeline(tuple[Started, ...]):
    """What the last start did, in the order it was done; printed as a table."""

    __slots__ = ()

    def __str__(self) -> str:
        if not self:
            return "nothing was started"
        whole = max(each.began_seconds + each.took_seconds for each in self)
        width = max(len("provider"), *(len(each.path) for each in self))
        head = f"{'provider':<{width}}  phase  began ms   took ms"
        rows = [f"{each.path:<{width}}  {_figures(each)}  {_bar(each, whole)}" for each in self]
        last = f"{len(self)} started in {whole * 1000:.1f} ms"
        return "\n".join(line.rstrip() for line in (head, *rows, last))


def _figures(each: Started) -> str:
    began, took = each.began_seconds * 1000, each.took_seconds * 1000
    return f"{each.phase:>5}  {began:>8.1f}  {took:>8.1f}"


def _bar(each: Started, whole: float) -> str:
    """Where in the whole start it was; the shortest one shows too."""
    per_second = _BAR / whole if whole else 0.0
    before = min(int(each.began_seconds * per_second), _BAR - 1)
    length = max(1, round(each.took_seconds * per_second))
    return " " * before + "=" * min(length, _BAR - before)
