"""Objects of data come back as the same type, or not at all."""

import re
from collections.abc import Callable
from dataclasses import dataclass, make_dataclass
from datetime import UTC, datetime
from enum import Enum
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import create_model

from infrastructure.cache.snapshots import Snapshot
from infrastructure.errors import UnsupportedError
from infrastructure.serialization import decode, encode
from tests.infrastructure.serialization import data_classes as data
from tests.infrastructure.serialization.data_classes import (
    Access,
    Bits,
    Box,
    Checked,
    Circle,
    Class,
    Color,
    Failure,
    Fixed,
    Hiding,
    IntItem,
    Item,
    Level,
    Loose,
    Money,
    Names,
    Node,
    Open,
    Order,
    Point,
    Row,
    Shadowed,
    Special,
    Stamped,
    StampedModel,
    Tagged,
    Unset,
    User,
    Word,
)

NOW = datetime(2026, 1, 2, tzinfo=UTC)
OBJECTS: list[Any] = [
    Color.RED,
    Color.BLUE,
    Color.CRIMSON,
    Word.HELLO,
    Level.LOW,
    Access.READ,
    Access.ALL,
    Access(0),
    Bits.ONE | Bits.TWO,
    Bits(9),
    Point(1, 2),
    Money(5),
    Order(id=1, total=Money(7), lines=[Point(1)], notes={Money(1): {Word.HELLO: NOW}}),
    Special(1, 2, (Point(3), {Money(4)})),
    Node(Node()),
    Box[int](3),
    Checked(x=1),
    User(name="a", friend=User(name="b")),
    User.model_construct(name=1),
    Open(x=1, more=Money(2)),  # type: ignore[call-arg]  # extra is allowed
    Names(["a"]),
    IntItem(content=1),
    Row(1),
    Row(1, "x", Money(3)),
    Fixed(rows=(Row(1), Row(2)), at=NOW),
    Tagged(1),
    Hiding(model_extra=7),
    Tagged(class_=[Tagged()]),
    Class(number=1),
    Class.model_validate({"from": "a", "number": 2}),
    Shadowed(x=1, model_extra_=Money(1)),  # type: ignore[call-arg]  # extra is allowed
    Stamped(1),
    Access.READ | Access.WRITE,
    ~Bits.ONE,
    Bits(2**70 + 1),
    {Color.RED: [Word.HELLO], Money(1): {Level.LOW}},
]


@pytest.mark.parametrize("value", OBJECTS, ids=lambda value: type(value).__name__)
def test_an_object_comes_back_equal_and_of_the_same_type(value: Any) -> None:
    for found in (decode(encode(value)), Snapshot(value).get()):
        assert type(found) is type(value)
        assert found == value


def test_a_member_comes_back_as_itself() -> None:
    assert decode(encode([Color.BLUE, Word.HELLO])) == [Color.BLUE, Word.HELLO]
    assert decode(encode(Color.BLUE)) is Color.BLUE
    assert type(decode(encode({"word": Word.HELLO}))["word"]) is Word


def test_a_field_keeps_the_type_its_value_has_and_not_the_declared_one() -> None:
    found = decode(encode(Order(id=1, total=Money(1), lines=[Special(1, 2, 3)])))
    assert type(found.lines[0]) is Special


def test_a_field_that_was_never_set_comes_back_unset() -> None:
    assert not hasattr(decode(encode(Unset())), "later")


def test_what_was_computed_once_is_computed_again() -> None:
    circle = Circle(2)
    assert circle.area == 12
    found = decode(encode(circle))
    assert "area" not in vars(found)
    assert found == circle


def test_no_validator_and_no_post_init_changes_what_was_stored() -> None:
    user = User(name="a", age=1)
    assert decode(encode(user)).age == user.age == 2
    fixed = Fixed()
    msgspec.structs.force_setattr(fixed, "at", "changed")
    assert decode(encode(fixed)).at == "changed"


def test_private_attributes_and_what_was_set_come_back() -> None:
    user = User(name="a")
    user._seen = 5
    found = decode(encode(user))
    assert (found._seen, found.model_fields_set) == (5, {"name"})
    found.age = 3
    assert found.model_dump() == {"name": "a", "age": 3, "friend": None}
    with pytest.raises(AttributeError):
        _ = found._never


def test_each_reading_gives_objects_of_its_own() -> None:
    frozen = Snapshot(Order(id=1, total=Money(1)))
    frozen.get().lines.append(Point(1))
    assert frozen.get().lines == []


ANYTHING = st.recursive(
    st.sampled_from([Color.CRIMSON, Word.HELLO, Level.LOW, Access.ALL, Bits(9), NOW, msgspec.UNSET])
    | st.integers()
    | st.text(st.characters(exclude_categories=[]))
    | st.builds(Money, st.integers(), st.text()),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(st.text() | st.builds(Money, st.integers()), inner, max_size=3)
        | st.builds(Box, inner)
        | st.builds(Special, inner, inner, inner)
        | st.builds(Row, st.integers(), st.text(), inner)
        | st.builds(Open, x=st.integers(), more=inner)
        | st.builds(User.model_construct, name=inner)
        | st.builds(Stamped, inner)
    ),
    max_leaves=8,
)


@given(ANYTHING)
def test_objects_inside_each_other_keep_their_values_and_types(value: Any) -> None:
    found = decode(encode(value))
    assert found == value
    assert repr(found) == repr(value)  # tells 1 from True and from 1.0


def _local_dataclass() -> Any:
    @dataclass
    class Local:
        x: int

    return Local(1)


def _local_member() -> Any:
    class Local(Enum):
        A = 1

    return Local.A


@pytest.mark.parametrize(
    "make",
    [
        _local_dataclass,
        _local_member,
        create_model("Local", x=(int, 1)),
        lambda: msgspec.defstruct("Local", [("x", int)])(1),
        lambda: make_dataclass("Local", ["x"])(1),
        lambda: Item[str](content="a"),
    ],
)
def test_a_class_that_could_not_be_found_again_is_refused_by_name(make: Callable[[], Any]) -> None:
    value = make()
    name = value.__class__.__qualname__.replace("[", r"\[")
    for store in (encode, Snapshot):
        with pytest.raises(UnsupportedError, match=rf"cannot store a '.*{name}'.*register"):
            store({"a": [value]})


def test_the_refusal_shows_the_path_through_fields() -> None:
    order = Order(id=1, total=Money(1), notes={"x": [data.Plain()]})
    with pytest.raises(UnsupportedError) as caught:
        encode([order])
    assert "Plain' at value[0].notes['x'][0]. " in str(caught.value)


@pytest.mark.parametrize("name", ["more", "__more", "_z"])
@pytest.mark.parametrize("kind", [Point, Loose])
def test_an_attribute_that_is_no_field_is_refused_rather_than_lost(kind: Any, name: str) -> None:
    value = kind(1)
    assert decode(encode(value)) == value
    setattr(value, name, 2)
    told = f"its attribute '{name}' is no field at value['a']. "
    with pytest.raises(UnsupportedError, match=re.escape(told)):
        encode({"a": value})


@pytest.mark.parametrize("make", [lambda: Stamped(1), lambda: StampedModel(x=1)])
def test_a_slot_that_is_no_field_is_refused_rather_than_lost(make: Callable[[], Any]) -> None:
    value = make()
    assert decode(encode(value)) == value
    object.__setattr__(value, "stamp", 5)
    with pytest.raises(UnsupportedError, match="its attribute 'stamp' is no field"):
        encode(value)


def test_a_struct_with_a_deleted_field_is_refused() -> None:
    row = Row(1)
    del row.name
    with pytest.raises(UnsupportedError, match="its field 'name' was deleted"):
        encode(row)


def test_the_dict_of_an_object_keeps_the_types_of_its_values() -> None:
    point = Point((1, 2), {3})  # type: ignore[arg-type]  # what msgpack has no type for
    for value in (vars(point), [vars(point)], {"a": [vars(point)]}):
        assert decode(encode(value)) == value


def test_a_private_attribute_that_cannot_be_stored_is_refused_with_its_name() -> None:
    user = User(name="a")
    user._seen = object()  # type: ignore[assignment]  # a client or a lock, say
    with pytest.raises(UnsupportedError, match=r"'object' at value\._seen"):
        encode(user)


def test_a_dataclass_on_a_built_in_type_is_refused() -> None:
    with pytest.raises(UnsupportedError, match=r"Failure.*derives from a built-in type"):
        encode(Failure(1))


def test_an_object_that_contains_itself_is_refused() -> None:
    node = Node()
    node.next = node
    with pytest.raises(UnsupportedError, match="contains itself"):
        encode(node)
