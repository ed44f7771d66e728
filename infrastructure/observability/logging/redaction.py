"""Turns whatever is logged into JSON types without secrets, within bounds."""

import dataclasses
import math
import re
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from enum import Enum
from typing import Any

import msgspec
from pydantic import BaseModel

from infrastructure.observability.logging.detection import PATTERNS, sensitivity, spellings

MASK = "***"
#: Shorter secrets are not searched for: masking them would shred every line, and hide nothing.
MIN_SECRET_CHARACTERS = 4
MAX_DEPTH = 8
#: A node is a value, and every `NODE_CHARACTERS` of a long one.
MAX_NODES = 1_000
NODE_CHARACTERS = 100
MAX_CHARACTERS = 8_000
MAX_LABELS = 2_000
MAX_LABEL_CHARACTERS = 200


class Redactor:
    """Turns anything into JSON types without secrets, bounded in depth, nodes and characters.

    One may be shared by threads; `learn` replaces what it knows at once.
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self.learn(secrets)

    def learn(self, secrets: Iterable[str]) -> None:
        """Mask these values from now on, and no others; in any spelling a line may have."""
        spelled = {form for secret in secrets for form in spellings(secret)}
        found = sorted(
            (form for form in spelled if len(form) >= MIN_SECRET_CHARACTERS), key=len, reverse=True
        )
        self._known = tuple(found)
        self._numbers = frozenset(int(form) for form in found if re.fullmatch(r"[0-9]{1,30}", form))
        self._margin = len(found[0]) if found else 0
        # Replaced last: an answer that was found with the old secrets goes into the old mapping.
        self._labels: dict[str, str] = {}

    def text(self, text: str) -> str:
        """The text with every secret masked, cut after `MAX_CHARACTERS`."""
        if len(text) <= MAX_CHARACTERS:
            return self._masked(text)
        # A secret cut in two is not recognized, so what follows the last whole one goes too.
        margin = self._margin + 1
        kept = self._masked(text[: MAX_CHARACTERS + margin])[:-margin][:MAX_CHARACTERS]
        return f"{kept}... ({len(text)} characters)"

    def label(self, text: str) -> str:
        """The same for a text that comes again line after line; the answer is kept."""
        labels = self._labels
        found = labels.get(text)
        if found is None:
            found = self.text(text)
            if len(labels) >= MAX_LABELS:
                labels.clear()
            if len(text) <= MAX_LABEL_CHARACTERS:
                labels[text] = found
        return found

    def fields(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """The mapping, all of it in JSON types, with sensitive names masked."""
        return _Walk(self).mapping(values.items())

    def number(self, number: int) -> int | str:
        """The number, unless its digits are a secret."""
        return MASK if number in self._numbers else number

    def _masked(self, text: str) -> str:
        for secret in self._known:
            if secret in text:
                text = text.replace(secret, MASK)
        for hints, pattern in PATTERNS:
            for hint in hints:
                if hint in text:
                    text = pattern.sub(rf"\1{MASK}", text)
                    break
        # A lone surrogate cannot be written as UTF-8.
        return text if text.isascii() else text.encode(errors="backslashreplace").decode()


class _Walk:
    """One pass over one record: how much may still be visited, and what is being visited."""

    def __init__(self, redactor: Redactor) -> None:
        self._redactor = redactor
        self._left = MAX_NODES
        self._inside: set[int] = set()

    def mapping(self, items: Iterable[tuple[Any, Any]]) -> dict[str, Any]:
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
        if counted and isinstance(value, (int, float, Mapping)):
            return self.value(value)
        return MASK

    def value(self, value: Any) -> Any:
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
            return f"<{kind.__qualname__} raised {type(error).__qualname__}>"

    def _nested(self, value: Any) -> Any:
        if id(value) in self._inside:
            return "<cycle>"
        if len(self._inside) >= MAX_DEPTH:
            return f"<{type(value).__qualname__}, too deep>"
        self._inside.add(id(value))
        try:
            return self._opened(value)
        finally:
            self._inside.discard(id(value))

    def _opened(self, value: Any) -> Any:
        if (items := _items(value)) is not None:
            return self.mapping(items)
        if isinstance(value, (list, tuple, set, frozenset, deque)):
            return self._sequence(value)
        if isinstance(value, BaseException):
            return {"type": type(value).__qualname__, "message": self._text(str(value))}
        if isinstance(value, Enum):
            return self.value(value.value)
        return self._text(_written(value))

    def _text(self, text: str) -> str:
        self._left -= min(len(text), MAX_CHARACTERS) // NODE_CHARACTERS
        return self._redactor.text(text)

    def _sequence(self, values: Iterable[Any]) -> list[Any]:
        found: list[Any] = []
        for value in values:
            if self._left <= 0:
                found.append("more was left out")
                break
            self._left -= 1
            found.append(self._element(value))
        return found

    def _element(self, value: Any) -> Any:
        """Headers come as pairs: a sensitive first masks the second."""
        if isinstance(value, (tuple, list)) and len(value) == 2:  # noqa: PLR2004  # a pair
            name, second = value
            if isinstance(name, (str, bytes)):
                name = _plain_key(name)
                return [self._redactor.text(name), self._named(name, second)]
        return self.value(value)


def _items(value: Any) -> Iterable[tuple[Any, Any]] | None:
    """Names and values of what has named parts."""
    if isinstance(value, Mapping):
        return value.items()
    if isinstance(value, BaseModel):
        return iter(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return [(field.name, getattr(value, field.name)) for field in dataclasses.fields(value)]
    if isinstance(value, msgspec.Struct):
        return [(name, getattr(value, name)) for name in value.__struct_fields__]
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return zip(value._fields, value, strict=True)
    return None


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
