"""The walk over one record: everything nested in it, bounded in depth, nodes and characters."""

from __future__ import annotations

import dataclasses
import math
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence, ValuesView
from collections.abc import Set as AbstractSet
from enum import Enum
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import msgspec
from pydantic import BaseModel

from infrastructure.observability.logging.detection import sensitivity

if TYPE_CHECKING:
    from infrastructure.observability.logging.redaction import Redactor

MASK = "***"
MAX_DEPTH = 8
#: A node is a value, and every `NODE_CHARACTERS` of a long one.
MAX_NODES = 1_000
NODE_CHARACTERS = 100
MAX_CHARACTERS = 8_000


class Walk:
    """One pass over one record: how much may still be visited, and what is being visited."""

    def __init__(self, redactor: Redactor) -> None:
        self._redactor = redactor
        self._left = MAX_NODES
        self._inside: set[int] = set()
        self._is_counting = False

    def mapping(self, items: Iterable[tuple[Any, Any]]) -> dict[str, Any]:
        """Names and values in JSON types; what a sensitive name promises is masked."""
        return dict(self._pairs(items))

    def _pairs(self, items: Iterable[tuple[Any, Any]]) -> Iterator[tuple[str, Any]]:
        for key, value in items:
            if self._left <= 0:
                yield "...", "more was left out"
                return
            self._left -= 1
            name = key if type(key) is str else _plain_key(key)
            yield self._redactor.label(name), self._named(name, value)

    def _named(self, name: str, value: Any) -> Any:
        sensitive, counted = sensitivity(name)
        if not sensitive or value is None or value == "" or isinstance(value, bool):
            return self.value(value)
        if counted and isinstance(value, (int, float)):
            return self.value(value)
        return self._counts(value) if counted and isinstance(value, Mapping) else MASK

    def _counts(self, value: Any) -> Any:
        """Numbers by name; a text among them is a secret."""
        before, self._is_counting = self._is_counting, True
        try:
            return self.value(value)
        finally:
            self._is_counting = before

    def value(self, value: Any) -> Any:
        """The value in JSON types."""
        kind = type(value)
        if kind is str:
            return self._text(value)
        if value is None or kind is bool:
            return value
        if kind is int:
            return self._redactor.number(value)
        if kind is float:
            return value if math.isfinite(value) else str(value)
        try:
            return self._nested(value)
        except Exception as error:  # noqa: BLE001  # the value's own code failed: say so instead
            return self._redactor.label(f"<{kind.__qualname__} raised {type(error).__qualname__}>")

    def _nested(self, value: Any) -> Any:
        if id(value) in self._inside:
            return "<cycle>"
        if len(self._inside) >= MAX_DEPTH:
            return self._redactor.label(f"<{type(value).__qualname__}, too deep>")
        self._inside.add(id(value))
        try:
            return self._opened(value)
        finally:
            self._inside.discard(id(value))

    def _opened(self, value: Any) -> Any:
        if (items := _items(value)) is not None:
            return self.mapping(items)
        if isinstance(value, _SEQUENCES) and not isinstance(value, _TEXTS):
            return (isinstance(value, tuple) and self._pair(value)) or self._sequence(value)
        if isinstance(value, BaseException):
            return {"type": type(value).__qualname__, "message": self._text(str(value))}
        if isinstance(value, Enum):
            return self.value(value.value)
        return self._text(_written(value))

    def _text(self, text: str) -> str:
        if self._is_counting:
            return MASK
        self._left -= min(len(text), MAX_CHARACTERS) // NODE_CHARACTERS
        return self._redactor.text(text)

    def _sequence(self, values: Iterable[Any]) -> list[Any]:
        found: list[Any] = []
        is_next_secret = False
        for value in values:
            if self._left <= 0:
                found.append("more was left out")
                break
            self._left -= 1
            found.append(MASK if is_next_secret else self._element(value))
            # The arguments of a program: `--password`, and then it.
            is_next_secret = type(value) is str and value[:2] == "--" and sensitivity(value)[0]
        return found

    def _element(self, value: Any) -> Any:
        """Headers come as pairs, lists among them."""
        is_pair = isinstance(value, (tuple, list))
        return (is_pair and self._pair(value)) or self.value(value)

    def _pair(self, pair: Sequence[Any]) -> list[Any] | None:
        """A name and its value: a sensitive first masks the second; None of what is no such."""
        if len(pair) != 2 or not isinstance(pair[0], (str, bytes)):  # noqa: PLR2004  # a pair
            return None
        name = _plain_key(pair[0])
        return [self._redactor.text(name), self._named(name, pair[1])]


_TEXTS = (str, bytes, bytearray, memoryview)
_SEQUENCES = (list, tuple, set, frozenset, deque, Sequence, AbstractSet, ValuesView)


def _items(value: Any) -> Iterable[tuple[Any, Any]] | None:
    """Names and values of what has named parts."""
    if isinstance(value, Mapping):
        return _without_input(value) if "loc" in value and "input" in value else value.items()
    if isinstance(value, BaseModel):
        return iter(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return [(field.name, getattr(value, field.name)) for field in dataclasses.fields(value)]
    if isinstance(value, msgspec.Struct):
        return [(name, getattr(value, name)) for name in value.__struct_fields__]
    return _loose_items(value)


def _loose_items(value: Any) -> Iterable[tuple[Any, Any]] | None:
    """Those of classes that others have made."""
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return zip(value._fields, value, strict=True)
    if isinstance(value, SimpleNamespace):
        return vars(value).items()
    attributes = getattr(type(value), "__attrs_attrs__", None)  # those of `attrs`
    if attributes is not None:
        return [(one.name, getattr(value, one.name)) for one in attributes]
    return None


def _without_input(problem: Mapping[Any, Any]) -> Iterator[tuple[Any, Any]]:
    """What a settings model says of a wrong value, and not the value."""
    return ((key, MASK if key == "input" else part) for key, part in problem.items())


def _written(value: Any) -> str:
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value[: 2 * MAX_CHARACTERS]).decode(errors="backslashreplace")
    if isinstance(value, (int, float)):
        return str(value)
    return str(value) if type(value).__module__ in _PLAIN_MODULES else repr(value)


#: Types whose `str` says all there is; of the others the `repr` does.
_PLAIN_MODULES = frozenset({"datetime", "decimal", "pathlib", "uuid", "pydantic.types"})


def _plain_key(key: Any) -> str:
    try:
        return _written(key)
    except Exception as error:  # noqa: BLE001  # the key's own code failed: say so instead
        return f"<{type(key).__qualname__} raised {type(error).__qualname__}>"
