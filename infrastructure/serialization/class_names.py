"""The name a class is stored under, and the class of a stored name.

A name is `module:qualname` unless the class was given another one. On reading, a class is looked
for among what this process has imported already; nothing is imported for a stored name.
"""

import sys
from collections.abc import Iterable
from typing import Any

from infrastructure.serialization.errors import Reason, RefusedError, UnreadableError

_classes: dict[str, type[Any]] = {}
_names: dict[type[Any], str] = {}


def claim(cls: type[Any], name: str, formerly: Iterable[str]) -> None:
    """Let the class be stored as `name`, and be found by that and its former names.

    Raises:
        ValueError: The name is empty or has a colon, as a place has.
        TypeError: Another class has one of the names.
    """
    if not name or ":" in name:
        msg = f"a registered name is not empty and has no colon, not '{name}'"
        raise ValueError(msg)
    for each in (name, *formerly):
        taken = _classes.get(each)
        if taken is not None and _place(taken) != _place(cls):
            msg = f"the name '{each}' is taken by {_place(taken)}, so not for {_place(cls)}"
            raise TypeError(msg)
    _classes.update(dict.fromkeys((name, *formerly), cls))
    _names[cls] = name


def name_of(cls: type[Any]) -> str:
    """The name to store.

    Raises:
        RefusedError: No process could find the class by it again.
    """
    if cls in _names:
        return _names[cls]
    name = _place(cls)
    if _found(name) is cls:
        return name
    where = "inside a function" if "<locals>" in name else "where its name does not lead"
    raise RefusedError(
        f"cannot store a '{shown(cls)}': the class was made {where}, so reading would not find it",
        "Move it to the top of its module, or give it a name with serialization.register.",
    )


def class_of(name: str) -> type[Any]:
    """The class of a stored name.

    Raises:
        UnreadableError: There is none in this process.
    """
    cls = _classes.get(name) or _found(name)
    if cls is None:
        raise UnreadableError(
            Reason.CLASS, f"the stored value is of a class not known here: '{name:.200}'"
        )
    return cls


def shown(cls: type[Any]) -> str:
    """The class as messages name it."""
    return f"{cls.__module__}.{cls.__qualname__}".removeprefix("builtins.")


def _place(cls: type[Any]) -> str:
    return f"{cls.__module__}:{cls.__qualname__}"


def _found(name: str) -> type[Any] | None:
    """The class at its place, looked up without running any code of the module."""
    module, _, qualname = name.partition(":")
    step: Any = sys.modules.get(module)
    for part in qualname.split("."):
        try:
            step = vars(step).get(part)
        except TypeError:
            return None
    return step if isinstance(step, type) and _place(step) == name else None
