"""Sparse vectors: weights of a few features out of very many, such as the words of a text."""

import math
import re
from array import array
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from itertools import pairwise
from operator import index

from infrastructure.connections.vector.values import shown
from infrastructure.errors import RejectedError

#: Indices are below this, entries at most so many: what every store takes.
MAX_INDEX = 1_000_000_000
MAX_ENTRIES = 1000
_WORD = re.compile(r"[^\W_]+")


@dataclass(frozen=True, slots=True)
class SparseVector:
    """Weights by index; likeness is their dot product, so what shares no index is not alike.

    Attributes:
        indices: Ascending whole numbers from 0 to 999,999,999, each once; at most 1000.
        values: A weight for each, above 0, in single precision.

    Raises:
        RejectedError: They are not of this kind.
    """

    indices: Sequence[int]
    values: Sequence[float]

    def __post_init__(self) -> None:
        try:
            indices = list(map(index, self.indices))
            values = array("f", map(float, self.values)).tolist()
        except (TypeError, ValueError, OverflowError) as error:
            raise RejectedError(
                f"indices are whole, weights floats; found {shown(self)}"
            ) from error
        is_ordered = all(one < other for one, other in pairwise(indices))
        if not (is_ordered and 0 < len(indices) == len(values) <= MAX_ENTRIES):
            raise RejectedError(
                f"a sparse vector has 1 to {MAX_ENTRIES} ascending indices and a value for each,"
                f" found {len(indices)} and {len(values)}"
            )
        if indices[0] < 0 or indices[-1] >= MAX_INDEX:
            raise RejectedError(f"an index is from 0 to {MAX_INDEX - 1}, found {shown(indices)}")
        if not all(0 < one < math.inf for one in values):
            raise RejectedError(f"a weight is above 0 and finite, found {shown(values)}")
        object.__setattr__(self, "indices", indices)
        object.__setattr__(self, "values", values)

    @classmethod
    def of(cls, weights: Mapping[int, float]) -> "SparseVector":
        """Of weights by index, in any order."""
        indices = sorted(weights)
        return cls(indices, [weights[one] for one in indices])

    @classmethod
    def of_words(cls, text: str) -> "SparseVector | None":
        """The words of a text, hashed: the same indices in every process; None without a word.

        A word is letters and digits, whatever their case. It weighs more the more often it
        stands there, ever more slowly. Of more than 1000 words, the heaviest count.
        """
        counts = Counter(_WORD.findall(text.casefold()))
        heaviest = counts.most_common(MAX_ENTRIES)
        weights = {_index(word): 1 + math.log(count) for word, count in heaviest}
        return cls.of(weights) if weights else None


def _index(word: str) -> int:
    return int.from_bytes(blake2b(word.encode(), digest_size=8).digest()) % MAX_INDEX
