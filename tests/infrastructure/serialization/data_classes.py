"""Classes of data of every sort, at the top of a module as an application has them."""

import warnings
from dataclasses import KW_ONLY, dataclass, field
from enum import Enum, Flag, IntEnum, IntFlag, StrEnum, auto
from functools import cached_property
from typing import Any, Generic, TypeVar

import msgspec
from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, RootModel, field_validator
from pydantic.dataclasses import dataclass as pydantic_dataclass

T = TypeVar("T")


class Color(Enum):
    RED = (255, 0, 0)
    BLUE = object()
    CRIMSON = RED


class Word(StrEnum):
    HELLO = "hello"


class Level(IntEnum):
    LOW = 1


class Access(Flag):
    READ = auto()
    WRITE = auto()
    ALL = READ | WRITE


class Bits(IntFlag):
    ONE = 1
    TWO = 2


@dataclass
class Point:
    x: int
    y: int = 0


@dataclass(frozen=True, slots=True, order=True)
class Money:
    cents: int
    currency: str = "EUR"


@dataclass(kw_only=True)
class Order:
    id: int
    total: Money
    lines: list[Point] = field(default_factory=list)
    color: Color = Color.RED
    notes: dict[Any, Any] = field(default_factory=dict)
    count: int = field(init=False, default=0)
    _: KW_ONLY

    def __post_init__(self) -> None:
        self.count = len(self.lines)


@dataclass
class Special(Point):
    """Derived, with one field more."""

    z: Any = None


@dataclass(slots=True)
class Unset:
    later: int = field(init=False)


@dataclass
class Circle:
    radius: float

    @cached_property
    def area(self) -> float:
        return 3 * self.radius**2


@dataclass
class Box(Generic[T]):
    content: T


@dataclass
class Node:
    next: "Node | None" = None


@dataclass
class Failure(Exception):  # noqa: N818 - the wrong thing is what it shows
    code: int


@pydantic_dataclass
class Checked:
    x: int


class User(BaseModel):
    name: str
    age: int = 0
    friend: "User | None" = None
    _seen: int = PrivateAttr(default=0)
    _never: int = PrivateAttr()

    @field_validator("age")
    @classmethod
    def _grows_by_a_year(cls, age: int) -> int:
        return age + 1


class Open(BaseModel):
    model_config = ConfigDict(extra="allow", frozen=True)
    x: int


class Names(RootModel[list[str]]):
    pass


class Item(BaseModel, Generic[T]):
    content: T


IntItem = Item[int]


class Row(msgspec.Struct):
    id: int
    name: str = "none"
    value: Any = msgspec.UNSET


class Fixed(msgspec.Struct, frozen=True, kw_only=True, tag="fixed"):
    rows: tuple[Row, ...] = ()
    at: Any = None

    def __post_init__(self) -> None:
        if self.at == "changed":
            msgspec.structs.force_setattr(self, "at", "by __post_init__")


class Loose(msgspec.Struct, dict=True):
    x: int


class Tagged(msgspec.Struct, tag_field="kind", tag="t", rename="camel", array_like=True):
    id_number: int = 0
    class_: Any = None


class Class(BaseModel):
    """With an alias."""

    model_config = ConfigDict(populate_by_name=False)
    from_: str = Field(default="x", alias="from")
    number: int = Field(default=0, validation_alias="number", serialization_alias="no")


with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # pydantic says that the name hides one of its own

    class Hiding(BaseModel):
        model_extra: int = 1  # type: ignore[assignment]


class Shadowed(Open):
    """Derived, with a private attribute."""

    _secret: int = PrivateAttr(default=3)


class WithStamp:
    __slots__ = ("stamp",)


@dataclass(slots=True)
class Stamped(WithStamp):
    x: int


class StampedModel(BaseModel):
    __slots__ = ("stamp",)
    x: int


class Plain:
    """No class of data."""
