"""Objects of data come back as the same type, or not at all."""

import sys
from collections.abc import Callable
from dataclasses import dataclass, field, make_dataclass
from datetime import UTC, datetime
from enum import Enum
from types import ModuleType
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, create_model

from infrastructure.errors import UnsupportedError
from infrastructure.serialization import (
    Reason,
    UnreadableError,
    class_names,
    decode,
    encode,
    freeze,
    register,
    thaw,
)
from infrastructure.serialization.codec import _MARK
from infrastructure.serialization.codes import Code, pack
from infrastructure.serialization.signing import checksum
from tests.infrastructure.serialization import data_classes as data
from tests.infrastructure.serialization.data_classes import (
    Access,
    Bits,
    Box,
    Checked,
    Circle,
    Color,
    Failure,
    Fixed,
    IntItem,
    Item,
    Level,
    Money,
    Names,
    Node,
    Open,
    Order,
    Point,
    Row,
    Special,
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
    {Color.RED: [Word.HELLO], Money(1): {Level.LOW}},
]


@pytest.mark.parametrize("value", OBJECTS, ids=lambda value: type(value).__name__)
def test_an_object_comes_back_equal_and_of_the_same_type(value: Any) -> None:
    for found in (decode(encode(value)), thaw(freeze(value))):
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
    frozen = freeze(Order(id=1, total=Money(1)))
    thaw(frozen).lines.append(Point(1))
    assert thaw(frozen).lines == []


@given(st.builds(Order, id=st.integers(), total=st.builds(Money, st.integers(), st.text())))
def test_any_values_of_the_fields_survive(order: Order) -> None:
    assert decode(encode(order)) == order


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
    for store in (encode, freeze):
        with pytest.raises(UnsupportedError, match=rf"cannot store a '.*{name}'.*register"):
            store({"a": [value]})


def test_the_refusal_shows_the_path_through_fields() -> None:
    order = Order(id=1, total=Money(1), notes={"x": [data.Plain()]})
    with pytest.raises(UnsupportedError) as caught:
        encode([order])
    assert "Plain' at value[0].notes['x'][0]. " in str(caught.value)


def test_an_attribute_that_is_no_field_is_refused_rather_than_lost() -> None:
    point = Point(1)
    point.more = 2  # type: ignore[attr-defined]  # the mistake is the point
    with pytest.raises(UnsupportedError, match="its attribute 'more' is no field"):
        encode(point)


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


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """An application's module, whose classes change from one release to the next."""
    made = ModuleType("shop_of_a_test")
    monkeypatch.setitem(sys.modules, made.__name__, made)
    return made


@pytest.fixture
def registered(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a test registers is forgotten after it."""
    for table in ("_classes", "_names"):
        monkeypatch.setattr(class_names, table, dict(getattr(class_names, table)))


def _release(module: ModuleType, source: str) -> Any:
    code = (
        f"from __future__ import annotations\nimport dataclasses, enum, msgspec, pydantic\n{source}"
    )
    exec(code, vars(module))
    return vars(module)["Thing"]


DATACLASS = "@dataclasses.dataclass\nclass Thing:\n    "
MODEL = "class Thing(pydantic.BaseModel):\n    "
STRUCT = "class Thing(msgspec.Struct):\n    "


@pytest.mark.parametrize("start", [DATACLASS, MODEL, STRUCT])
@pytest.mark.parametrize(
    "fields", ["x: int; y: int = 0", "z: int", "x: str", "x: int | None", "x: list[int]"]
)
def test_a_class_with_other_fields_is_an_old_schema(
    module: ModuleType, start: str, fields: str
) -> None:
    written = encode(_release(module, f"{start}x: int")(x=1))
    _release(module, start + fields)
    with pytest.raises(UnreadableError, match="other fields") as caught:
        decode(written)
    assert caught.value.reason is Reason.SCHEMA


@pytest.mark.parametrize("start", [DATACLASS, MODEL, STRUCT])
def test_a_class_with_the_same_fields_reads_what_the_old_one_wrote(
    module: ModuleType, start: str
) -> None:
    written = encode(_release(module, f"{start}x: int | None")(x=1))
    new = _release(module, f"{start}x: 'None | int'\n    def more(self): return self.x + 1")
    assert decode(written) == new(x=1)
    assert decode(written).more() == 2


def test_a_dataclass_that_became_a_model_is_an_old_schema(module: ModuleType) -> None:
    written = encode(_release(module, f"{DATACLASS}x: int")(x=1))
    _release(module, f"{MODEL}x: int")
    with pytest.raises(UnreadableError, match="other fields"):
        decode(written)


def test_a_member_is_found_by_its_name_whatever_its_value_is_now(module: ModuleType) -> None:
    written = encode(_release(module, "class Thing(enum.Enum):\n    A = 1; B = 2").A)
    new = _release(module, "class Thing(enum.Enum):\n    B = 1; A = 2")
    assert decode(written) is new.A
    _release(module, "class Thing(enum.Enum):\n    B = 1")
    with pytest.raises(UnreadableError, match="no member 'A'"):
        decode(written)


def test_flags_are_found_by_name_too(module: ModuleType) -> None:
    thing = _release(module, "class Thing(enum.Flag):\n    A = 1; B = 2; C = 4")
    written = encode(thing.A | thing.C)
    thing = _release(module, "class Thing(enum.Flag):\n    C = 1; B = 2; A = 4")
    assert decode(written) == thing.A | thing.C


def test_a_class_that_is_gone_is_said_by_name(module: ModuleType) -> None:
    written = encode(_release(module, f"{DATACLASS}x: int")(x=1))
    del vars(module)["Thing"]
    with pytest.raises(UnreadableError, match="'shop_of_a_test:Thing'") as caught:
        decode(written)
    assert caught.value.reason is Reason.CLASS


def test_a_registered_name_survives_a_move(module: ModuleType, registered: None) -> None:
    old = _release(module, f"{DATACLASS}x: int")
    written = [encode(old(1)), encode(register("shop.Moved")(old)(1))]
    del vars(module)["Thing"]
    assert b"shop.Moved" in written[1]
    assert decode(written[1]) == old(1)

    @dataclass
    class Moved:
        x: int

    with pytest.raises(TypeError, match=r"'shop\.Moved' is taken"):
        register("shop.Moved")(Moved)
    register("shop.Moved2", formerly=["shop_of_a_test:Thing"])(Moved)
    assert decode(written[0]) == Moved(1)
    assert decode(encode(Moved(2))) == Moved(2)


@pytest.mark.parametrize("name", ["", "a:b"])
def test_a_registered_name_is_not_taken_for_a_place(name: str) -> None:
    with pytest.raises(ValueError, match="no colon"):
        register(name)(Point)


def _written(code: int, *state: Any) -> bytes:
    content = _MARK + pack(msgspec.msgpack.Ext(code, pack(list(state))))
    return content + checksum(content, b"")


@pytest.mark.parametrize(
    "name",
    [
        "this:that",
        "antigravity:fly",
        "os:system",
        "subprocess:Popen",
        "builtins:dict",
        "builtins:int",
        "nothing",
        "",
        ":",
        f"{Point.__module__}:Plain",
        f"{Point.__module__}:Point.__init__",
        f"{Point.__module__}:dataclass",
        f"{Point.__module__}:Color",
        f"{__name__}:Point",
        "pydantic.main:BaseModel",
        5,
        None,
    ],
)
def test_a_stored_name_reaches_nothing_but_classes_of_data(name: Any) -> None:
    for code in (Code.OBJECT, Code.MEMBER, Code.FLAG):
        with pytest.raises(UnreadableError):
            decode(_written(code, name, b"12345678", 1))
    assert "antigravity" not in sys.modules


def test_a_lookup_runs_no_code_of_a_module(module: ModuleType) -> None:
    def load(name: str) -> Any:
        raise AssertionError(name)

    module.__getattr__ = load  # type: ignore[method-assign]  # a lazy import, say
    with pytest.raises(UnreadableError):
        decode(_written(Code.OBJECT, "shop_of_a_test:Lazy", b"", 1))


def test_a_state_of_another_length_is_not_half_an_object() -> None:
    mark = msgspec.msgpack.decode(encode(Point(1))[4:-4]).data
    name, mark, *_ = msgspec.msgpack.decode(mark)
    with pytest.raises(UnreadableError) as caught:
        decode(_written(Code.OBJECT, name, mark, 1))
    assert caught.value.reason is Reason.UNREADABLE


def test_annotations_that_cannot_be_resolved_are_taken_as_written(module: ModuleType) -> None:
    thing = _release(module, f"{DATACLASS}x: Nowhere\n    y: int = 0")
    assert decode(encode(thing(1))) == thing(1)


def test_classes_made_all_the_time_take_no_memory(module: ModuleType) -> None:
    from infrastructure.serialization import shapes

    for number in range(shapes._MAX_SHAPES + 10):
        shapes._shapes[type(f"T{number}", (), {})] = None
    encode(_release(module, f"{DATACLASS}x: int")(1))
    assert len(shapes._shapes) < shapes._MAX_SHAPES


def test_a_local_class_with_a_registered_name_is_as_good_as_any(registered: None) -> None:
    class Inner(BaseModel):
        x: int = 1

    register("test_objects.Inner")(Inner)

    @register("test_objects.Outer")
    @dataclass
    class Outer:
        inner: Inner = field(default_factory=Inner)

    assert decode(encode(Outer())) == Outer()
