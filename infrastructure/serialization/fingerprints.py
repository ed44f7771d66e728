"""A short digest of the fields of a class: other fields, another digest."""

import re
from collections.abc import Iterable, Mapping
from hashlib import blake2b
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

_DIGEST_BYTES = 8
_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")


def fingerprint(kind: str, fields: Iterable[tuple[str, Any]]) -> bytes:
    """The digest of a kind of class and its fields, in order, with the type of each."""
    lines = [kind, *(f"{name}: {type_text(annotation)}" for name, annotation in fields)]
    return blake2b("\n".join(lines).encode(), digest_size=_DIGEST_BYTES).digest()


def annotations_of(cls: type[Any]) -> Mapping[str, Any]:
    """The types of the fields by name; as written where a name in one cannot be resolved."""
    try:
        return get_type_hints(cls)
    except (NameError, TypeError, AttributeError, SyntaxError):
        found: dict[str, Any] = {}
        for base in reversed(cls.__mro__):
            found.update(vars(base).get("__annotations__", {}))
        return found


def type_text(annotation: Any) -> str:
    """A type in words that are the same in every process and version of Python."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin in (Union, UnionType):
        return "|".join(sorted(map(type_text, arguments)))
    if origin is Literal:
        return f"Literal[{','.join(map(repr, arguments))}]"
    if origin is not None:
        return f"{type_text(origin)}[{','.join(map(type_text, arguments))}]"
    if isinstance(annotation, (list, tuple)):
        return f"({','.join(map(type_text, annotation))})"
    return _word(annotation)


def _word(annotation: Any) -> str:
    if isinstance(annotation, str):
        return annotation
    if isinstance(annotation, type):
        return f"{annotation.__module__}.{annotation.__qualname__}"
    return _ADDRESS.sub("", repr(annotation))
