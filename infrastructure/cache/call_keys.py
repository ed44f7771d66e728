"""The key of a call: the same for the same arguments, in every process and version of Python."""

import inspect
import string
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from hashlib import blake2b
from typing import Any, Final
from uuid import UUID

Key = str | Callable[..., str] | None

_PLAIN: Final = {inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD}
_LONGEST: Final = 200
_READABLE: Final = 100
#: Where a hashed key, and no other, has a `#`: before its 32 digits.
_HASH: Final = slice(-33, -32)
_KINDS: Final[dict[type, Callable[[Any], str]]] = {
    bool: lambda value: f"b{value:d}",
    int: lambda value: f"i{value}",
    float: lambda value: f"f{value!r}",
    str: lambda value: f"s{len(value)}.{value}",
    bytes: lambda value: f"y{value.hex()}",
    type(None): lambda _: "n",
    Decimal: lambda value: f"d{value}",
    datetime: lambda value: f"t{value.isoformat()}.{value.fold}.{value.tzinfo}",
    date: lambda value: f"a{value.isoformat()}",
    time: lambda value: f"m{value.isoformat()}.{value.fold}.{value.tzinfo}",
    timedelta: lambda value: f"l{value // timedelta(microseconds=1)}",
    UUID: lambda value: f"u{value.hex}",
    tuple: lambda value: f"({','.join(map(text_of, value))})",
    list: lambda value: f"[{','.join(map(text_of, value))}]",
    set: lambda value: f"{{{','.join(sorted(map(text_of, value)))}}}",
    frozenset: lambda value: f"{{{','.join(sorted(map(text_of, value)))}}}",
    dict: lambda value: (
        f"<{','.join(sorted(f'{text_of(key)}={text_of(item)}' for key, item in value.items()))}>"
    ),
}


def text_of(value: Any) -> str:
    """A text that tells a value, and its type, from every other.

    An object may say it itself in a method `__cache_key__`.

    Raises:
        TypeError: There is no such text.
    """
    kind = type(value)
    if kind in _KINDS:
        return _KINDS[kind](value)
    name = f"{kind.__module__}.{kind.__qualname__}"
    if isinstance(value, Enum):
        return f"e{name}.{value.name or text_of(value.value)}"  # flags together may have no name
    own = getattr(kind, "__cache_key__", None)
    if own is not None:
        return f"o{name}:{text_of(own(value))}"
    raise TypeError(f"a '{name}'")


class CallKeys:
    """Keys of the calls of one function.

    Args:
        function: The function.
        key: A template such as `user:{user_id}` with the names of parameters; a function of the
            same arguments; or None for the function's full name and all its arguments.

    Raises:
        ValueError: The template names something that is no parameter, or says how to write it,
            or nothing stands between two names.
    """

    def __init__(self, function: Callable[..., Any], key: Key = None) -> None:
        self._signature = inspect.signature(function)
        parameters = self._signature.parameters.values()
        is_plain = all(each.kind in _PLAIN for each in parameters)
        self._plain = [each.name for each in parameters] if is_plain else None
        self._name = f"{function.__module__}.{function.__qualname__}"
        self._make = key if callable(key) else None
        self._pieces = _pieces(key, self._signature, self._name) if isinstance(key, str) else None
        literals = {char for text, _ in self._pieces or () for char in text if not char.isalnum()}
        self._escapes = str.maketrans({char: _escaped(char) for char in {*literals, "%"}})

    def of(self, args: tuple[Any, ...], named: dict[str, Any]) -> str:
        """The key of a call with these arguments; a long one ends in a hash.

        Raises:
            TypeError: The arguments do not fit the function, or one has no stable text.
        """
        if self._make is not None:
            return _short(self._make(*args, **named))
        bound = self._bound(args, named)
        if self._pieces is None:
            texts = (f"{name}={self._text(name, bound)}" for name in bound)
            return _short(f"{self._name}({','.join(texts)})")
        return _short(
            "".join(
                literal + (self._filled(name, bound) if name else "")
                for literal, name in self._pieces
            )
        )

    def _bound(self, args: tuple[Any, ...], named: dict[str, Any]) -> dict[str, Any]:
        """The value of each parameter."""
        if self._plain is not None and not named and len(args) == len(self._plain):
            return dict(zip(self._plain, args, strict=True))
        bound = self._signature.bind(*args, **named)
        bound.apply_defaults()
        return bound.arguments

    def _filled(self, name: str, bound: dict[str, Any]) -> str:
        """A text or number as people write it; its signs are told from the template's.

        Of what is neither, the text by type and value, after a `%` that no escape begins so.
        """
        value = bound[name]
        if type(value) is str:
            return value.translate(self._escapes)
        if type(value) is int:
            return str(value)
        return f"%{self._text(name, bound).translate(self._escapes)}"

    def _text(self, name: str, bound: dict[str, Any]) -> str:
        try:
            return text_of(bound[name])
        except TypeError as error:
            msg = (
                f"{self._name}: the argument '{name}' holds {error}, which makes no stable key. "
                "Give `key=`, or give its class a method `__cache_key__`."
            )
            raise TypeError(msg) from None


def _pieces(template: str, signature: inspect.Signature, name: str) -> list[tuple[str, str]]:
    parsed = list(string.Formatter().parse(template))
    found = [(text, field or "") for text, field, _, _ in parsed]
    for _, field, form, conversion in parsed:
        if field is not None and field not in signature.parameters:
            known = ", ".join(signature.parameters) or "none"
            msg = f"{name}: the key '{template}' names '{field}'. Its parameters: {known}."
            raise ValueError(msg)
        if form or conversion:
            msg = f"{name}: in the key '{template}', '{field}' has a format. Write '{{{field}}}'."
            raise ValueError(msg)
    for text, field in found[1:]:
        if field and not _tells_apart(text):
            msg = (
                f"{name}: in the key '{template}' a sign, such as ':', must precede '{{{field}}}'."
            )
            raise ValueError(msg)
    return found


def _tells_apart(text: str) -> bool:
    """Whether it has a sign that no value can hold, since it is escaped there."""
    return any(not char.isalnum() and char != "%" for char in text)


def _escaped(char: str) -> str:
    return f"%{ord(char):02X}" if char.isascii() else f"%U{ord(char):06X}"


def _short(key: str) -> str:
    """The key; hashed when it is long, or could be taken for one that was hashed."""
    if len(key) <= _LONGEST and key[_HASH] != "#":
        return key
    digest = blake2b(key.encode(errors="surrogatepass"), digest_size=16).hexdigest()
    return f"{key[:_READABLE]}#{digest}"
