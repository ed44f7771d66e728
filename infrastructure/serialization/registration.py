"""Names of classes that stay when a class moves."""

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from infrastructure.serialization.class_names import claim
from infrastructure.serialization.shapes import forget

ClassT = TypeVar("ClassT", bound=type[Any])


def register(name: str, *, formerly: Iterable[str] = ()) -> Callable[[ClassT], ClassT]:
    """Store objects of the decorated class under a name that stays when the class moves.

    Args:
        name: Any text without a colon, such as `shop.Order`.
        formerly: Names it was stored under before, such as `shop.models:Order`; still read.

    Raises:
        ValueError: The name is empty or has a colon.
        TypeError: Another class has one of the names.
    """

    def add(cls: ClassT) -> ClassT:
        claim(cls, name, tuple(formerly))
        forget(cls)
        return cls

    return add
