import math
from datetime import UTC, date, datetime

import pytest
from hypothesis import given, settings

from infrastructure.connections.vector.filters import (
    AllOf,
    AnyOf,
    Condition,
    Filter,
    Not,
    Operator,
    matches,
    operators,
    where,
)
from infrastructure.connections.vector.filters.parsing import parse
from infrastructure.errors import RejectedError, UnsupportedError
from tests.infrastructure.connections.vector.filter_strategies import fields, filters


def passes(filter: Filter, **fields) -> bool:
    return matches(filter, fields)


# meaning


@pytest.mark.parametrize(
    ("value", "asked", "holds"),
    [
        ("a", "a", True),
        ("a", "A", False),
        ("1", 1, False),
        (1, 1.0, True),
        (1.0, 1, True),
        (0.1 + 0.2, 0.3, False),
        (True, True, True),
        (True, 1, False),
        (1, True, False),
        (0, False, False),
        (["a", "b"], "b", True),
        ([1, True], True, True),
        ([1], True, False),
        ([], "a", False),
        (None, "a", False),
        (None, None, True),
        ([], None, True),
        ("", None, False),
        ("", "", True),
        (0, None, False),
    ],
)
def test_equality(value, asked, holds):
    assert passes(where("x") == asked, x=value) is holds
    assert passes(where("x") != asked, x=value) is not holds


def test_a_missing_field_has_no_value():
    assert passes(where("x") == None)  # noqa: E711 # builds a condition
    assert passes(where("x") != "a")
    assert passes(where("x").not_in(["a"]))
    assert not passes(where("x").exists())
    assert not passes(where("x") < 1)


@pytest.mark.parametrize("value", [0, False, "", [0], ["", 1]])
def test_a_value_that_python_calls_false_exists(value):
    assert passes(where("x").exists(), x=value)


@pytest.mark.parametrize(
    ("value", "asked", "holds"),
    [
        (2, 1, True),
        (1, 1, False),
        (1.5, 1, True),
        (True, 0, False),
        ("2", 1, False),
        ([0, 2], 1, True),
        ([0, "2"], 1, False),
        ("2026-11-21", "2026-11-20", True),
        ("2026-11-21", "2026-11-21", False),
        ("2026-11-21T00:00:01Z", "2026-11-21", True),
        ("2026-11-21 01:00+02:00", "2026-11-21", False),
        ("2026-11-21T00:00:00.000001", "2026-11-21", True),
        ("2026-02-30", "2026-01-01", False),
        ("20261121", "2026-01-01", False),
        ("tomorrow", "2026-01-01", False),
        (5, "2026-01-01", False),
        ("2026-11-21", 5, False),
        (["x", "2026-11-21"], "2026-01-01", True),
        (None, 1, False),
    ],
)
def test_order(value, asked, holds):
    assert passes(where("x") > asked, x=value) is holds


def test_every_order_operator_at_the_bound():
    found = [passes(one, x=5) for one in (where("x") > 5, where("x") >= 5, where("x") < 5)]
    assert [*found, passes(where("x") <= 5, x=5)] == [False, True, False, True]


def test_dates_may_be_given_as_objects():
    assert passes(where("x") >= date(2026, 11, 21), x="2026-11-21")
    assert passes(where("x") < datetime(2026, 11, 21, 12, tzinfo=UTC), x="2026-11-21T11:59:59Z")


def test_lists_of_values():
    assert passes(where("x").is_in([1, "a"]), x="a")
    assert passes(where("x").is_in([1, "a"]), x=[5, 1.0])
    assert not passes(where("x").is_in([1]), x=True)
    assert not passes(where("x").is_in([]), x="a")
    assert passes(where("x").not_in([]), x="a")


def test_all_of_some_values():
    assert passes(where("x").has_all(["a", 1]), x=["b", "a", 1.0])
    assert not passes(where("x").has_all(["a", 1]), x=["a", True])
    assert passes(where("x").has_all(["a"]), x="a")
    assert passes(where("x").has_all([]))


def test_text_inside_text():
    assert passes(where("x").has_text("b c"), x=["z", "ab cd"])
    assert not passes(where("x").has_text("B"), x="ab")
    assert not passes(where("x").has_text("1"), x=1)
    assert not passes(where("x").has_text("a"))


def test_nothing_combined():
    assert passes(AllOf())
    assert not passes(AnyOf())


@settings(max_examples=50)
@given(filters, filters, fields)
def test_the_laws_of_logic_hold(one, other, record):
    assert matches(~one, record) is not matches(one, record)
    assert matches(one & other, record) is (matches(one, record) and matches(other, record))
    assert matches(one | other, record) is (matches(one, record) or matches(other, record))


# building


def test_chains_stay_flat():
    a, b, c = (where(name) == 1 for name in "abc")
    assert a & b & c == AllOf((a, b, c))
    assert a | b | c == AnyOf((a, b, c))
    assert (a | b) & c == AllOf((AnyOf((a, b)), c))
    assert ~a == Not(a)


def test_and_or_not_are_refused_for_they_would_drop_a_part():
    with pytest.raises(TypeError, match="combine with"):
        _ = (where("a") == 1) and (where("b") == 2)
    with pytest.raises(TypeError, match="combine with"):
        _ = 1 < where("a") < 2


def test_only_filters_combine():
    with pytest.raises(RejectedError, match=r"found True \(bool\)"):
        _ = (where("a") == 1) & True  # type: ignore[operator] # the point


@pytest.mark.parametrize(
    "build",
    [
        lambda: where("x") == object(),
        lambda: where("x").is_in([math.nan]),
        lambda: where("x") == 2**53 + 1,
        lambda: where("x") == "\ud800",
        lambda: where("x") == [1],
        lambda: where("x") == b"a",
        lambda: where("x") > "abc",
        lambda: where("x") > True,
        lambda: Condition("x", Operator.GT, None),
        lambda: where("x").is_in("abc"),
        lambda: Condition("x", Operator.IN, [None]),
        lambda: where("x").is_in({"a": 1}),
        lambda: where("") == 1,
        lambda: where('a"b') == 1,
        lambda: Condition("x", Operator.EXISTS, "yes"),
        lambda: where("x").has_text(""),
        lambda: Condition("x", Operator.TEXT, 1),
    ],
)
def test_what_no_store_could_ask_is_refused(build):
    with pytest.raises(RejectedError, match="found"):
        build()


def test_an_error_says_what_was_found_and_stays_short():
    with pytest.raises(RejectedError) as caught:
        _ = where("year") > "x" * 1000
    assert "the value of 'year' > is a number or a date" in str(caught.value)
    assert len(str(caught.value)) < 200


# the plain form


def test_the_plain_form():
    plain = {
        "operator": "AND",
        "conditions": [
            {"field": "lang", "operator": "in", "value": ["en", "pt"]},
            {"operator": "OR", "conditions": [{"field": "year", "operator": ">=", "value": 2020}]},
            {"operator": "NOT", "conditions": [{"field": "draft", "operator": "exists"}]},
        ],
    }
    assert parse(plain) == AllOf(
        (
            where("lang").is_in(["en", "pt"]),
            AnyOf((where("year") >= 2020,)),
            ~where("draft").exists(),
        )
    )


def test_any_and_all_are_said_with_other_operators():
    one = {"field": "x", "operator": "any", "value": ["a", 1]}
    assert parse(one) == where("x").is_in(["a", 1])
    each = {"field": "x", "operator": "all", "value": ["a", 1]}
    assert parse(each) == (where("x") == "a") & (where("x") == 1)
    with pytest.raises(RejectedError, match="is a list"):
        parse(each | {"value": "a"})


def test_the_operators_of_a_filter_are_known_however_deep():
    asked = ~((where("x") > 1) | ~(where("y").has_text("a") & where("z").exists()))
    assert operators(asked) == {Operator.GT, Operator.TEXT, Operator.EXISTS}
    assert operators(AllOf()) == set()


def test_exists_may_be_denied():
    assert passes(parse({"field": "x", "operator": "exists", "value": False}))


@settings(max_examples=50)
@given(filters)
def test_what_is_written_plainly_is_read_back(filter):
    assert parse(plainly(filter)) == filter


def plainly(filter: Filter) -> dict[str, object]:
    match filter:
        case Condition(field, operator, value):
            return {"field": field, "operator": str(operator), "value": value}
        case AllOf(parts):
            return {"operator": "AND", "conditions": [plainly(part) for part in parts]}
        case AnyOf(parts):
            return {"operator": "OR", "conditions": [plainly(part) for part in parts]}
        case Not(part):
            return {"operator": "NOT", "conditions": [plainly(part)]}


X = {"field": "x", "operator": "==", "value": 1}


@pytest.mark.parametrize(
    ("plain", "error", "text"),
    [
        (None, RejectedError, "filter is a mapping, found None"),
        ([X], RejectedError, "filter is a mapping"),
        ({}, RejectedError, "filter lacks field, operator, found []"),
        ({"field": "x", "operator": "=="}, RejectedError, "lacks value"),
        ({"field": "x", "value": 1}, RejectedError, "lacks operator"),
        ({**X, "extra": 1}, RejectedError, "unknown keys ['extra']"),
        ({**X, "field": 5}, RejectedError, "found 5"),
        ({**X, "operator": "=~"}, UnsupportedError, "unknown operator '=~'"),
        ({**X, "operator": "not_in"}, UnsupportedError, "Did you mean 'not in'?"),
        ({**X, "operator": 5}, UnsupportedError, "unknown operator 5"),
        ({**X, "operator": "in"}, RejectedError, "is a list, found 1 (int)"),
        ({"conditions": [X]}, RejectedError, "lacks operator"),
        ({"operator": "AND", "conditions": []}, RejectedError, "at least one, found []"),
        ({"operator": "AND", "conditions": X}, RejectedError, "is a list"),
        ({"operator": "and", "conditions": [X]}, UnsupportedError, "unknown operator 'and'"),
        ({"operator": "NOT", "conditions": [X, X]}, RejectedError, "NOT takes one condition"),
        ({"operator": "OR", "conditions": [X, {}]}, RejectedError, "filter.conditions[1] lacks"),
    ],
)
def test_a_malformed_filter_is_refused_with_what_was_found(plain, error, text):
    with pytest.raises(error) as caught:
        parse(plain)
    assert text in str(caught.value)


def test_a_filter_nested_without_end_is_refused():
    plain: dict[str, object] = X
    for _ in range(5000):
        plain = {"operator": "NOT", "conditions": [plain]}
    with pytest.raises(RejectedError, match="deeper than 32"):
        parse(plain)


@pytest.mark.parametrize("times", [33, 5000])
def test_an_expression_nested_without_end_is_refused(times):
    asked: Filter = where("x") == 1
    for _ in range(times):
        asked = ~asked
    with pytest.raises(RejectedError, match="deeper than 32"):
        operators(asked)


def test_an_expression_as_deep_as_may_be_is_answered():
    asked: Filter = where("x") == 1
    for _ in range(32):
        asked = ~asked
    assert operators(asked) == {Operator.EQ}
    assert passes(asked, x=1)
