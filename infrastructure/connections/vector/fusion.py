"""Two rankings made one: reciprocal rank fusion."""

from collections.abc import Sequence

from infrastructure.connections.vector.records import Match

#: The constant of Cormack, Clarke and Buettcher (SIGIR 2009): how little the first ranks win by.
RRF_CONSTANT = 60
#: How deep each ranking is looked into at least, and how much deeper where that is not enough.
MIN_DEPTH = 50
DEPTH_TIMES = 4


def depth(wanted: int) -> int:
    """How many of each ranking are fused: 50, or 200, 800 ... where more are wanted.

    In steps, for a deeper look may change the order: the pages within one step fit together.
    """
    deep = MIN_DEPTH
    while deep < wanted:
        deep *= DEPTH_TIMES
    return deep


def fused(rankings: Sequence[Sequence[Match]]) -> list[Match]:
    """One ranking: each match scores the sum of 1 / (60 + its rank) over those it is in.

    Ranks begin at 1; of equal scores the smaller id comes first.
    """
    scores: dict[str, float] = {}
    found: dict[str, Match] = {}
    for ranking in rankings:
        for rank, match in enumerate(ranking, start=1):
            scores[match.id] = scores.get(match.id, 0.0) + 1 / (RRF_CONSTANT + rank)
            found.setdefault(match.id, match)
    order = sorted(scores, key=lambda one: (-scores[one], one))
    return [Match(one, scores[one], found[one].text, found[one].fields) for one in order]
