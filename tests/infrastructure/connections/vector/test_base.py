import math
from enum import IntEnum, StrEnum

import pytest

from infrastructure.connections.vector.base import Record
from infrastructure.errors import RejectedError


class Word(StrEnum):
    ONE = "one"


class Number(IntEnum):
    ONE = 1


def test_a_record_copies_what_it_is_given():
    vector, fields = [1.0], {"tags": ("a", "b")}
    record = Record("1", vector, fields=fields)
    vector.append(2.0)
    assert record == Record("1", [1.0], "", {"tags": ["a", "b"]})


def test_enum_members_become_plain_values():
    fields = Record("1", [1], fields={"word": Word.ONE, "number": Number.ONE}).fields
    assert fields == {"word": "one", "number": 1}
    assert [type(value) for value in fields.values()] == [str, int]


@pytest.mark.parametrize("id", ["", "\ud800"])
def test_an_id_that_no_store_keeps_is_refused(id):
    with pytest.raises(RejectedError, match="the id of a record"):
        Record(id, [1.0])


def test_a_vector_may_be_an_array_of_numpys():
    numpy = pytest.importorskip("numpy")
    assert Record("1", numpy.ones(2), "text").vector == [1.0, 1.0]


@pytest.mark.parametrize(
    "vector",
    [[], [math.nan], [math.inf, -math.inf], [1e39], [10**400], ["x"], [None], 5, "12", b"12"],
)
def test_a_vector_that_is_none_is_refused(vector):
    with pytest.raises(RejectedError, match="the vector of record '1'"):
        Record("1", vector)


@pytest.mark.parametrize(
    "fields",
    [
        {"a": {"nested": 1}},
        {"a": [[1]]},
        {"a": [None]},
        {"a": object()},
        {"a": math.nan},
        {"a": 2**53 + 1},
        {"a": "\ud800"},
        {"": 1},
        {'a"b': 1},
        {5: 1},
    ],
)
def test_a_field_that_no_filter_could_ask_about_is_refused(fields):
    with pytest.raises(RejectedError, match="found"):
        Record("1", [1.0], fields=fields)
