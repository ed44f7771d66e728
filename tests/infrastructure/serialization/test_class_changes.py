"""Classes change from one release to the next; a stored name reaches the right one or none."""

import sys
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

import msgspec
import pytest
from pydantic import BaseModel

from infrastructure.serialization import (
    Reason,
    UnreadableError,
    class_names,
    decode,
    encode,
    register,
)
from infrastructure.serialization.codec import _MARK
from infrastructure.serialization.codes import Code, pack
from infrastructure.serialization.signing import checksum
from tests.infrastructure.serialization.data_classes import Point


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
