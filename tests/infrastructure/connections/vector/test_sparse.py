"""Sparse vectors, and two rankings made one."""

import math

import pytest

from infrastructure.connections.vector.base import Match, SparseVector
from infrastructure.connections.vector.fusion import MIN_DEPTH, depth, fused
from infrastructure.connections.vector.sparse import MAX_ENTRIES
from infrastructure.errors import RejectedError


def test_weights_are_kept_in_order_and_in_single_precision():
    found = SparseVector.of({9: 0.5, 3: 0.1})
    assert found.indices == [3, 9]
    assert found.values == [pytest.approx(0.1, rel=1e-7), 0.5]
    assert found.values[0] != 0.1


@pytest.mark.parametrize(
    ("indices", "values"),
    [
        ([], []),
        ([1], []),
        ([2, 1], [1.0, 1.0]),
        ([1, 1], [1.0, 1.0]),
        ([-1], [1.0]),
        ([1_000_000_000], [1.0]),
        ([1], [0.0]),
        ([1], [-1.0]),
        ([1], [math.nan]),
        ([1], [math.inf]),
        ([1], [1e39]),
        (["x"], [1.0]),
        ([1.5], [1.0]),
        ("12", [1.0, 1.0]),
        (None, None),
        (range(MAX_ENTRIES + 1), [1.0] * (MAX_ENTRIES + 1)),
    ],
)
def test_what_is_no_sparse_vector_is_refused(indices, values):
    with pytest.raises(RejectedError):
        SparseVector(indices, values)


def test_words_weigh_by_how_often_they_stand_there():
    found = SparseVector.of_words("The door, the DOOR and the Türe.")
    door = SparseVector.of_words("door")
    assert found is not None
    assert door is not None
    weights = dict(zip(found.indices, found.values, strict=True))
    assert weights[door.indices[0]] == pytest.approx(1 + math.log(2))
    assert sorted(found.values) == pytest.approx([1, 1, 1 + math.log(2), 1 + math.log(3)])


def test_words_have_the_same_indices_in_every_process():
    found = SparseVector.of_words("door")
    assert found is not None
    assert found.indices == [481_212_049]


def test_a_text_without_words_has_no_sparse_vector():
    assert SparseVector.of_words(" ... _ ") is None


def test_of_very_many_words_the_heaviest_count():
    text = " ".join(f"w{i}" for i in range(2 * MAX_ENTRIES)) + " twice twice"
    found = SparseVector.of_words(text)
    assert found is not None
    assert len(found.indices) == MAX_ENTRIES
    assert max(found.values) == pytest.approx(1 + math.log(2))


def match(one: str, score: float = 0.0) -> Match:
    return Match(one, score, f"text of {one}", {})


def test_ranks_are_added_up_and_scores_are_forgotten():
    found = fused([[match("a", 9), match("b", 8)], [match("b", 0.1), match("c", 0.01)]])
    assert [one.id for one in found] == ["b", "a", "c"]
    assert [one.score for one in found] == [1 / 61 + 1 / 62, 1 / 61, 1 / 62]
    assert found[0].text == "text of b"


def test_equal_ranks_come_by_their_ids():
    assert [one.id for one in fused([[match("b")], [match("a")]])] == ["a", "b"]


def test_rankings_are_looked_into_in_steps_so_that_pages_fit_together():
    assert [depth(wanted) for wanted in (1, MIN_DEPTH, MIN_DEPTH + 1, 201)] == [50, 50, 200, 800]
