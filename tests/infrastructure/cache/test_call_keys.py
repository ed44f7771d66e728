"""The key of a call: one for each set of arguments, and no other's."""

import enum
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infrastructure.cache.call_keys import CallKeys, text_of


class Color(enum.Enum):
    RED = "r"


@pytest.mark.parametrize(
    "value",
    [
        *(1, True, 1.0, "1", b"1", Decimal(1), None, date(2026, 1, 2), UUID(int=1), Color.RED),
        *((1,), [1], {1}, {1: 1}, {"1": 1}, ("1",), ("1,1",), ("1", "1"), "", ()),
    ],
)
def test_the_text_of_a_value_is_its_own(value: Any) -> None:
    others = [1, True, 1.0, "1", b"1", None, (1,), [1], {1}, {1: 1}, {"1": 1}, ("1",)]
    same = [each for each in others if text_of(each) == text_of(value)]
    assert all(type(each) is type(value) and each == value for each in same)


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.tuples(inner, inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@given(_VALUES, _VALUES)
def test_two_values_have_one_text_only_when_they_are_one(first: Any, second: Any) -> None:
    is_same = text_of(first) == text_of(second)
    assert is_same == (repr(_ordered(first)) == repr(_ordered(second)))


def _ordered(value: Any) -> Any:
    if isinstance(value, dict):
        return ("dict", sorted(((key, _ordered(item)) for key, item in value.items()), key=repr))
    if isinstance(value, list):
        return [_ordered(item) for item in value]
    return tuple(map(_ordered, value)) if isinstance(value, tuple) else value


_FILLS = (
    st.sampled_from(["n", "b1", "%n", "%25", "1", "a", "-", "x-y", "%"])
    | st.text(max_size=4)
    | st.integers(-9, 9)
    | st.none()
    | st.booleans()
    | st.tuples(st.text(max_size=2))
)


@pytest.mark.parametrize(
    "template", ["k:{x}:{y}", "{x}-{y}", "{x}a.b{y}", "a{x}/%{y}", "{x}\u2014 {y}"]
)
@given(_FILLS, _FILLS, _FILLS, _FILLS)
def test_what_fills_a_template_cannot_be_taken_for_the_template(
    template: str, a: Any, b: Any, c: Any, d: Any
) -> None:
    def function(x: Any, y: Any) -> None: ...

    keys = CallKeys(function, template)
    is_same = [text_of(_written(each)) for each in (a, b)] == [
        text_of(_written(each)) for each in (c, d)
    ]
    assert (keys.of((a, b), {}) == keys.of((c, d), {})) == is_same


def _written(value: Any) -> Any:
    """A number and its text are one in a template."""
    return str(value) if type(value) is int else value


@pytest.mark.parametrize("template", ["user:{}", "{x}{y}", "{x}and{y}", "{x}%{y}", "{0}"])
def test_a_template_that_cannot_tell_arguments_apart_is_refused(template: str) -> None:
    def function(x: str, y: str) -> None: ...

    with pytest.raises(ValueError, match="key"):
        CallKeys(function, template)


def test_a_long_key_is_hashed_and_stays_readable_in_part() -> None:
    def function(x: str) -> None: ...

    keys = CallKeys(function, "page:{x}")
    first, second = keys.of(("a" * 5000,), {}), keys.of(("a" * 4999 + "b",), {})
    assert first != second
    assert first.startswith("page:aaa")
    assert len(first) < 200


class Rights(enum.IntFlag):
    READ = 1


def test_flags_without_a_name_are_told_apart() -> None:
    texts = {text_of(Rights(number)) for number in (1, 8, 9, 16)}
    assert len(texts) == 4


def test_the_same_moment_in_two_zones_is_two_arguments() -> None:
    zones = [UTC, timezone(timedelta(0), "X"), ZoneInfo("Europe/London"), ZoneInfo("Africa/Accra")]
    texts = {text_of(datetime(2026, 1, 2, tzinfo=zone)) for zone in zones}
    assert len(texts) == 4


def test_a_value_that_looks_like_a_hashed_key_is_not_taken_for_one() -> None:
    def function(x: str) -> None: ...

    keys = CallKeys(function, "page:{x}")
    hashed = keys.of(("a" * 5000,), {})
    assert keys.of((hashed.removeprefix("page:"),), {}) != hashed


@pytest.mark.parametrize("template", ["page:{x:05d}", "page:{x!r}"])
def test_a_template_with_a_format_is_refused(template: str) -> None:
    def function(x: int) -> None: ...

    with pytest.raises(ValueError, match=r"has a format.*Write '\{x\}'"):
        CallKeys(function, template)
