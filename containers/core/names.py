"""Names in a source that is written: variables, and globals that stand for objects."""

import builtins
import keyword
import re
from collections.abc import Iterable
from typing import Any

from dependency_injector import providers as di

#: Longer integers are names: Python may refuse to write them.
_MOST_BITS = 64

#: Names that lines are written with, whatever else stands in the function.
FIXED = frozenset({"scope", "cells", "pending", "waiting"})
_TAKEN = FIXED | {"args", "kwargs", *keyword.kwlist, *dir(builtins)}


class Names:
    """The names of one function, none of them twice.

    Args (of the constructor):
        taken: Names that mean something else in the function.
        suffix: What the names of globals end with.

    Attributes:
        names: The globals, by name.
    """

    def __init__(self, *, taken: Iterable[str] = (), suffix: str = "") -> None:
        self.names: dict[str, Any] = {}
        self._suffix = suffix
        self._locals: set[str] = set(taken)

    def local(self, wanted: str) -> str:
        """A name for a variable."""
        local = self._free(wanted)
        self._locals.add(local)
        return local

    def name(self, wanted: str, value: Any) -> str:
        """The global that stands for an object; always the same for the same object."""
        for name, other in self.names.items():
            if other is value and name.startswith(wanted):
                return name
        name = self._free(wanted + self._suffix)
        self.names[name] = value
        return name

    def _free(self, wanted: str) -> str:
        name, count = wanted, 1
        while name in self.names or name in self._locals or name in _TAKEN:
            count += 1
            name = f"{wanted}_{count}"
        return name

    def value(self, value: Any) -> str:
        """How an object is written: small ones as they are, others by name."""
        return repr(value) if _is_literal(value) else self.name("value", value)


def _is_literal(value: Any) -> bool:
    if type(value) is int:
        return value.bit_length() <= _MOST_BITS
    return value is None or type(value) is bool


def word_of(provider: Any) -> str:
    """A name for what the provider gives: the target's in lower case."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", target_word(provider)).lower()


def target_word(target: Any) -> str:
    """A name for a target, or for that of a provider."""
    found = getattr(target, "provides", target) if isinstance(target, di.Provider) else target
    name = getattr(found, "__name__", "")
    name = name if name and isinstance(name, str) else type(target).__name__
    word = re.sub(r"\W", "_", name, flags=re.ASCII)
    return word if word.isidentifier() else f"made_{word}"
