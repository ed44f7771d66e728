"""Columns for what needs each other: who needs stands left of what is needed."""

from bisect import bisect_right, insort
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import TypeVar

T = TypeVar("T")
Pair = tuple[T, T]
_SWEEPS = 8


def ranks(items: Sequence[str], pairs: Iterable[Pair[str]]) -> dict[str, int]:
    """The column of each item, 0 at the left; pairs that close a circle may go backwards."""
    ahead: dict[str, list[str]] = {item: [] for item in items}
    for source, target in dict.fromkeys(pairs):
        ahead[source].append(target)
    order = _dependencies_first(items, ahead)
    done: dict[str, int] = {}  # how far from the end of the longest chain
    for item in order:
        done[item] = max((done[other] + 1 for other in ahead[item] if other in done), default=0)
    last = max(done.values(), default=0)
    found = {item: last - done[item] for item in items}
    _pull_to_dependants(order, ahead, found)
    return found


def _dependencies_first(items: Sequence[str], ahead: Mapping[str, list[str]]) -> list[str]:
    """Each item after what it needs; where there is a circle, one of it comes too early."""
    order: list[str] = []
    seen: set[str] = set()
    for item in items:
        waiting = [(item, iter(ahead[item]))] if item not in seen else []
        seen.add(item)
        while waiting:
            one, rest = waiting[-1]
            other = next((each for each in rest if each not in seen), None)
            if other is None:
                order.append(one)
                waiting.pop()
            else:
                seen.add(other)
                waiting.append((other, iter(ahead[other])))
    return order


def _pull_to_dependants(
    order: Sequence[str], ahead: Mapping[str, list[str]], found: dict[str, int]
) -> None:
    """Move what nobody left of it keeps apart nearer to those that need it: shorter lines."""
    behind: dict[str, list[str]] = {item: [] for item in order}
    for item in reversed(order):
        left = [found[one] for one in behind[item] if found[one] < found[item]]
        if len(left) > len(ahead[item]):
            found[item] = max(left) + 1
        for other in ahead[item]:
            behind[other].append(item)


def ordered(columns: Sequence[Sequence[T]], links: Iterable[Pair[T]]) -> list[list[T]]:
    """The columns in an order that crosses few of the links between neighboring ones."""
    forth: dict[T, list[T]] = {cell: [] for column in columns for cell in column}
    back: dict[T, list[T]] = {cell: [] for column in columns for cell in column}
    for left, right in dict.fromkeys(links):
        forth[left].append(right)
        back[right].append(left)
    current = [list(column) for column in columns]
    best, fewest = current, _crossings(current, forth)
    for sweep in range(_SWEEPS):
        current = _swept(current, forth if sweep % 2 else back, from_right=bool(sweep % 2))
        crossings = _crossings(current, forth)
        if crossings < fewest:
            best, fewest = current, crossings
    return best


def _swept(
    columns: list[list[T]], links: Mapping[T, list[T]], *, from_right: bool
) -> list[list[T]]:
    """Each column sorted by where its neighbors stand in the column before."""
    swept = [list(column) for column in columns]
    for at in reversed(range(len(swept))) if from_right else range(len(swept)):
        before = at + 1 if from_right else at - 1
        if 0 <= before < len(swept):
            place = {cell: count for count, cell in enumerate(swept[before])}
            own = {cell: count for count, cell in enumerate(swept[at])}
            swept[at].sort(key=lambda cell: _middle(links[cell], place, own[cell]))
    return swept


def _middle(neighbors: list[T], place: Mapping[T, int], own: int) -> float:
    return sum(place[each] for each in neighbors) / len(neighbors) if neighbors else own


def _crossings(columns: list[list[T]], forth: Mapping[T, list[T]]) -> int:
    count = 0
    for left, right in pairwise(columns):
        place = {cell: at for at, cell in enumerate(right)}
        ends: list[int] = []
        for cell in left:
            targets = sorted(place[other] for other in forth[cell])
            count += sum(len(ends) - bisect_right(ends, target) for target in targets)
            for target in targets:
                insort(ends, target)
    return count


def spread(wanted: Sequence[float], sizes: Sequence[float], gap: float) -> list[float]:
    """Tops for a column of sizes, in order, apart, and together as near as can be to the wanted.

    Neighbors that want to overlap become one block around the mean of what they want.
    """
    tops: list[float] = []
    offsets, offset = [], 0.0
    for size in sizes:
        offsets.append(offset)
        offset += size + gap
    blocks: list[tuple[float, int]] = []
    for want, before in zip(wanted, offsets, strict=True):
        mean, count = want - before, 1
        while blocks and blocks[-1][0] >= mean:
            other, others = blocks.pop()
            mean, count = (mean * count + other * others) / (count + others), count + others
        blocks.append((mean, count))
    for mean, count in blocks:
        start = len(tops)
        tops += [mean + offsets[start + at] for at in range(count)]
    return tops
