"""What an object of data is taken apart into, and how it is put together again.

Three kinds of class: dataclass, pydantic model, msgspec Struct. Putting together sets the fields
as they were: no `__init__`, no validator and no default runs. Only a Struct cannot be made without
its `__post_init__`; what that changes is put back.
"""

import dataclasses
from collections.abc import Callable, Sequence
from functools import cached_property
from types import MemberDescriptorType
from typing import Any, NamedTuple

import msgspec
from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from infrastructure.serialization.class_names import name_of, shown
from infrastructure.serialization.codes import ABSENT
from infrastructure.serialization.errors import RefusedError
from infrastructure.serialization.fingerprints import annotations_of, fingerprint

_MAX_SHAPES = 4096
_shapes: dict[type[Any], "Shape | None"] = {}


class Shape(NamedTuple):
    """One class.

    Attributes:
        name: What it is stored under.
        mark: The fingerprint of its fields.
        parts: A word for each part of the state, for the path in a refusal.
        take: The state of an object, part by part.
        build: An object of a state.
    """

    name: str
    mark: bytes
    parts: tuple[str, ...]
    take: Callable[[Any], list[Any]]
    build: Callable[[Sequence[Any]], Any]


def shape_of(cls: type[Any]) -> Shape | None:
    """The shape of a class of data; None for any other class.

    Raises:
        RefusedError: A class of data whose objects could not be read again.
    """
    try:
        return _shapes[cls]
    except KeyError:
        if len(_shapes) >= _MAX_SHAPES:  # a program that makes classes all the time
            _shapes.clear()
        return _shapes.setdefault(cls, _new_shape(cls))


def forget(cls: type[Any]) -> None:
    """Look at the class anew when next asked for; its name has changed."""
    _shapes.pop(cls, None)


def _new_shape(cls: type[Any]) -> Shape | None:
    if issubclass(cls, BaseModel):
        return _model_shape(cls)
    if issubclass(cls, msgspec.Struct):
        return _struct_shape(cls)
    return _dataclass_shape(cls) if dataclasses.is_dataclass(cls) else None


def _dataclass_shape(cls: type[Any]) -> Shape:
    try:
        object.__new__(cls)
    except TypeError:
        raise RefusedError(
            f"cannot store a '{shown(cls)}': the dataclass derives from a built-in type",
            "Keep the built-in value in a field.",
        ) from None
    names = tuple(field.name for field in dataclasses.fields(cls))
    refuse_more = _refuser(cls, names)

    def take(value: Any) -> list[Any]:
        refuse_more(value)
        return [getattr(value, name, ABSENT) for name in names]

    def build(state: Sequence[Any]) -> Any:
        made = object.__new__(cls)
        for name, value in zip(names, state, strict=True):
            if value is not ABSENT:
                object.__setattr__(made, name, value)
        return made

    return Shape(name_of(cls), _mark("dataclass", cls, names), names, take, build)


def _struct_shape(cls: type[msgspec.Struct]) -> Shape:
    names = cls.__struct_fields__
    put = msgspec.structs.force_setattr
    runs_more = hasattr(cls, "__post_init__")
    refuse_more = _refuser(cls, names)

    def take(value: Any) -> list[Any]:
        refuse_more(value)
        try:
            return [getattr(value, name) for name in names]
        except AttributeError as error:
            what = f"cannot store a '{shown(cls)}': its field '{error.name}' was deleted"
            raise RefusedError(what, "Set it, to None for example.") from None

    def build(state: Sequence[Any]) -> Any:
        made = cls(**dict(zip(names, state, strict=True)))
        if runs_more:
            for name, value in zip(names, state, strict=True):
                put(made, name, value)
        return made

    return Shape(name_of(cls), _mark("struct", cls, names), names, take, build)


def _mark(kind: str, cls: type[Any], names: tuple[str, ...]) -> bytes:
    types = annotations_of(cls)
    return fingerprint(kind, [(name, types.get(name, "")) for name in names])


def _model_shape(cls: type[BaseModel]) -> Shape:
    """Of a model: its fields, its private attributes, what `extra` allowed, what was set."""
    fields = tuple(cls.model_fields)
    private = tuple(cls.__private_attributes__)
    parts = (*fields, *private, "model_extra", "model_fields_set")
    types = [(name, cls.model_fields[name].annotation) for name in fields]
    mark = fingerprint("model", [*types, *((name, "") for name in private)])
    all_set = frozenset(fields)
    refuse_more = _refuser(cls, fields)

    def take(value: Any) -> list[Any]:
        refuse_more(value)
        hidden = value.__pydantic_private__ or {}
        given = value.__pydantic_fields_set__
        return [
            *(value.__dict__.get(name, ABSENT) for name in fields),
            *(_defined(hidden.get(name, PydanticUndefined)) for name in private),
            value.__pydantic_extra__,
            None if given == all_set else sorted(given),
        ]

    def build(state: Sequence[Any]) -> Any:
        *values, extra, given = state
        named = zip((*fields, *private), values, strict=True)
        found = {name: value for name, value in named if value is not ABSENT}
        hidden = {name: found.pop(name) for name in private if name in found}
        made = cls.__new__(cls)
        object.__setattr__(made, "__dict__", found)
        object.__setattr__(made, "__pydantic_extra__", extra)
        object.__setattr__(made, "__pydantic_private__", hidden if private else None)
        object.__setattr__(
            made, "__pydantic_fields_set__", set(all_set if given is None else given)
        )
        return made

    return Shape(name_of(cls), mark, parts, take, build)


def _defined(value: Any) -> Any:
    return ABSENT if value is PydanticUndefined else value


def _refuser(cls: type[Any], names: tuple[str, ...]) -> Callable[[Any], None]:
    """What refuses an object that has attributes beside its fields, in its dict or in slots.

    A `cached_property` can be made again, and so can what the use of a generic class leaves.
    """
    known = frozenset(names)
    slots = [
        name
        for each in cls.__mro__
        for name, found in vars(each).items()
        if isinstance(found, MemberDescriptorType) and name not in known
        if not name.startswith("__pydantic_")
    ]

    def refuse(value: Any) -> None:
        has = getattr(value, "__dict__", None) or ()
        if not slots and known.issuperset(has):
            return
        for name in [*has, *(name for name in slots if hasattr(value, name))]:
            is_made_again = isinstance(getattr(cls, name, None), cached_property)
            if name not in known and not is_made_again and name != "__orig_class__":
                raise RefusedError(
                    f"cannot store a '{shown(cls)}': its attribute '{name}' is no field",
                    "Declare it as a field.",
                )

    return refuse if slots or cls.__dictoffset__ else _no_more


def _no_more(_: Any) -> None:
    """What has neither a dict nor other slots has nothing beside its fields."""
